"""From MRML to the core: a volume node becomes a scan, what is painted becomes a segmentation, exactly.

MRML is in RAS and x, y, z; the core is in LPS and z, y, x: this file is the border. The core is told where a volume is
*shown*, its parent transforms included, so that it sees the patient as the user does. A result is laid on the voxels of
the volume and put under the same transform (``results.py``), so no voxel is ever moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.placing import place
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation import Segment, Segmentation
from MMGLLib.messages import MMGLError

_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def scan_of(volume: Any, shown_by: Any = None) -> Scan:
    """Return the scan in a volume node, where it is shown; its voxels are the node's own, not to be written to.

    A vector volume has its components as channels. Of a sequence, the volume that shows the current frame is a scan.

    Args:
        volume: the volume node.
        shown_by: for a frame inside a sequence, the volume node that shows it, whose transforms and modality count.

    Raises:
        MMGLError: ``slicer.no_scan``, ``slicer.empty_scan``, ``slicer.sequence``, ``slicer.labelmap``,
            ``slicer.several_frames``, ``slicer.bent`` or ``slicer.skewed``.
    """
    if volume is None:
        raise MMGLError("slicer.no_scan")
    if volume.IsA("vtkMRMLSequenceNode"):
        raise MMGLError("slicer.sequence", name=volume.GetName())
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        raise MMGLError("slicer.labelmap", name=volume.GetName())
    image = volume.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or not image.GetNumberOfPoints():
        raise MMGLError("slicer.empty_scan", name=volume.GetName())
    channels = image.GetNumberOfScalarComponents()
    if channels > 1 and volume.GetClassName() != "vtkMRMLVectorVolumeNode":
        raise MMGLError("slicer.several_frames", name=volume.GetName(), count=channels)
    size = image.GetDimensions()[::-1]
    voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(*size, channels)
    shown_by = volume if shown_by is None else shown_by
    grid = _grid(to_ras(volume, shown_by), image.GetDimensions(), shown_by)
    return Scan(np.moveaxis(voxels, -1, 0), grid, modality_of(shown_by))


def grid_of(volume: Any) -> Grid:
    """Return the grid of a volume node where it is shown, its parent transforms included.

    Raises:
        MMGLError: ``slicer.bent`` or ``slicer.skewed``.
    """
    return _grid(to_ras(volume), volume.GetImageData().GetDimensions(), volume)


def to_ras(volume: Any, shown_by: Any = None) -> Array:
    """Return the 4 x 4 matrix from voxels (x, y, z) of a volume node to RAS, its parent transforms included.

    Args:
        volume: the volume node.
        shown_by: the node whose parent transforms count, where that is another one.

    Raises:
        MMGLError: ``slicer.bent``.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return _world(volume if shown_by is None else shown_by) @ as_array(matrix)


def label_of(node: Any, volume: Any) -> Segmentation:
    """Return what a segmentation node has painted, on the grid of a volume node, where both are shown.

    Voxels are copied where the segmentation lies on the lattice of the volume, also turned, cropped or flipped;
    otherwise each voxel of the volume takes the value of the nearest one. The node is not changed.

    Raises:
        MMGLError: ``slicer.nothing_painted``, ``label.outside``, ``slicer.bent`` or ``slicer.skewed``.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfSegments() and not segmentation.ContainsRepresentation(_BINARY):
        segmentation = slicer.vtkSegmentation()
        segmentation.DeepCopy(node.GetSegmentation())
        segmentation.CreateRepresentation(_BINARY)
    grid, layers, numbers, segments = grid_of(volume), [], {}, []
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        layer = segment.GetRepresentation(_BINARY)
        if layer is None or layer.IsEmpty():
            continue
        if layer not in numbers:
            numbers[layer] = len(layers)
            layers.append(_placed(layer, node, grid))
        colour = tuple(round(255 * part) for part in segment.GetColor())
        value, terminology = segment.GetLabelValue(), segment.GetTerminology() or ""
        segments.append(Segment(value, segment.GetName() or "", colour, terminology, numbers[layer]))
    if not any(layer.any() for layer in layers):
        raise MMGLError("slicer.nothing_painted", name=node.GetName())
    return Segmentation(np.stack(layers), grid, tuple(segments))


def _placed(layer: Any, node: Any, grid: Grid) -> Array:
    """Return one layer (z, y, x) of a segmentation node on a grid."""
    matrix, extent = vtk.vtkMatrix4x4(), layer.GetExtent()
    layer.GetImageToWorldMatrix(matrix)
    first = np.eye(4)
    first[:3, 3] = extent[::2]
    size = layer.GetDimensions()
    own = _grid(_world(node) @ as_array(matrix) @ first, size, node)
    voxels = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(1, *size[::-1])
    unsigned = voxels.astype(np.min_scalar_type(int(voxels.max(initial=0))), copy=False)
    return place(Segmentation(unsigned, own, ()), grid, Path(node.GetName())).layers[0]


def reference_of(node: Any) -> Any:
    """Return the volume node that a segmentation node lies on, or None."""
    return node.GetNodeReference(slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole())


def modality_of(volume: Any) -> str:
    """Return the modality as DICOM writes it, or an empty string."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume.GetScene())
    item = hierarchy.GetItemByDataNode(volume)
    return hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""


def _world(node: Any) -> Array:
    """Return the 4 x 4 matrix of the parent transforms of a node, RAS to RAS."""
    transform = node.GetParentTransformNode()
    if transform is None:
        return np.eye(4)
    matrix = vtk.vtkMatrix4x4()
    if not transform.IsTransformToWorldLinear():
        raise MMGLError("slicer.bent", name=node.GetName(), transform=transform.GetName())
    transform.GetMatrixTransformToWorld(matrix)
    return as_array(matrix)


def _grid(to_ras: Array, size: Sequence[int], node: Any) -> Grid:
    """Return the grid of so many voxels (x, y, z) whose indices a 4 x 4 matrix takes to RAS."""
    to_lps = _TO_LPS @ to_ras
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    if isinstance(node, slicer.vtkMRMLVolumeNode) and np.allclose(spacing, node.GetSpacing(), rtol=1e-9, atol=0):
        spacing = np.array(node.GetSpacing())  # to the last bit as in its file, or labels on a border could differ
    transform = node.GetParentTransformNode()
    if not spacing.all():
        raise MMGLError("slicer.skewed", name=node.GetName(), transform=transform.GetName() if transform else "none")
    directions = (to_lps[:3, :3] / spacing)[::-1, ::-1]
    rows = tuple(tuple(float(v) for v in row) for row in directions)
    z, y, x = (int(n) for n in reversed(size))
    sz, sy, sx = (float(s) for s in reversed(spacing))
    oz, oy, ox = (float(v) for v in reversed(to_lps[:3, 3]))
    grid = Grid((z, y, x), (sz, sy, sx), (oz, oy, ox), rows)  # type: ignore[arg-type]
    if not grid.is_orthogonal():
        raise MMGLError("slicer.skewed", name=node.GetName(), transform=transform.GetName() if transform else "none")
    return grid


def as_array(matrix: Any) -> Array:
    """Return a matrix of VTK as 4 x 4 float64."""
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
