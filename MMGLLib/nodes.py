"""From MRML to the core: a volume node becomes a scan, what is painted becomes a segmentation, exactly.

MRML is in RAS and x, y, z; the core is in LPS and z, y, x: this file is the border. The core is told where a volume is
*shown*, its parent transforms included, so that it sees the patient as the user does. A result is laid on the voxels of
the volume and put under the same transform (``results.py``), so no voxel is ever moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from MMGLLib.results import BINARY, Making, slabs

_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def scan_of(volume: Any, shown_by: Any = None, as_stored: bool = False) -> Scan:
    """Return the scan in a volume node, where it is shown; its voxels are the node's own, not to be written to.

    A vector volume has its components as channels. Of a sequence, the volume that shows the current frame is a scan.

    Args:
        volume: the volume node.
        shown_by: for a frame inside a sequence, the volume node that shows it, whose transforms and modality count.
        as_stored: where it was before it was moved or bent by a transform.

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
    place = _own_to_ras(volume) if as_stored else to_ras(volume, shown_by)
    grid = _grid(place, image.GetDimensions(), shown_by)
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
    return _world(volume if shown_by is None else shown_by) @ _own_to_ras(volume)


def place_of(volume: Any, voxel: Sequence[float]) -> tuple[float, ...]:
    """Return where in RAS a voxel (z, y, x) of a volume node is shown, also where the volume is bent."""
    z, y, x = voxel
    point = tuple((_own_to_ras(volume) @ (x, y, z, 1))[:3])
    if volume.GetParentTransformNode() is None:
        return point
    shown = vtk.vtkGeneralTransform()
    volume.GetParentTransformNode().GetTransformToWorld(shown)
    return tuple(shown.TransformPoint(point))


def _own_to_ras(volume: Any) -> Array:
    """Return the 4 x 4 matrix from voxels (x, y, z) of a volume node to RAS, without its parent transforms."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return as_array(matrix)


@dataclass(frozen=True)
class Painted:
    """What a segmentation node had painted, copied, so that any thread may go on with it.

    Attributes:
        name: of the node.
        layers: the voxels (z, y, x) of each layer, only as far as something is painted, and where they are.
        segments: those that have voxels of their own.
    """

    name: str
    layers: tuple[tuple[Array, Grid], ...]
    segments: tuple[Segment, ...]

    def on(self, grid: Grid) -> Segmentation:
        """Return it on the grid of a scan.

        Voxels are copied where it lies on the lattice of the scan, also turned, cropped or flipped; otherwise each
        voxel of the scan takes the value of the nearest one.

        Raises:
            MMGLError: ``slicer.nothing_painted`` or ``label.outside``.
        """
        layers = []
        for voxels, own in self.layers:
            unsigned = voxels.astype(np.min_scalar_type(int(voxels.max(initial=0))), copy=False)
            layers.append(place(Segmentation(unsigned[None], own, ()), grid, Path(self.name)).layers[0])
        if not any(layer.any() for layer in layers):
            raise MMGLError("slicer.nothing_painted", name=self.name)
        return Segmentation(np.stack(layers), grid, self.segments)


def making_painted(node: Any) -> Making[Painted]:
    """Copy what a segmentation node has painted, a slab at a time; the node is not changed.

    Raises:
        MMGLError: ``slicer.bent`` or ``slicer.skewed``.
    """
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfSegments() and not segmentation.ContainsRepresentation(BINARY):
        segmentation = slicer.vtkSegmentation()
        segmentation.DeepCopy(node.GetSegmentation())
        segmentation.CreateRepresentation(BINARY)
    layers: list[tuple[Array, Grid]] = []
    numbers: dict[Any, int] = {}
    segments = []
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        layer = segment.GetRepresentation(BINARY)
        if layer is None or layer.IsEmpty():
            continue
        if layer not in numbers:
            numbers[layer] = len(layers)
            layers.append((yield from _copied(layer, node)))
        colour = tuple(round(255 * part) for part in segment.GetColor())
        value, terminology = segment.GetLabelValue(), segment.GetTerminology() or ""
        segments.append(Segment(value, segment.GetName() or "", colour, terminology, numbers[layer]))
    return Painted(node.GetName(), tuple(layers), tuple(segments))


def _copied(layer: Any, node: Any) -> Making[tuple[Array, Grid]]:
    """Return the voxels (z, y, x) of one layer of a segmentation node, and where they are."""
    matrix, extent = vtk.vtkMatrix4x4(), layer.GetExtent()
    layer.GetImageToWorldMatrix(matrix)
    first = np.eye(4)
    first[:3, 3] = extent[::2]
    size = layer.GetDimensions()
    own = _grid(_world(node) @ as_array(matrix) @ first, size, node)
    voxels = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(size[::-1])
    copy = np.empty_like(voxels)
    for slab in slabs(voxels.shape):
        copy[slab] = voxels[slab]
        yield
    return copy, own


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
