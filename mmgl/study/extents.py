"""How far a label reaches: which voxels somebody spoke about, and which are simply not labelled.

Pure functions of labelmaps. What is not labelled is never taken for background: a voxel of which nothing is known is
``UNLABELLED``, and one that is background or one of the structures that nobody labelled there is ``-2 - i``, where
``i`` counts the sets of such structures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from scipy.ndimage import find_objects

from mmgl.imaging.grid import Array
from mmgl.structures import UNLABELLED

Sets = tuple[tuple[int, ...], ...]
"""For each code of a labelmap, -2 first, then -3 and so on: the values of the structures that may be there."""

LONGEST_RUN = 5
"""Slices painted one after the other in a label that was painted on every so-many-th slice; organs have longer runs."""

LONGEST_SLIP = 3
"""Slices that somebody may have forgotten between two well painted stretches."""

FEWEST_SLICES = 5
"""In a scan of fewer slices, a structure that is painted on one of them may be no longer than that."""

MOST_GROUPS = 60
"""Different reaches of structures that are told apart in one label; the rest share the caution of the last one."""


class Extent(str, Enum):
    """Where a structure is labelled in a case; values as ``study.json`` and the command line have them."""

    EVERYWHERE = "everywhere"  # what is not painted is background
    SLICES = "slices"  # on the painted slices; the others are not labelled
    PAINTED = "painted"  # only where something is painted, as scribbles are
    NOWHERE = "not labelled"  # it may be there, but nobody painted it
    ABSENT = "absent"  # it is truly not there


class Known(NamedTuple):
    """The slices (numbers along one axis) on which a structure is labelled.

    Attributes:
        axis: 0, 1 or 2 of the scan's own array.
        slices: sorted.
    """

    axis: int
    slices: tuple[int, ...]


class Piece(NamedTuple):
    """A painted structure, cut out.

    Attributes:
        mask: boolean (z, y, x), the smallest box that holds it.
        first: where the box begins in the labelmap.
        size: of the labelmap.
    """

    mask: Array
    first: tuple[int, ...]
    size: tuple[int, ...]

    def occupied(self, axis: int) -> set[int]:
        """Return the slices along ``axis`` on which something is painted."""
        return set((self.first[axis] + np.flatnonzero(self.mask.any(axis=_others(axis)))).tolist())


def pieces(labelmap: Array, values: int) -> dict[int, Piece]:
    """Return the structures that are painted in a labelmap (z, y, x) of values 1 to ``values``."""
    boxes = find_objects(np.maximum(labelmap, 0), max_label=values) if values else []
    return {
        value: Piece(labelmap[box] == value, tuple(side.start for side in box), labelmap.shape)
        for value, box in enumerate(boxes, start=1)
        if box is not None
    }


def known_slices(piece: Piece) -> list[Known]:
    """Return on which slices a structure was painted, where it was not painted on all; else an empty list.

    Along one axis: runs of at most ``LONGEST_RUN`` slices with gaps across which the structure goes on, or a single
    slice; or a few slices forgotten between long runs, where all others count as labelled. Where no axis alone has
    gaps, slices of several planes may cross: those that show more than lines.
    """
    found = []
    for axis in range(3):
        slices = _sparse_along(piece, axis)
        if slices is not None:
            found.append(Known(axis, slices))
    return found or _crossing(piece)


def looks_like_strokes(painted: Array) -> bool:
    """Return whether what is painted (z, y, x) is thin lines in every plane: scribbles, not filled structures."""
    count = int(painted.sum())
    if count < 50:
        return False
    shares = []
    for axis in range(3):
        across = [a for a in _others(axis) if painted.shape[a] > 1]
        if len(across) == 2:
            shares.append(_inside(painted, across).sum() / count)
    return bool(shares) and max(shares) < 0.1


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
    own = {value: known_slices(found[value]) or _fewest(found[value]) for value in values if value in found}
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


def _sparse_along(piece: Piece, axis: int) -> tuple[int, ...] | None:
    """Return the labelled slices along ``axis`` where a structure does not go on through all of its slices."""
    lines, first, length = np.moveaxis(piece.mask, axis, 0), piece.first[axis], piece.size[axis]
    occupied: Array = np.asarray(lines.any(axis=(1, 2)))
    starts = np.flatnonzero(occupied & ~np.r_[False, occupied[:-1]])
    stops = np.flatnonzero(occupied & ~np.r_[occupied[1:], False])
    if len(starts) == 1:
        single = len(occupied) == 1 and length >= FEWEST_SLICES and _solid(lines[0])
        return (first,) if single else None
    runs, gaps = stops - starts + 1, starts[1:] - stops[:-1] - 1
    shared = [_overlap(lines[a], lines[b]) for a, b in zip(stops[:-1], starts[1:], strict=True)]
    if np.median(runs) <= LONGEST_RUN and np.median(shared) >= 0.1 and _solid(lines[starts[len(starts) // 2]]):
        return tuple((first + np.flatnonzero(occupied)).tolist())
    slips = [
        range(first + stops[i] + 1, first + starts[i + 1])
        for i in range(len(gaps))
        if gaps[i] <= LONGEST_SLIP and shared[i] >= 0.5 and min(runs[i], runs[i + 1]) > LONGEST_RUN
    ]
    forgotten = {k for slip in slips for k in slip}
    return tuple(k for k in range(length) if k not in forgotten) if forgotten else None


def _crossing(piece: Piece) -> list[Known]:
    """Return the slices of several planes that a structure was painted on, or an empty list where it is filled."""
    mask, found, covered = piece.mask, [], np.zeros(piece.mask.shape, dtype=bool)
    for axis in range(3):
        solid = np.flatnonzero(_inside(mask, _others(axis)).any(axis=_others(axis)))
        if 0 < len(solid) <= mask.shape[axis] / 2:
            found.append(Known(axis, tuple((piece.first[axis] + solid).tolist())))
            covered[(slice(None),) * axis + (solid,)] = True
    return found if len(found) > 1 and mask[covered].sum() >= 0.99 * mask.sum() else []


def _others(axis: int) -> tuple[int, int]:
    a, b = (other for other in range(3) if other != axis)
    return a, b


def _inside(mask: Array, axes: Sequence[int]) -> Array:
    """Return the voxels whose neighbours on both sides along each of ``axes`` are painted too."""
    result: Array = mask.copy()
    for axis in axes:
        padded = np.pad(mask, [(1, 1) if a == axis else (0, 0) for a in range(3)])
        before, after = ([slice(None)] * 3 for _ in range(2))
        before[axis], after[axis] = slice(None, -2), slice(2, None)
        result &= padded[tuple(before)] & padded[tuple(after)]
    return result


def _solid(image: Array) -> bool:
    """Return whether a slice (h, w) shows a filled area that is more than a dot or a line."""
    inside = _inside(image[None], (1, 2))
    return bool(inside.sum() >= max(5, 0.1 * image.sum()))


def _overlap(first: Array, second: Array) -> float:
    """Return the share of the smaller one of two painted slices that lies over the other one."""
    return float((first & second).sum() / max(1, min(first.sum(), second.sum())))
