"""Smooth surfaces along thick slices: a labelmap on a finer grid, its slices as they are, shapes between them.

Between two slices each structure has the shape whose signed distance to its border is the mean of theirs (Raya and
Udupa 1990). Probabilities would not do: they are near 0 or 1 on either slice, and so leave a step half way.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects

from mmgl.imaging.grid import Array, Grid, Size

MOST = 15
"""Slices that one thick slice becomes, at most."""


def finer(labelmap: Array, grid: Grid) -> tuple[Array, Grid]:
    """Return a labelmap (z, y, x) with near cubic voxels along its thick axis, and its grid.

    Each thick slice becomes an odd number of thin ones, the middle one of which is what it was. The new grid covers
    exactly the same part of space. Where voxels are near cubic already, both are returned as they are.
    """
    axis = int(np.argmax(grid.spacing))
    in_plane = min(grid.spacing)
    count = min(MOST, 2 * round((grid.spacing[axis] / in_plane - 1) / 2) + 1)
    if count < 3 or grid.size[axis] < 2:
        return labelmap, grid
    slices = np.moveaxis(labelmap, axis, 0)
    step = [s for i, s in enumerate(grid.spacing) if i != axis]
    result = np.zeros((len(slices) * count, *slices.shape[1:]), dtype=labelmap.dtype)
    for number, slice_ in enumerate(slices):
        middle = number * count + count // 2
        if number + 1 < len(slices):
            between = np.arange(1, count) / count
            result[middle + 1 : middle + count] = _between(
                slice_, slices[number + 1], between, step, grid.spacing[axis]
            )
        result[middle] = slice_
    result[: count // 2] = slices[0]
    result[-(count // 2) :] = slices[-1]
    size = [n * count if i == axis else n for i, n in enumerate(grid.size)]
    whole: Size = (size[0], size[1], size[2])
    return np.ascontiguousarray(np.moveaxis(result, 0, axis)), grid.resized(whole)


def _between(first: Array, second: Array, places: Array, step: list[float], gap: float) -> Array:
    """Return slices (n, y, x) at ``places`` between 0 (the first slice) and 1 (the second).

    Args:
        step: mm between pixels, y and x.
        gap: mm between the slices. Where a structure is on neither slice near by, it counts as that far away, so that
            one that is on one slice only ends in a dome before the other.
    """
    both = np.stack([first, second])
    result = np.where(first == second, first, 0)[None].repeat(len(places), 0)
    if (first == second).all():
        return result
    (_, *box) = find_objects((both > 0).astype(np.uint8))[0]
    cut = (slice(None), *(slice(max(0, side.start - 1), side.stop + 1) for side in box))
    both = both[cut]
    best = np.full((len(places), *both.shape[1:]), -np.inf, dtype=np.float32)
    found = np.zeros(best.shape, dtype=first.dtype)
    for value in np.unique(both):
        one, two = (_distance(slice_ == value, step, gap) for slice_ in both)
        for k, place in enumerate(places):
            distance = (1 - place) * one + place * two
            nearer = distance > best[k]
            best[k][nearer] = distance[nearer]
            found[k][nearer] = value
    result[cut] = found
    return result


def _distance(mask: Array, step: list[float], gap: float) -> Array:
    """Return the signed distance to the border of a mask (y, x) in mm, positive inside, at most ``gap`` either way."""
    if mask.all() or not mask.any():
        return np.full(mask.shape, gap if mask.all() else -gap, dtype=np.float32)
    inside, outside = (distance_transform_edt(side, sampling=step) for side in (mask, ~mask))
    distance: Array = np.clip(inside - outside, -gap, gap).astype(np.float32)
    return distance
