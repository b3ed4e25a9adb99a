"""A region of interest: the box that a user drew, as voxels of a scan."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import vtk

from MMGLLib.messages import MMGLError
from MMGLLib.nodes import as_array, to_ras

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First voxel and the one after the last, along z, y, x."""


def fit(roi: Any, volume: Any) -> None:
    """Lay a new region around a volume node; without a size it could be neither seen nor drawn."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    roi.SetCenterWorld(*((low + high) / 2))
    roi.SetSize(*(high - low))


def region_of(roi: Any, volume: Any) -> Box | None:
    """Return the voxels of a volume node that a region of interest touches; None for no region.

    A region that is turned against the scan is taken with the voxels around it.

    Args:
        roi: a ``vtkMRMLMarkupsROINode``, or None.
        volume: the volume node.

    Returns:
        First and one after the last voxel along the volume's own z, y, x.

    Raises:
        MMGLError: ``slicer.empty_region`` where it lies beside the scan.
    """
    if roi is None:
        return None
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(roi.GetObjectToWorldMatrix())
    half = np.array(roi.GetSize()) / 2
    corners = np.array([[*(sign * half), 1] for sign in product((-1, 1), repeat=3)])
    voxels = np.linalg.inv(to_ras(volume)) @ as_array(matrix) @ corners.T
    low, high = voxels[:3].min(axis=1)[::-1], voxels[:3].max(axis=1)[::-1]
    size = volume.GetImageData().GetDimensions()[::-1]
    sides = [
        (max(0, int(np.floor(first + 0.5))), min(n, int(np.ceil(last + 0.5))))
        for first, last, n in zip(low, high, size, strict=True)
    ]
    if any(first >= last for first, last in sides):
        raise MMGLError("slicer.empty_region", region=roi.GetName(), scan=volume.GetName())
    z, y, x = sides
    return z, y, x
