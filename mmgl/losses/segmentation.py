"""Segmentation losses: cross-entropy and soft Dice on what is labelled, at one or several scales."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.losses.marginal import marginal

SMOOTH = 1e-5


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy over labelled pixels.

    Args:
        logits: (N, K + 1, H, W).
        labels: (N, H, W), 0 to K, negative where unlabelled.
    """
    known = labels >= 0
    pixel = F.cross_entropy(logits.float(), labels.clamp(min=0).long(), reduction="none")
    return (pixel * known).sum() / known.sum().clamp(min=1)


def soft_dice(logits: Tensor, labels: Tensor) -> Tensor:
    """Return one minus the soft Dice over the whole batch, averaged over the structures (background left out).

    Structures that the batch does not show count too: they push their probability towards zero.

    Args:
        logits: (N, K + 1, H, W).
        labels: (N, H, W), 0 to K, negative where unlabelled.
    """
    structures = torch.arange(1, logits.shape[1], device=labels.device)
    probability = logits.float().softmax(1)[:, 1:]
    target = labels[:, None] == structures[None, :, None, None]
    known = (labels >= 0)[:, None]
    shared = (probability * target).sum((0, 2, 3))
    total = (probability * known).sum((0, 2, 3)) + target.sum((0, 2, 3))
    return 1 - ((2 * shared + SMOOTH) / (total + SMOOTH)).mean()


def deep_supervision(logits: Sequence[Tensor], labels: Tensor, sets: Tensor | None = None) -> Tensor:
    """Return cross-entropy plus soft Dice at every scale, weighted 1, 1/2, 1/4, ... and normalised (MMGL, L_seg^M).

    Args:
        logits: finest first, each (N, K + 1, h, w); coarser ones are enlarged to the size of the labels.
        labels: (N, H, W), negative where unlabelled.
        sets: what codes below -1 in the labels stand for (``losses/marginal.py``).
    """
    weights = [0.5**i for i in range(len(logits))]
    total = torch.zeros((), device=labels.device)
    for weight, scale in zip(weights, logits, strict=True):
        full = scale.float()
        if full.shape[-2:] != labels.shape[-2:]:
            full = F.interpolate(full, size=labels.shape[-2:], mode="bilinear", align_corners=False)
        merged, known = marginal(full, labels, sets)
        total = total + weight / sum(weights) * (cross_entropy(merged, known) + soft_dice(merged, known))
    return total
