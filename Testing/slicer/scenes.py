"""Small volumes in every geometry a clinic has, and what is painted on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

from mmgl.structures import Structure

SIZE = (7, 11, 13)
"""Voxels along z, y, x."""

HEART = "Segmentation category and type - 3D Slicer General Anatomy list"
STRUCTURES = (
    Structure(4, "Left ventricle", (214, 73, 73), f"{HEART}~SCT^123037004^Anatomical Structure~SCT^87878005^LV~^^"),
    Structure(2, "Myocard (ä/ß)", (10, 200, 30)),
)


def turned(degrees: float, axis: int = 2) -> np.ndarray:
    """Return a rotation as 3 x 3."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    a, b = [i for i in range(3) if i != axis]
    matrix = np.eye(3)
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix


def to_ras(directions, spacing=(1.0, 1.0, 1.0), origin=(12.5, -7.25, 31.0)) -> np.ndarray:
    """Return an IJK to RAS matrix, directions by column."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.asarray(directions) @ np.diag(spacing)
    matrix[:3, 3] = origin
    return matrix


GEOMETRIES = {
    "RAS": to_ras(np.eye(3)),
    "LPS": to_ras(np.diag([-1, -1, 1])),
    "LAS, left-handed": to_ras(np.diag([-1, 1, 1]), (0.7, 0.8, 1.5)),
    "thick slices": to_ras(np.diag([-1, -1, 1]), (0.4, 0.4, 8.0)),
    "oblique": to_ras(turned(37) @ turned(20, 0) @ np.diag([-1, -1, 1]), (0.9, 1.1, 2.5)),
    "oblique, left-handed": to_ras(turned(37) @ np.diag([1, -1, 1])),
    "sagittal": to_ras(np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), (1.0, 1.2, 3.0)),
}
"""IJK to RAS by name."""


def volume_of(matrix=None, size=SIZE, name="Scan", dtype=np.int16, seed=0):
    """Return a volume node with different numbers in its voxels."""
    array = np.random.default_rng(seed).integers(0, 1000, size).astype(dtype)
    return slicer.util.addVolumeFromArray(array, GEOMETRIES["oblique"] if matrix is None else matrix, name)


def painted(size=SIZE) -> np.ndarray:
    """Return a labelmap (z, y, x) with two structures, neither in the middle nor alike when turned."""
    labelmap = np.zeros(size, np.uint8)
    labelmap[-2:, 2:6, 3:9] = 1
    labelmap[:1, 7:, 9:] = 2
    labelmap[-1, 2, 3] = 2
    return labelmap


def transform_of(matrix, name="Moved"):
    """Return a linear transform node."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
    node.SetMatrixTransformToParent(_matrix(matrix))
    return node


def _matrix(array):
    matrix = vtk.vtkMatrix4x4()
    for i in range(4):
        for j in range(4):
            matrix.SetElement(i, j, float(array[i][j]))
    return matrix


def write_series(folder: Path, heights: Sequence[float], series: str = "1.2.5") -> Path:
    """Write an MR series of DICOM files, a slice at each height in mm, and return its folder."""
    folder.mkdir(parents=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, z in enumerate(heights, start=1):
        image = sitk.GetImageFromArray(np.arange(64, dtype=np.int16).reshape(1, 8, 8) * number)
        image.SetOrigin((0.0, 0.0, z))
        tags = {
            "0008|0016": "1.2.840.10008.5.1.4.1.1.4",
            "0008|0018": f"{series}.{number}",
            "0008|0060": "MR",
            "0018|0050": "2",
            "0020|000d": "1.2.4",
            "0020|000e": series,
            "0020|0013": str(number),
            "0020|0032": f"0\\0\\{z}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{number}.dcm"))
        writer.Execute(image)
    return folder
