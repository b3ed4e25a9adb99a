"""The probabilities of a scan while planes are averaged: exact where memory allows, in a quarter of it where not."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from mmgl.imaging.grid import Array, Size

EXACT = 1024 * 1024 * 1024
"""Bytes that float32 probabilities may take. Beyond, each structure takes one byte a voxel, and background none."""

SLAB = 8 * 1024 * 1024
"""Probabilities that are looked at at once (32 MB of float32)."""


class Fused:
    """The mean of the probabilities that several planes give, on the plan's grid.

    Up to ``EXACT`` bytes they are float32. Beyond, every plane's vote is rounded to whole numbers of which all votes
    together fill a byte, and background is what is left to 1: a border moves by less than a hundredth of a voxel.

    Args:
        outputs: structures plus background.
        size: (z, y, x) of the plan's grid, or of the part of it that is segmented.
        votes: how many planes will be added everywhere.
        device: where the numbers are held.
        start: where the part begins on the plan's grid.
        whole: size of the plan's grid, where the part is not all of it.
    """

    def __init__(
        self,
        outputs: int,
        size: Size,
        votes: int,
        device: torch.device | None = None,
        start: Size = (0, 0, 0),
        whole: Size | None = None,
    ) -> None:
        self.outputs, self.size, self.votes = outputs, size, votes
        self.start, self.whole = start, whole or size
        self.exact = 4 * outputs * math.prod(size) <= EXACT
        self._levels = 255 // votes
        kept, kind = (outputs, torch.float32) if self.exact else (outputs - 1, torch.uint8)
        self._sum = torch.zeros((kept, *size), dtype=kind, device=device)

    @staticmethod
    def of(probabilities: Tensor) -> Fused:
        """Return probabilities (K + 1, z, y, x) as they are."""
        z, y, x = probabilities.shape[1:]
        fused = Fused.__new__(Fused)
        fused.outputs, fused.size, fused.votes = len(probabilities), (z, y, x), 1
        fused.start, fused.whole, fused.exact, fused._levels = (0, 0, 0), (z, y, x), True, 255
        fused._sum = probabilities.float()
        return fused

    @staticmethod
    def blend(weighted: Sequence[tuple[float, Fused]]) -> Fused:
        """Return the weighted mean of the probabilities of several scans of one grid; the weights sum to 1."""
        first = weighted[0][1]
        blended = copy.copy(first)
        # a frame that did not fit on the card lies in the computer's memory
        mean = torch.stack([fused._sum.to(first.device).float() * weight for weight, fused in weighted]).sum(0)
        blended._sum = mean if first.exact else mean.round_().to(torch.uint8)
        return blended

    @property
    def device(self) -> torch.device:
        """Where the numbers are held."""
        return self._sum.device

    def encoded(self, probabilities: Tensor) -> Tensor:
        """Return the votes (n, K + 1, h, w) of slices as ``add`` takes them, in as little memory as they will have."""
        if self.exact:
            return probabilities.to(self.device)
        return (probabilities[:, 1:] * self._levels).round_().to(torch.uint8).to(self.device)

    def add(self, axis: int, start: int, encoded: Tensor) -> None:
        """Add the votes of slices across ``axis``, the first of which is slice ``start``."""
        self._slices(axis, start, len(encoded)).add_(encoded)

    def put(self, axis: int, start: int, probabilities: Tensor) -> None:
        """Put probabilities (n, K + 1, h, w) of slices across ``axis`` in the place of those that are there."""
        place = self._slices(axis, start, len(probabilities))
        if self.exact:
            place.copy_(probabilities * self.votes)
        else:
            place.copy_((probabilities[:, 1:] * (self._levels * self.votes)).round_().to(torch.uint8))

    def slices(self, axis: int, start: int, stop: int) -> Tensor:
        """Return the probabilities (n, K + 1, h, w) of slices across ``axis``; float32."""
        return self._decoded(self._slices(axis, start, stop - start), 1)

    def slab(self, low: int, high: int) -> Tensor:
        """Return the probabilities (K + 1, n, y, x) of rows of the part along z; float32."""
        return self._decoded(self._sum[:, low:high], 0)

    def slabs(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the probabilities (K + 1, n, y, x) a few rows along z at a time, and where each slab begins."""
        step = max(1, SLAB // (self.outputs * self.size[1] * self.size[2]))
        for start in range(0, self.size[0], step):
            yield start, self.slab(start, min(start + step, self.size[0]))

    def labelmap(self) -> Array:
        """Return the most probable output of every voxel (z, y, x) of the part; uint16."""
        return np.concatenate([slab.argmax(0).cpu().numpy().astype(np.uint16) for _, slab in self.slabs()])

    def mixed(self, weights: Tensor) -> Tensor:
        """Return what ``weights`` (n, z) of the plan's rows mix: (n, K + 1, y, x) on the whole plane of the plan.

        Outside of the part is background.
        """
        begin, (_, y, x) = self.start, self.size
        weights = weights[:, begin[0] : begin[0] + self.size[0]]
        used = torch.nonzero(weights.any(0)).flatten()
        low, high = int(used[0]), int(used[-1]) + 1
        inside = torch.einsum("nz,kzyx->nkyx", weights[:, low:high], self.slab(low, high))
        if self.size[1:] == self.whole[1:]:
            return inside
        mixed = inside.new_zeros((len(weights), self.outputs, *self.whole[1:]))
        mixed[:, 0] = 1
        mixed[..., begin[1] : begin[1] + y, begin[2] : begin[2] + x] = inside
        return mixed

    def tensor(self) -> Tensor:
        """Return all probabilities (K + 1, z, y, x); float32. Where they are exact nothing may be added any more."""
        if not self.exact:
            return self._decoded(self._sum, 0)
        self._sum.div_(self.votes)
        self.votes = 1
        return self._sum

    def _slices(self, axis: int, start: int, count: int) -> Tensor:
        """Return a view (n, K or K + 1, h, w) of slices across ``axis``."""
        return self._sum.movedim(1 + axis, 0)[start : start + count]

    def _decoded(self, held: Tensor, axis: int) -> Tensor:
        """Return probabilities whose structures lie along ``axis`` from what is held of them."""
        if self.exact:
            return held / self.votes
        structures = held.float().div_(self._levels * self.votes)
        background = (1 - structures.sum(axis, keepdim=True)).clamp_(min=0)
        return torch.cat([background, structures], axis)
