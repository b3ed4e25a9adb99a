"""The dense CRF on the fused probabilities of a scan, slice by slice."""

from __future__ import annotations

from torch import Tensor

from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.grid import Grid
from mmgl.inference.crf import Crf, refine
from mmgl.inference.fused import Fused

POSSIBLE = 0.05
"""Where no structure is more probable than that, none is looked for."""

MARGIN = 16
"""Pixels around what is possible that are looked at."""

FITTED = Crf(appearance=6.0, appearance_mm=30.0, intensity=0.3, smoothness=0.3, smoothness_mm=6.0)
"""Parameters that gave most on check cases of ACDC (benchmarks/segmenting/crf.py)."""


def refine_fused(fused: Fused, image: Tensor, grid: Grid, plan: Plan, crf: Crf = FITTED) -> None:
    """Change fused probabilities in place: the slices of the plan's first plane, each by itself.

    Args:
        fused: on the plan's grid, or on the part of it that ``image`` (C, z, y, x) shows.
        grid: the scan's own.
    """
    axis = PLANES.index(plan.planes[0])
    extent = grid.reorientation().apply_to_grid(grid).extent
    along = [extent[a] / fused.whole[a] for a in range(3) if a != axis]
    slices = image.movedim(1 + axis, 0)
    for number in range(fused.size[axis]):
        probabilities = fused.slices(axis, number, number + 1)
        possible = (probabilities[0, 1:] > POSSIBLE).any(0)
        if not possible.any():
            continue
        rows, columns = (_around(possible.any(other).nonzero()) for other in (1, 0))
        part = probabilities[..., rows, columns]
        seen = slices[number : number + 1, :, rows, columns].to(part)
        probabilities[..., rows, columns] = refine(part, seen, (along[0], along[1]), crf)
        fused.put(axis, number, probabilities)


def _around(places: Tensor) -> slice:
    """Return the range of places with a margin around it."""
    return slice(max(0, int(places.min()) - MARGIN), int(places.max()) + 1 + MARGIN)
