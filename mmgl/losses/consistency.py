"""Consistency losses: what a network says must not change with what should not matter, where that can be trusted.

The labels of ``confident_labels`` go into the losses of ``losses/segmentation.py`` and ``losses/cross_supervision.py``
like painted ones: what is not trusted is unlabelled there, and takes no part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmgl.losses.ramp import ramp_up


def masked_mse(first: Tensor, second: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the mean squared difference of probabilities over pixels and outputs (Tarvainen and Valpola 2017).

    Args:
        first, second: (N, K + 1, H, W).
        mask: (N, H, W), true where a pixel counts; all of them without it.

    Returns:
        A scalar; 0 when no pixel counts.
    """
    pixel = (first.float() - second.float()).square().mean(1)
    if mask is None:
        return pixel.mean()
    return torch.where(mask, pixel, 0.0).sum() / mask.sum().clamp(min=1)


def predictive_entropy(probabilities: Tensor) -> Tensor:
    """Return the entropy (N, H, W) in nats of probabilities (N, K + 1, H, W) (UA-MT, u = -sum over c of p_c log p_c).

    Of the mean over several passes of a network that drops at random it is the uncertainty of the network.
    """
    p = probabilities.float()
    entropy: Tensor = -torch.special.xlogy(p, p).sum(1)
    return entropy


def certain(entropy: Tensor, highest: float, progress: float) -> Tensor:
    """Return where the entropy is below a threshold that rises with training (UA-MT, u < H).

    Args:
        entropy: (N, H, W) in nats.
        highest: the largest entropy there can be, the logarithm of the number of outputs.
        progress: 0 to 1; the threshold is ``(3/4 + 1/4 ramp_up(progress)) highest``.

    Returns:
        (N, H, W), true where the network is certain enough.
    """
    return entropy < (0.75 + 0.25 * ramp_up(progress)) * highest


def confident_labels(logits: Tensor, threshold: float) -> Tensor:
    """Return the most probable structure of each pixel, without a gradient; -1 where its probability is too low.

    Args:
        logits: (N, K + 1, H, W).
        threshold: the probability from which on a pixel is believed.

    Returns:
        (N, H, W), 0 to K, or -1, which losses take as unlabelled.
    """
    probability, labels = logits.detach().float().softmax(1).max(1)
    return labels.masked_fill(probability < threshold, -1)
