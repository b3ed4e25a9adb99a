"""Losses of two networks that teach each other: hard pseudo-labels, and the segmentation loss of that literature.

The loss is the one of the benchmark that cross pseudo supervision, cross teaching and MCSC are compared on
(SSL4MIS), which differs from ``losses/segmentation.py``: squares in the denominator of the Dice, the background
counts as a structure, and half of each term.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmgl.losses.marginal import marginal
from mmgl.losses.segmentation import SMOOTH, cross_entropy


def pseudo_labels(logits: Tensor) -> Tensor:
    """Return the most probable structure (N, H, W) of each pixel of logits (N, K + 1, H, W), without a gradient."""
    return logits.detach().argmax(1)


def squared_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over background and structures of ``1 - 2 sum(p y) / (sum(p^2) + sum(y^2))``, over the batch.

    Args:
        logits: (N, K + 1, H, W).
        labels: (N, H, W), 0 to K, negative where unlabelled.
    """
    structures = torch.arange(logits.shape[1], device=labels.device)
    probability = logits.float().softmax(1)
    target = labels[:, None] == structures[None, :, None, None]
    known = (labels >= 0)[:, None]
    shared = (probability * target).sum((0, 2, 3))
    total = (probability.square() * known).sum((0, 2, 3)) + target.sum((0, 2, 3))
    return 1 - ((2 * shared + SMOOTH) / (total + SMOOTH)).mean()


def half_entropy_half_dice(logits: Tensor, labels: Tensor, sets: Tensor | None = None) -> Tensor:
    """Return half the cross-entropy plus half the squared Dice, over labelled pixels (L_sup of one network).

    Args:
        logits: (N, K + 1, H, W).
        labels: (N, H, W), 0 to K, negative where unlabelled.
        sets: what codes below -1 in the labels stand for (``losses/marginal.py``).
    """
    logits, labels = marginal(logits, labels, sets)
    return 0.5 * (cross_entropy(logits, labels) + squared_dice(logits, labels))
