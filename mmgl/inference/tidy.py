"""Tidying up a labelmap: only the largest piece of a structure, and its holes filled. Never unless asked for."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from scipy.ndimage import binary_fill_holes, find_objects, generate_binary_structure, label

from mmgl.data.plan import PLANES, Plan
from mmgl.finding import Finding
from mmgl.imaging.grid import Array, Grid
from mmgl.structures import Structure


def tidy(
    labelmap: Array,
    structures: tuple[Structure, ...],
    largest: Collection[str],
    filled: Collection[str],
    thick: int | None = None,
) -> list[Finding]:
    """Change a labelmap (z, y, x) in place, and return what was changed.

    Args:
        labelmap: value i + 1 is ``structures[i]``.
        largest: names of structures of which only the largest piece stays; voxels that touch at a corner belong
            together, and the rest becomes background.
        filled: names of structures whose holes become part of them. A hole is background that is closed in on all
            sides; where another structure lies in it, it stays.
        thick: the axis across thick slices, each of which is looked at by itself for holes; None for none.
    """
    findings = []
    boxes = find_objects(labelmap, max_label=len(structures))
    for value, (structure, box) in enumerate(zip(structures, boxes, strict=True), start=1):
        if box is None:
            continue
        part = labelmap[box]
        pieces, voxels = _keep_largest(part, value) if structure.name in largest else (0, 0)
        if pieces:
            findings.append(Finding("tidy.largest", {"structure": structure.name, "pieces": pieces, "voxels": voxels}))
        if structure.name in filled and (voxels := _fill_holes(part, value, thick)):
            findings.append(Finding("tidy.filled", {"structure": structure.name, "voxels": voxels}))
    return findings


def _keep_largest(part: Array, value: int) -> tuple[int, int]:
    """Leave the largest piece of ``value``, the first of equal ones; return the pieces and voxels taken away."""
    pieces, count = label(part == value, generate_binary_structure(3, 3))
    if count < 2:
        return 0, 0
    sizes = np.bincount(pieces.ravel())
    largest = sizes[1:].argmax() + 1
    part[(pieces > 0) & (pieces != largest)] = 0
    return count - 1, int(sizes[1:].sum() - sizes[largest])


def _fill_holes(part: Array, value: int, thick: int | None) -> int:
    """Give ``value`` to its holes, and return how many voxels that are."""
    if thick is None and min(part.shape) == 1:
        thick = int(np.argmin(part.shape))  # a single slice is closed in by itself
    slices = [part] if thick is None else list(np.moveaxis(part, thick, 0))
    return sum(_fill(piece, value) for piece in slices)


def _fill(part: Array, value: int) -> int:
    painted = part == value
    holes, _ = label(binary_fill_holes(painted) & ~painted)
    taken = np.unique(holes[part > 0])  # painted voxels are in hole 0, which is none
    empty = (holes > 0) & ~np.isin(holes, taken)
    part[empty] = value
    return int(empty.sum())


def thick_axis(grid: Grid, plan: Plan) -> int | None:
    """Return the axis of the scan's own grid across the slices of a model that segments in one plane only, or None."""
    return grid.reorientation().axes[PLANES.index(plan.planes[0])] if len(plan.planes) == 1 else None
