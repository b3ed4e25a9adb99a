"""Where a result should be looked at twice: each structure, the worst slices, and a map of doubt.

The fused probabilities hold it all: where planes (or mirror images) disagree, their mean is undecided even if each of
them is sure, so the entropy of the mean is the mean of the entropies plus the disagreement.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.grid import Grid
from mmgl.inference.fused import Fused
from mmgl.structures import Structure

CHECK = 0.25
"""Doubt from which a structure is to be checked where the model does not say what is usual for it."""

SURE = 0.3
"""A voxel that is less doubtful than that counts as sure, or else the whole of the background would add up."""

WORST = 5
"""Slices that are listed, at most."""

APART = 2
"""Slices in the list are more than this many apart."""


@dataclass(frozen=True)
class StructureDoubt:
    """Attributes:
    structure: its name.
    doubt: 0 (sure) to 1: the probability of being something else, mean of the voxels found; 1 where there are none.
    check: whether to check it: it is more doubtful than usual, or was not found.
    """

    structure: str
    doubt: float
    check: bool


@dataclass(frozen=True)
class DoubtfulSlice:
    """Attributes:
    plane: ``axial``, ``coronal`` or ``sagittal``.
    axis, index: of the slice in the scan's own array.
    structure: name of the most doubtful one in it.
    area: mm2 that are expected to be wrong, of all structures.
    """

    plane: str
    axis: int
    index: int
    structure: str
    area: float


@dataclass(frozen=True)
class Doubt:
    """Attributes:
    structures: the doubt of each.
    slices: the worst ones, the worst first.
    """

    structures: tuple[StructureDoubt, ...]
    slices: tuple[DoubtfulSlice, ...]

    def of(self, names: Collection[str]) -> Doubt:
        """Return the doubt of the structures of these names only; of all of them where there are no names."""
        if not names:
            return self
        return Doubt(
            tuple(s for s in self.structures if s.structure in names),
            tuple(s for s in self.slices if s.structure in names),
        )


def doubt_of(
    fused: Fused,
    grid: Grid,
    plan: Plan,
    structures: tuple[Structure, ...],
    usual: Mapping[str, float] | None = None,
) -> Doubt:
    """Return how doubtful a result is.

    Args:
        fused: probabilities on the plan's grid, or on a part of it.
        grid: the scan's own.
        structures: output i + 1 is ``structures[i]``.
        usual: doubt up to which a structure, by name, need not be checked; ``CHECK`` for others.
    """
    axis = PLANES.index(plan.planes[0])
    sums = torch.zeros(2, fused.outputs, dtype=torch.float64)  # of the probabilities that win, and of their voxels
    wrong = torch.zeros(fused.size[axis], fused.outputs, dtype=torch.float64)
    for start, slab in fused.slabs():
        best, winner = (v.flatten().cpu() for v in slab.max(0))
        sums[0] += torch.bincount(winner, best.double(), fused.outputs)
        sums[1] += torch.bincount(winner, minlength=fused.outputs)
        unsure = torch.minimum(slab, 1 - slab)
        unsure *= unsure > SURE
        rows = unsure.sum([1 + a for a in range(3) if a != axis]).T.double().cpu()
        if axis == 0:
            wrong[start : start + len(rows)] = rows
        else:
            wrong += rows
    doubts = (1 - sums[0] / sums[1].clamp(min=1)).tolist()[1:]
    each = tuple(
        StructureDoubt(s.name, round(doubt, 4), doubt > (usual or {}).get(s.name, CHECK))
        for s, doubt in zip(structures, doubts, strict=True)
    )
    return Doubt(each, _worst(wrong[:, 1:], axis, fused, grid, structures))


def _worst(
    wrong: Tensor, axis: int, fused: Fused, grid: Grid, structures: tuple[Structure, ...]
) -> tuple[DoubtfulSlice, ...]:
    """Return the worst slices from the voxels (slices, structures) that are expected to be wrong in each."""
    turn = grid.reorientation()
    canonical = turn.apply_to_grid(grid)
    pixel = math.prod(
        canonical.extent[a] / fused.whole[a] for a in range(3) if a != axis
    )  # mm2 of a pixel of the plan's grid
    own_axis, length = turn.axes[axis], canonical.size[axis]
    total = wrong.sum(1)
    chosen: list[DoubtfulSlice] = []
    for row in torch.argsort(total, descending=True, stable=True).tolist():
        if len(chosen) == WORST or total[row] <= 0:
            break
        place = (row + fused.start[axis] + 0.5) * length / fused.whole[axis] - 0.5
        index = min(length - 1, max(0, round(place)))
        index = length - 1 - index if turn.flips[axis] else index
        if all(abs(index - other.index) > APART for other in chosen):
            name = structures[int(wrong[row].argmax())].name
            chosen.append(DoubtfulSlice(PLANES[axis], own_axis, index, name, round(float(total[row]) * pixel, 1)))
    return tuple(chosen)


def entropy(fused: Fused) -> Tensor:
    """Return the entropy (z, y, x) of fused probabilities in bits: 0 is sure, 1 torn between two; float32."""
    result = torch.empty(fused.size)
    for start, slab in fused.slabs():
        result[start : start + slab.shape[1]] = (torch.special.entr(slab).sum(0) / np.log(2)).cpu()
    return result
