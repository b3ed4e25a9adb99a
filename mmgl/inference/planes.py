"""Slices of all planes through the network, their probabilities averaged into one volume."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.data.plan import PLANES, Plan
from mmgl.device import free_memory, precision
from mmgl.imaging.grid import Size
from mmgl.inference.fused import EXACT, Fused

PIXELS = 4 * 256 * 256
"""Pixels that go through the network at once: the batch that is fastest on a processor, four slices of 256."""

PIXELS_ON_GPU = 64 * 256 * 256

TOGETHER = 16
"""Slices whose votes are added at once: across the rows of memory, adding one at a time would be slow."""

Network = Callable[[Tensor], Tensor]


def fused_probabilities(
    network: Network,
    image: Tensor,
    plan: Plan,
    *,
    stride: int = 16,
    device: torch.device | None = None,
    progress: Callable[[float], None] | None = None,
) -> Tensor:
    """Return the probabilities (K + 1, z, y, x) of a prepared scan, averaged over the plan's planes; float32.

    Args:
        network, image, plan, stride, device, progress: as in ``fuse``.
    """
    return fuse(network, image, plan, stride=stride, device=device, progress=progress).tensor()


def fuse(
    network: Network,
    image: Tensor,
    plan: Plan,
    *,
    stride: int = 16,
    device: torch.device | None = None,
    mirror: bool = False,
    bfloat16: bool | None = None,
    start: Size = (0, 0, 0),
    whole: Size | None = None,
    progress: Callable[[float], None] | None = None,
) -> Fused:
    """Return the probabilities of a prepared scan, averaged over the plan's planes with equal weights.

    Args:
        network: takes slices (N, C, h, w) with h and w divisible by ``stride``, returns logits (N, K + 1, h, w).
        image: (C, z, y, x), prepared on the plan's grid, or the part of it that begins at ``start``.
        device: where the network is.
        mirror: average each slice with its mirror image, left to right.
        bfloat16: whether the network runs in bfloat16; as in training unless said.
        start, whole: as in ``Fused``.
        progress: told the share that is done.

    Raises:
        torch.cuda.OutOfMemoryError: not even one slice fits into the memory of the graphics card.
    """
    device = device or image.device
    batches = _Batches(network, stride, device, mirror, plan.bfloat16 if bfloat16 is None else bfloat16)
    fused: Fused | None = None
    for done, plane in enumerate(plan.planes):
        axis = PLANES.index(plane)
        slices = image.movedim(1 + axis, 0)
        for first in range(0, len(slices), TOGETHER):
            votes = []
            for vote in batches.run(slices[first : first + TOGETHER]):
                if fused is None:
                    fused = _empty(vote.shape[1], image, len(plan.planes), device, start, whole)
                votes.append(fused.encoded(vote))
            if fused is not None:
                fused.add(axis, first, torch.cat(votes))
            if progress:
                progress((done + min(1.0, (first + TOGETHER) / len(slices))) / len(plan.planes))
    if fused is None:
        raise ValueError("a plan has at least one plane and a scan at least one slice")
    return fused


def _empty(outputs: int, image: Tensor, votes: int, device: torch.device, start: Size, whole: Size | None) -> Fused:
    """Return probabilities to add to: on the device, or in the computer's memory where the device has too little."""
    z, y, x = image.shape[1:]
    if device.type != "cpu" and min(EXACT, 4 * outputs * z * y * x) > free_memory(device) / 2:
        device = torch.device("cpu")
    return Fused(outputs, (z, y, x), votes, device, start, whole)


class _Batches:
    """Slices through a network, as many at once as are fast and fit into the memory."""

    def __init__(self, network: Network, stride: int, device: torch.device, mirror: bool, bfloat16: bool) -> None:
        self._network, self._stride, self._device = network, stride, device
        self._mirror, self._bfloat16 = mirror, bfloat16
        self._pixels = PIXELS if device.type == "cpu" else PIXELS_ON_GPU

    def run(self, slices: Tensor) -> list[Tensor]:
        """Return the probabilities of slices (n, C, h, w), in batches (m, K + 1, h, w)."""
        found: list[Tensor] = []
        done = 0
        while done < len(slices):
            size = max(1, self._pixels // (slices.shape[-2] * slices.shape[-1]))
            part = slices[done : done + size]
            try:
                found.append(self._probabilities(part.to(device=self._device, dtype=torch.float32)))
            except torch.cuda.OutOfMemoryError:
                if len(part) == 1:
                    raise
                torch.cuda.empty_cache()
                self._pixels = len(part) // 2 * slices.shape[-2] * slices.shape[-1]
            else:
                done += len(part)
        return found

    def _probabilities(self, slices: Tensor) -> Tensor:
        """Return the probabilities (n, K + 1, h, w) of slices, with their mirror images where asked."""
        found = _slice_probabilities(self._network, slices, self._stride, self._bfloat16)
        if self._mirror:
            mirrored = _slice_probabilities(self._network, slices.flip(-1), self._stride, self._bfloat16)
            found = (found + mirrored.flip(-1)) / 2
        return found


def _slice_probabilities(network: Network, slices: Tensor, stride: int, bfloat16: bool) -> Tensor:
    """Return the probabilities (N, K + 1, h, w) of slices of any size, padded to the stride by repeating the edge."""
    height, width = slices.shape[-2:]
    padded = F.pad(slices, (0, -width % stride, 0, -height % stride), mode="replicate")
    with torch.inference_mode(), precision(slices.device, bfloat16):
        logits = network(padded.contiguous(memory_format=torch.channels_last))
        return logits[..., :height, :width].float().softmax(1)
