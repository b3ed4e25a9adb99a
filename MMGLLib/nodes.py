"""Between MRML and the core: a volume node becomes a scan, a result becomes a new segmentation node, exactly.

MRML is in RAS and x, y, z; the core is in LPS and z, y, x: this file is the border. The core is told where a volume is
*shown*, its parent transforms included, so that it sees the patient as the user does. A result is laid on the voxels of
the volume and put under the same transform, so no voxel is ever moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.placing import place
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation import Segment, Segmentation
from mmgl.structures import Structure
from MMGLLib.messages import MMGLError

_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def scan_of(volume: Any) -> Scan:
    """Return the scan in a volume node, where it is shown; its voxels are the node's own, not to be written to.

    A vector volume has its components as channels. Of a sequence, the volume that shows the current frame is a scan.

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
    return Scan(np.moveaxis(voxels, -1, 0), grid_of(volume), _modality(volume))


def grid_of(volume: Any) -> Grid:
    """Return the grid of a volume node where it is shown, its parent transforms included.

    Raises:
        MMGLError: ``slicer.bent`` or ``slicer.skewed``.
    """
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return _grid(_world(volume) @ _array(matrix), volume.GetImageData().GetDimensions(), volume)


def new_segmentation(volume: Any, labelmap: Array, structures: Sequence[Structure], name: str) -> Any:
    """Return a new segmentation node on a volume, made in one step and only as large as what was found.

    Args:
        volume: the volume node that was segmented.
        labelmap: (z, y, x) on the voxels of the volume; value i + 1 is ``structures[i]``.
        structures: become the segments, empty ones included, with their names, colours and terminology.
        name: of the node; made unique in the scene.
    """
    scene = volume.GetScene()
    scene.SaveStateForUndo()
    node = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName(scene.GenerateUniqueName(name))
    segmentation = node.GetSegmentation()
    segmentation.SetSourceRepresentationName(_BINARY)
    layer = _layer(volume, labelmap)
    for value, structure in enumerate(structures, start=1):
        segment = slicer.vtkSegment()
        segment.SetName(structure.name)
        segment.SetColor(*(part / 255 for part in structure.colour))
        if structure.terminology:
            segment.SetTerminology(structure.terminology)
        segment.SetLabelValue(value)
        segment.AddRepresentation(_BINARY, layer)
        slicer.vtkSlicerSegmentationsModuleLogic.SetSegmentStatus(
            segment, slicer.vtkSlicerSegmentationsModuleLogic.InProgress
        )
        segmentation.AddSegment(segment, f"Segment_{structure.id}")
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    _place_in_hierarchy(node, volume)
    return node


def empty_segments(node: Any) -> list[str]:
    """Return the names of the segments of a result in which nothing was found."""
    segmentation, empty = node.GetSegmentation(), []
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        voxels = segment.GetRepresentation(_BINARY).GetPointData().GetScalars()
        if not (vtk_to_numpy(voxels) == segment.GetLabelValue()).any():
            empty.append(segment.GetName())
    return empty


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
    own = _grid(_world(node) @ _array(matrix) @ first, size, node)
    voxels = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(1, *size[::-1])
    unsigned = voxels.astype(np.min_scalar_type(int(voxels.max(initial=0))), copy=False)
    return place(Segmentation(unsigned, own, ()), grid, Path(node.GetName())).layers[0]


def _layer(volume: Any, labelmap: Array) -> Any:
    """Return the painted part of a labelmap as an image on the voxels of a volume."""
    box = _painted_box(labelmap)
    part = np.ascontiguousarray(labelmap[box])
    part = part.astype(np.uint8 if part.max(initial=0) < 256 else np.int16)
    scalars = numpy_to_vtk(part.ravel(), deep=True)
    scalars.SetName("ImageScalars")
    layer, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    layer.SetExtent([bound for s in reversed(box) for bound in (s.start, s.stop - 1)])
    layer.GetPointData().SetScalars(scalars)
    volume.GetIJKToRASMatrix(matrix)
    layer.SetGeometryFromImageToWorldMatrix(matrix)
    return layer


def _painted_box(labelmap: Array) -> tuple[slice, ...]:
    """Return the smallest box that holds everything painted; one voxel where nothing is."""
    spans = []
    for axis in range(3):
        found = np.flatnonzero(labelmap.any(axis=tuple(other for other in range(3) if other != axis)))
        spans.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 1))
    return tuple(spans)


def _place_in_hierarchy(node: Any, volume: Any) -> None:
    """Put a segmentation beside its volume, under the same patient and study, as DICOM export needs."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    beside, item = hierarchy.GetItemByDataNode(volume), hierarchy.GetItemByDataNode(node)
    if beside:
        parent = hierarchy.GetItemParent(beside)
        hierarchy.SetItemParent(item, parent) if item else hierarchy.CreateItem(parent, node)


def _modality(volume: Any) -> str:
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
    return _array(matrix)


def _grid(to_ras: Array, size: Sequence[int], node: Any) -> Grid:
    """Return the grid of so many voxels (x, y, z) whose indices a 4 x 4 matrix takes to RAS."""
    to_lps = _TO_LPS @ to_ras
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
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


def _array(matrix: Any) -> Array:
    """Return a matrix of VTK as 4 x 4 float64."""
    return np.array([[matrix.GetElement(i, j) for j in range(4)] for i in range(4)])
