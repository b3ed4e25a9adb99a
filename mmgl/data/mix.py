"""Mixing two batches of slices by boxes: one inside, the other outside (CutMix, and the copy-paste of BCP).

``sample_*`` draws the boxes, ``mix`` is deterministic and takes images and labels alike, so that what is shown and
what it is called are mixed by the same boxes.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor


def sample_boxes(count: int, size: tuple[int, int], box: tuple[int, int], generator: Generator) -> Tensor:
    """Draw where boxes of one size lie, anywhere inside the slice.

    Args:
        count: how many boxes.
        size: height and width of the slices in pixels.
        box: height and width of the boxes, at most as large.
        generator: on the CPU.

    Returns:
        (count, 4) top, left, bottom and right in pixels, the last two not included.
    """
    return _placed(torch.tensor([box]).expand(count, 2), size, generator)


def sample_cutmix_boxes(
    count: int,
    size: tuple[int, int],
    generator: Generator,
    *,
    probability: float = 0.5,
    area: tuple[float, float] = (0.02, 0.4),
    longest: float = 3.0,
) -> Tensor:
    """Draw boxes of any size and shape, anywhere inside the slice; some of them empty.

    Args:
        count: how many boxes.
        size: height and width of the slices in pixels.
        generator: on the CPU.
        probability: of a box that is not empty.
        area: smallest and largest share of the slice.
        longest: how many times as long as wide a box may be.

    Returns:
        (count, 4) as ``sample_boxes``; nothing lies inside an empty box.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    pixels = uniform(*area) * size[0] * size[1]
    ratio = torch.exp(uniform(-math.log(longest), math.log(longest)))
    sides = torch.stack([(pixels / ratio).sqrt(), (pixels * ratio).sqrt()], 1).round().long().clamp(min=1)
    sides = torch.minimum(sides, torch.tensor(size))
    wanted = torch.rand(count, generator=generator) < probability
    return _placed(sides * wanted[:, None], size, generator)


def box_mask(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return (N, height, width), true inside the box of each slice, for boxes (N, 4)."""
    top, left, bottom, right = (edge[:, None] for edge in boxes.unbind(1))
    y, x = torch.arange(height, device=boxes.device), torch.arange(width, device=boxes.device)
    rows, columns = (y >= top) & (y < bottom), (x >= left) & (x < right)
    return rows[:, :, None] & columns[:, None, :]


def mix(outside: Tensor, inside: Tensor, boxes: Tensor) -> Tensor:
    """Return what is ``inside`` in the boxes and ``outside`` around them.

    Args:
        outside, inside: images (N, C, H, W), or labels or any other numbers (N, H, W), of the same shape.
        boxes: (N, 4), on any device.
    """
    height, width = outside.shape[-2:]
    mask = box_mask(boxes.to(outside.device), int(height), int(width))
    return torch.where(mask if outside.ndim == 3 else mask[:, None], inside, outside)


def _placed(sides: Tensor, size: tuple[int, int], generator: Generator) -> Tensor:
    """Return boxes (N, 4) with sides (N, 2), each as likely in every place of the slice."""
    free = torch.tensor(size) - sides + 1
    start = (torch.rand(sides.shape, generator=generator) * free).long()
    return torch.cat([start, start + sides], 1)
