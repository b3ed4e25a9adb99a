"""Slices of all planes through the network, their probabilities averaged into one volume."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.data.plan import PLANES, Plan
from mmgl.device import free_memory, half_precision

PIXELS = 4 * 256 * 256
"""Pixels that go through the network at once: the batch that is fastest on a processor, four slices of 256."""

PIXELS_ON_GPU = 64 * 256 * 256


def fused_probabilities(
    network: Callable[[Tensor], Tensor],
    image: Tensor,
    plan: Plan,
    *,
    stride: int = 16,
    device: torch.device | None = None,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Return the probabilities (K + 1, z, y, x) of a prepared scan, averaged over the plan's planes; float32.

    Args:
        network: takes slices (N, C, h, w) with h and w divisible by ``stride``, returns logits (N, K + 1, h, w).
        image: (C, z, y, x), prepared on the plan's grid.
        progress: told the share that is done.
    """
    device = device or image.device
    total: Tensor | None = None
    for done, plane in enumerate(plan.planes):
        axis = PLANES.index(plane)
        slices = image.movedim(1 + axis, 0)
        height, width = slices.shape[-2:]
        size = max(1, (PIXELS if device.type == "cpu" else PIXELS_ON_GPU) // (height * width))
        for start in range(0, len(slices), size):
            part = slices[start : start + size].to(device=device, dtype=torch.float32)
            probability = _slice_probabilities(network, part, stride)
            if total is None:
                total = _zeros((probability.shape[1], *image.shape[1:]), device)
            total.movedim(1 + axis, 0)[start : start + size] += probability.to(total.device)
            if progress:
                progress((done + min(1.0, (start + size) / len(slices))) / len(plan.planes))
    if total is None:
        raise ValueError("a plan has at least one plane and a scan at least one slice")
    return total.div_(len(plan.planes))


def _zeros(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return zeros on the device, or in the computer's memory where they would take more than half of what is free."""
    if device.type != "cpu" and 4 * math.prod(shape) > free_memory(device) / 2:
        device = torch.device("cpu")
    return torch.zeros(shape, device=device)


def _slice_probabilities(network: Callable[[Tensor], Tensor], slices: Tensor, stride: int) -> Tensor:
    """Return the probabilities (N, K + 1, h, w) of slices of any size, padded to the stride by repeating the edge."""
    height, width = slices.shape[-2:]
    padded = F.pad(slices, (0, -width % stride, 0, -height % stride), mode="replicate")
    with torch.inference_mode(), half_precision(slices.device):
        logits = network(padded.contiguous(memory_format=torch.channels_last))
    return logits[..., :height, :width].float().softmax(1)
