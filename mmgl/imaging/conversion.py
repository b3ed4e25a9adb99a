# mypy: disable-error-code="no-untyped-call"
"""Between SimpleITK images (x, y, z) and arrays on a grid (z, y, x): the one place where the order changes."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from mmgl.imaging.grid import Array, Grid


def grid_of(image: sitk.Image | sitk.ImageFileReader) -> Grid:
    """Return the grid of an image, or of a file whose header was read.

    A 2-D image is one slice at z = 0; of a 4-D one the first three axes count.
    """
    dimension = image.GetDimension()
    kept = min(dimension, 3)
    size, spacing, origin, directions = [1, 1, 1], np.ones(3), np.zeros(3), np.eye(3)
    size[:kept] = image.GetSize()[:kept]
    spacing[:kept] = image.GetSpacing()[:kept]
    origin[:kept] = image.GetOrigin()[:kept]
    directions[:kept, :kept] = np.reshape(image.GetDirection(), (dimension, dimension))[:kept, :kept]
    directions *= np.where(spacing < 0, -1.0, 1.0)  # a reader tells some flips as a negative spacing
    x, y, z = (int(n) for n in size)
    sx, sy, sz = (float(s) for s in np.abs(spacing))
    ox, oy, oz = (float(v) + 0.0 for v in origin)
    rows = tuple(tuple(float(v) + 0.0 for v in row) for row in directions[::-1, ::-1])
    return Grid((z, y, x), (sz, sy, sx), (oz, oy, ox), rows)  # type: ignore[arg-type]


def array_of(image: sitk.Image) -> Array:
    """Return the voxels as (channels, z, y, x) with the stored dtype: the components of a voxel are channels."""
    channels = image.GetNumberOfComponentsPerPixel()
    view = sitk.GetArrayViewFromImage(image).reshape(*grid_of(image).size, channels)
    return np.array(np.moveaxis(view, -1, 0), order="C", copy=True)


def image_of(array: Array, grid: Grid) -> sitk.Image:
    """Return the image of an array (z, y, x), or (channels, z, y, x), on a grid of that size."""
    if array.shape[-3:] != grid.size:
        raise ValueError(f"array {array.shape} and grid {grid.size} must have the same size")
    voxels = np.moveaxis(array, 0, -1) if array.ndim == 4 else array
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels), isVector=array.ndim == 4)
    image.SetSpacing(grid.spacing[::-1])
    image.SetOrigin(grid.origin[::-1])
    image.SetDirection(grid.matrix[::-1, ::-1].ravel().tolist())
    return image
