"""Bringing a label onto the grid of its scan, voxel for voxel wherever that is possible."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Array, Grid, Size
from mmgl.imaging.image_files import suffix_of
from mmgl.imaging.segmentation import Segmentation
from mmgl.messages import MMGLError

SAME_LATTICE = 0.01
"""How far, in voxels, two grids may be apart and still count as cuts of the same lattice."""


def place(segmentation: Segmentation, grid: Grid, path: Path) -> Segmentation:
    """Return a segmentation on the grid of the scan it was painted on; outside its own grid is background.

    Where both grids are cuts of one lattice, also turned or flipped, voxels are copied; otherwise each voxel of the
    scan takes the value of the nearest voxel of the label. A PNG file has no place in space, so only its size counts.

    Args:
        segmentation: what was read from ``path``.
        grid: the grid of the scan.
        path: the file of the label.

    Raises:
        MMGLError: ``label.outside``: nothing painted lies inside the scan; ``label.other_size``: a mask of another
            picture.
    """
    if suffix_of(path) == ".png":
        return replace(segmentation, grid=_same_pixels(segmentation.grid, grid, path))
    if segmentation.grid.same_as(grid):
        return replace(segmentation, grid=grid)
    layers = _copied(segmentation, grid)
    if layers is None:
        layers = np.stack([_nearest(layer, segmentation.grid, grid) for layer in segmentation.layers])
    if not layers.any() and _all_outside(segmentation, grid):
        raise MMGLError("label.outside", path=path)
    return Segmentation(layers, grid, segmentation.segments)


def _same_pixels(label: Grid, scan: Grid, path: Path) -> Grid:
    """Return the grid of the picture, once the label has as many pixels."""
    if label.size != scan.size:
        found, expected = (f"{grid.size[2]} x {grid.size[1]}" for grid in (label, scan))
        raise MMGLError("label.other_size", path=path, found=found, expected=expected)
    return scan


def _copied(segmentation: Segmentation, grid: Grid) -> Array | None:
    """Return the layers on ``grid`` where its voxels are voxels of the label, shifted and turned; otherwise None."""
    own, target = segmentation.grid.reorientation(), grid.reorientation()
    source, canonical = own.apply_to_grid(segmentation.grid), target.apply_to_grid(grid)
    shift = _shift(source, canonical)
    if shift is None:
        return None
    layers = np.zeros((len(segmentation.layers), *canonical.size), dtype=segmentation.layers.dtype)
    starts = [max(0, -s) for s in shift]
    stops = [min(n, m - s) for n, m, s in zip(canonical.size, source.size, shift, strict=True)]
    if all(start < stop for start, stop in zip(starts, stops, strict=True)):
        here = (slice(None), *map(slice, starts, stops))
        there = (slice(None), *(slice(a + s, b + s) for a, b, s in zip(starts, stops, shift, strict=True)))
        layers[here] = own.apply(segmentation.layers)[there]
    return np.ascontiguousarray(target.undo(layers))


def _shift(source: Grid, target: Grid) -> Size | None:
    """Return what to add to an index of ``target`` to have that of the same voxel in ``source``, or None."""
    corners = np.array(list(product(*((0, n - 1) for n in target.size))))
    shifts = source.index(target.position(corners)) - corners
    whole = np.rint(shifts[0])
    if np.abs(shifts - whole).max() > SAME_LATTICE:
        return None
    z, y, x = (int(s) for s in whole)
    return z, y, x


def _nearest(layer: Array, source: Grid, target: Grid) -> Array:
    """Return a layer (z, y, x) on another grid, each voxel with the value of the nearest one."""
    reference = sitk.Image(target.size[::-1], sitk.sitkUInt8)
    reference.SetSpacing(target.spacing[::-1])
    reference.SetOrigin(target.origin[::-1])
    reference.SetDirection(target.matrix[::-1, ::-1].ravel().tolist())
    image = sitk.Resample(image_of(layer, source), reference, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    array: Array = sitk.GetArrayFromImage(image)
    return array


def _all_outside(segmentation: Segmentation, grid: Grid) -> bool:
    """Return whether something is painted, and none of it inside ``grid``."""
    painted = np.argwhere(segmentation.layers.any(axis=0))
    places = grid.index(segmentation.grid.position(painted))
    inside = ((places >= -0.5) & (places <= np.subtract(grid.size, 0.5))).all(axis=1)
    return bool(len(painted) and not inside.any())
