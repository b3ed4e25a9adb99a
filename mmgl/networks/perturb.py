"""Perturbations that a network should be indifferent to, drawn from a generator of the caller.

The layers and functions of torch draw from its own global generator, so that a run could not go on where it stopped.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mmgl.ranks import drawn

DEVIATION, LARGEST = 0.1, 0.2
"""Of the Gaussian noise of the mean teacher, where a scan has a deviation of about 1, and where it is cut off."""


def noisy(images: Tensor, generator: Generator) -> Tensor:
    """Return images (N, C, H, W) plus Gaussian noise that is cut off at both sides.

    Args:
        images: of any range near zero.
        generator: on the device of the images.
    """
    noise = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    return images + (DEVIATION * noise).clamp(-LARGEST, LARGEST)


def dropout(maps: Tensor, generator: Generator, rate: float = 0.5, *, whole_channels: bool = False) -> Tensor:
    """Return maps (N, C, H, W) with a share of the numbers set to zero and the others enlarged to make up for it.

    Args:
        maps: of a network.
        generator: on the device of the maps.
        rate: probability of zero, below 1.
        whole_channels: set whole channels of a slice to zero instead of single numbers.
    """
    shape = (*maps.shape[:2], 1, 1) if whole_channels else maps.shape
    chance = drawn(lambda n: torch.rand((n, *shape[1:]), generator=generator, device=maps.device), len(maps))
    kept = chance >= rate
    return maps * (kept.to(maps.dtype) / (1 - rate))
