"""How far a label reaches: which slices somebody painted, told from the voxels alone. Pure functions of labelmaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

import numpy as np
from scipy.ndimage import find_objects

from mmgl.imaging.grid import Array

LONGEST_RUN = 5
"""Slices painted one after the other in a label that was painted on every so-many-th slice; organs have longer runs."""

LONGEST_SLIP = 3
"""Slices that somebody may have forgotten between two well painted stretches."""

FEWEST_SLICES = 5
"""In a scan of fewer slices, a structure that is painted on one of them may be no longer than that."""


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


def sparse_slices(found: Mapping[int, Piece]) -> dict[int, list[Known]]:
    """Return of all structures of a label those that were painted on some slices only, and on which.

    Where one was painted on every so-many-th slice, one that is on none but these slices was so too, even if it is too
    small or on too few of them to tell by itself.
    """
    sparse = {value: slices for value, piece in found.items() if (slices := known_slices(piece))}
    looked_at: dict[int, set[int]] = {}
    for known in (k for value, several in sparse.items() for k in several if _few(k, found[value])):
        looked_at.setdefault(known.axis, set()).update(known.slices)
    for value in found.keys() - sparse.keys():
        for axis, seen in looked_at.items():
            if (occupied := found[value].occupied(axis)) <= seen:
                sparse[value] = [Known(axis, tuple(sorted(occupied)))]
    return dict(sorted(sparse.items()))


def _few(known: Known, piece: Piece) -> bool:
    """Return whether slices are at most half of those of the scan, and not all but a forgotten one."""
    return 2 * len(known.slices) <= piece.size[known.axis]


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
    return bool(shares and max(shares) < 0.1)


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
        inside, painted = (m.sum(axis=_others(axis)) for m in (_inside(mask, _others(axis)), mask))
        solid = np.flatnonzero(inside >= np.maximum(5, 0.1 * painted))
        if 0 < len(solid) <= mask.shape[axis] / 4:
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
    """Return the share of the smaller of two painted slices (h, w) that lies over the other, by their boxes.

    Boxes, because the end of a hollow structure is a disc that lies over the hole of the next slice.
    """
    share = 1.0
    for axis in range(2):
        (a, b), (c, d) = (np.flatnonzero(image.any(axis=1 - axis))[[0, -1]] for image in (first, second))
        share *= max(0, min(b, d) - max(a, c) + 1) / (min(b - a, d - c) + 1)
    return float(share)
