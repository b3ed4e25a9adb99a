"""Labelmaps in which what is not labelled is never background.

A voxel of which nothing is known is ``UNLABELLED``, and one that is background or one of the structures that nobody
labelled there is ``-2 - i``, where ``i`` counts the sets of such structures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mmgl.imaging.grid import Array
from mmgl.structures import UNLABELLED
from mmgl.study.extents import Extent, Known, Piece, pieces, sparse_slices

Sets = tuple[tuple[int, ...], ...]
"""For each code of a labelmap, -2 first, then -3 and so on: the values of the structures that may be there."""

MOST_GROUPS = 60
"""Different reaches of structures that are told apart in one label; the rest share the caution of the last one."""


def encode(labelmap: Array, painted: Array, extents: Mapping[int, Extent]) -> tuple[Array, Sets]:
    """Return the labelmap in which what is not labelled is negative, and the sets its codes from -2 on stand for.

    Args:
        labelmap: (z, y, x); structures positive, 0 where no structure is painted, or ``UNLABELLED``.
        painted: (z, y, x) where anything is painted, background included, for ``Extent.PAINTED``.
        extents: of every structure, by its value in the labelmap.
    """
    unknown = _unknown_masks(labelmap, painted, extents)
    if not unknown:
        return labelmap, ()
    groups = list(unknown)
    bits = np.zeros(labelmap.shape, dtype=np.int64)
    for number, group in enumerate(groups):
        bits |= unknown[group].astype(np.int64) << min(number, MOST_GROUPS)
    bits[labelmap != 0] = 0
    result = labelmap.copy()
    sets: list[tuple[int, ...]] = []
    for combination in np.unique(bits[bits > 0]):
        here = {i for i in range(len(groups)) if combination >> min(i, MOST_GROUPS) & 1}
        values = tuple(sorted(value for i in here for value in groups[i]))
        if len(values) == len(extents):
            code = UNLABELLED
        else:
            sets.append(values)
            code = -1 - len(sets)
        result[bits == combination] = code
    return result, tuple(sets)


def _unknown_masks(labelmap: Array, painted: Array, extents: Mapping[int, Extent]) -> dict[tuple[int, ...], Array]:
    """Return by the values of structures that reach equally far where they are not labelled, nowhere left out."""
    nowhere = tuple(v for v, extent in extents.items() if extent is Extent.NOWHERE)
    strokes = tuple(v for v, extent in extents.items() if extent is Extent.PAINTED)
    masks: dict[tuple[int, ...], Array] = {}
    if nowhere:
        masks[nowhere] = np.ones(labelmap.shape, dtype=bool)
    if strokes:
        masks[strokes] = ~painted
    for values, slices in _alike(labelmap, [v for v, e in extents.items() if e is Extent.SLICES]).items():
        unknown = np.ones(labelmap.shape, dtype=bool)
        for known in slices:
            unknown[(slice(None),) * known.axis + (list(known.slices),)] = False
        masks[values] = unknown
    return masks


def _alike(labelmap: Array, values: Sequence[int]) -> dict[tuple[int, ...], list[Known]]:
    """Return the labelled slices of the structures labelled on slices, those with the same slices together.

    A slice on which one of them is painted was looked at, so the others are labelled there too; but not between two
    slices of their own on which they are painted.
    """
    found = pieces(labelmap, max(values, default=0))
    sparse = sparse_slices(found)
    own = {value: sparse.get(value) or _fewest(found[value]) for value in values if value in found}
    looked_at: dict[int, set[int]] = {}
    for known in (k for several in own.values() for k in several):
        looked_at.setdefault(known.axis, set()).update(known.slices)
    groups: dict[tuple[Known, ...], list[int]] = {}
    for value in values:  # one that is not painted was looked for on all of these slices
        axes = [k.axis for k in own[value]] if value in own else list(looked_at)
        slices = tuple(_without_gaps(found.get(value), axis, looked_at[axis]) for axis in axes)
        groups.setdefault(slices, []).append(value)
    return {tuple(members): list(slices) for slices, members in groups.items()}


def _without_gaps(piece: Piece | None, axis: int, looked_at: set[int]) -> Known:
    """Return the slices that were looked at, without those in a gap of the structure itself."""
    occupied = piece.occupied(axis) if piece else set()
    gap = {k for k in looked_at - occupied if occupied and min(occupied) < k < max(occupied)}
    return Known(axis, tuple(sorted(looked_at - gap)))


def _fewest(piece: Piece) -> list[Known]:
    """Return the painted slices along the axis that has fewest of them."""
    axis = min(range(3), key=lambda a: len(piece.occupied(a)))
    return [Known(axis, tuple(sorted(piece.occupied(axis))))]
