"""Resampling along the axes: one small matrix per axis, so that nothing shifts and nothing aliases.

A scan is never rotated: it is reoriented without touching a voxel, and then only its spacing changes. The resampled
grid covers exactly the same part of space (``Grid.resized``), so going there and back cannot shift anything.
"""

from __future__ import annotations

import numpy as np

from mmgl.imaging.grid import Array, Size
from mmgl.structures import UNLABELLED


def interpolation_matrix(before: int, after: int) -> Array:
    """Return the matrix (after, before) of float32 that resamples a line of ``before`` voxels to ``after`` voxels.

    Linear interpolation at the centres of the new voxels. When the line shrinks by a ratio r, the interpolated line
    is averaged over ``sqrt(r * r - 1)`` old voxels around each centre, so that fine detail does not alias; a straight
    ramp stays exactly where it is either way. The outermost voxels are repeated beyond the edge.
    """
    ratio = before / after
    width = np.sqrt(max(0.0, ratio**2 - 1))
    reach = int(np.ceil(width / 2)) + 1
    away = ((np.arange(after) + 0.5) * ratio - 0.5)[:, None] - np.arange(-reach, before + reach)[None]
    if width > 0:
        weights = (_hat_integral(away + width / 2) - _hat_integral(away - width / 2)) / width
    else:
        weights = np.maximum(0.0, 1.0 - np.abs(away))
    matrix: Array = weights[:, reach : reach + before]
    matrix[:, 0] += weights[:, :reach].sum(1)
    matrix[:, -1] += weights[:, reach + before :].sum(1)
    return np.asarray(matrix, dtype=np.float32)


def _hat_integral(t: Array) -> Array:
    """Return the integral up to ``t`` of the hat function of linear interpolation, ``max(0, 1 - |t|)``."""
    t = np.clip(t, -1.0, 1.0)
    integral: Array = np.where(t < 0, (t + 1) ** 2 / 2, 1 - (1 - t) ** 2 / 2)
    return integral


def resample(array: Array, size: Size) -> Array:
    """Return ``array`` (..., z, y, x) resampled to ``size`` (z, y, x) as float32."""
    matrices = [None if n == m else interpolation_matrix(n, m) for n, m in zip(array.shape[-3:], size, strict=True)]
    return _along_axes(np.asarray(array, dtype=np.float32), matrices)


def resample_rows(array: Array, size: Size, start: int, stop: int) -> Array:
    """Return rows ``start`` to ``stop`` along z of ``array`` (z, y, x) resampled to ``size``, as float32.

    All of them are what ``resample`` gives, but only the rows of ``array`` that matter are touched.
    """
    z, y, x = (None if n == m else interpolation_matrix(n, m) for n, m in zip(array.shape, size, strict=True))
    if z is None:
        low, high = start, stop
    else:
        used = np.flatnonzero(z[start:stop].any(0))
        low, high = int(used[0]), int(used[-1]) + 1
        z = z[start:stop, low:high]
    return _along_axes(np.asarray(array[low:high], dtype=np.float32), [z, y, x])


def resample_labelmap(labelmap: Array, size: Size) -> Array:
    """Return ``labelmap`` (z, y, x) on ``size``: each new voxel has the value that covers most of it.

    Each value is resampled as a map of 0 and 1 inside its bounding box only, so many small structures cost little.
    Where two values cover a voxel equally, background gives way, and otherwise the smaller value wins. What is
    unlabelled gives way to what is known, so that a labelled slice among others that are not stays: a new voxel is
    known where one of the old voxels in it is, or the old voxel that it lies in.
    """
    if labelmap.shape == size:
        return labelmap
    matrices = [interpolation_matrix(n, m) for n, m in zip(labelmap.shape, size, strict=True)]
    result = np.zeros(size, dtype=labelmap.dtype)
    best = np.zeros(size, dtype=np.float32)
    unlabelled = labelmap == UNLABELLED
    partly = bool(unlabelled.any())
    background = np.ones(size, dtype=np.float32)
    if partly:
        background = _along_axes((~unlabelled).astype(np.float32), matrices)
    for value in np.unique(labelmap):
        if value in (0, UNLABELLED):
            continue
        found = labelmap == value
        source, target, cut = [], [], []
        for axis, matrix in enumerate(matrices):
            occupied = np.flatnonzero(found.any(axis=tuple(a for a in range(3) if a != axis)))
            columns = slice(int(occupied[0]), int(occupied[-1]) + 1)
            touched = np.flatnonzero(matrix[:, columns].any(1))
            rows = slice(int(touched[0]), int(touched[-1]) + 1)
            source.append(columns)
            target.append(rows)
            cut.append(matrix[rows, columns])
        coverage = _along_axes(found[tuple(source)].astype(np.float32), cut)
        inside = tuple(target)
        wins = coverage > best[inside]
        result[inside][wins] = value
        best[inside][wins] = coverage[wins]
        background[inside] -= coverage
    result[background > best] = 0
    if partly:
        result[~_any_inside(~unlabelled, size)] = UNLABELLED
    return result


def _any_inside(found: Array, size: Size) -> Array:
    """Return for each voxel of ``size`` whether an old voxel in it, or the one that it lies in, is ``found``."""
    for axis, (before, after) in enumerate(zip(found.shape, size, strict=True)):
        if before > after:
            home = ((np.arange(before) + 0.5) * after / before).astype(int)  # new voxel of each old one
            found = np.logical_or.reduceat(found, np.searchsorted(home, np.arange(after)), axis=axis)
        elif before < after:
            found = found.take(((np.arange(after) + 0.5) * before / after).astype(int), axis=axis)
    return found


def _along_axes(array: Array, matrices: list[Array] | list[Array | None]) -> Array:
    """Multiply the last three axes of ``array`` by their matrices, ``None`` leaving an axis as it is."""
    z, y, x = matrices
    if x is not None:
        array = array @ x.T
    if y is not None:
        array = y @ array
    if z is not None:
        flat = array.reshape(*array.shape[:-2], -1)
        array = (z @ flat).reshape(*array.shape[:-3], z.shape[0], *array.shape[-2:])
    return np.ascontiguousarray(array)
