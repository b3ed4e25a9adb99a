"""The dense CRF on the fused probabilities of a scan, slice by slice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmgl.data.plan import PLANES, Plan
from mmgl.finding import Finding
from mmgl.imaging.grid import Grid
from mmgl.inference.crf import Crf, refine
from mmgl.inference.fused import Fused
from mmgl.structures import Structure

POSSIBLE = 0.05
"""Where no structure is more probable than that, none is looked for."""

MARGIN = 16
"""Pixels around what is possible that are looked at."""

MUCH = 0.25
"""Share of a structure's volume that refining may change without a word."""

FITTED = Crf(appearance=6.0, appearance_mm=30.0, intensity=0.3, smoothness=0.3, smoothness_mm=6.0)
"""Parameters that gave most on check cases of ACDC (benchmarks/segmenting/crf.py)."""


def refine_fused(
    fused: Fused,
    image: Tensor,
    grid: Grid,
    plan: Plan,
    structures: Sequence[Structure] = (),
    crf: Crf = FITTED,
) -> list[Finding]:
    """Change fused probabilities in place, the slices of the plan's first plane, each by itself; return what to check.

    What gives much on one kind of scan may spoil another: where a structure has little contrast and the network is
    unsure, the field lets its surroundings have it. So a structure that becomes much larger or smaller is told of.

    Args:
        fused: on the plan's grid, or on the part of it that ``image`` (C, z, y, x) shows.
        grid: the scan's own.
        structures: output i + 1 is ``structures[i]``.
    """
    axis = PLANES.index(plan.planes[0])
    extent = grid.reorientation().apply_to_grid(grid).extent
    along = [extent[a] / fused.whole[a] for a in range(3) if a != axis]
    slices = image.movedim(1 + axis, 0)
    volumes = torch.zeros(2, fused.outputs)
    for number in range(fused.size[axis]):
        probabilities = fused.slices(axis, number, number + 1)
        possible = (probabilities[0, 1:] > POSSIBLE).any(0)
        if not possible.any():
            continue
        rows, columns = (_around(possible.any(other).nonzero()) for other in (1, 0))
        part = probabilities[..., rows, columns]
        seen = slices[number : number + 1, :, rows, columns].to(part)
        refined = refine(part, seen, (along[0], along[1]), crf)
        for row, found in zip(volumes, (part, refined), strict=True):
            row += torch.bincount(found.argmax(1).flatten(), minlength=fused.outputs).cpu()
        probabilities[..., rows, columns] = refined
        fused.put(axis, number, probabilities)
    changes = ((volumes[1] - volumes[0]) / volumes[0].clamp(min=1)).tolist()[1:]
    return [
        Finding("refine.changed", {"structure": structure.name, "percent": round(100 * change)})
        for structure, change in zip(structures, changes, strict=False)
        if abs(change) > MUCH
    ]


def _around(places: Tensor) -> slice:
    """Return the range of places with a margin around it."""
    return slice(max(0, int(places.min()) - MARGIN), int(places.max()) + 1 + MARGIN)
