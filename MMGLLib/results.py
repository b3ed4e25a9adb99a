"""From arrays to nodes, a slab at a time: however large a scan is, the application goes on in between.

What makes a node here is a generator: each step is short, and it returns the node when it ends. ``finished`` runs one
to its end where nobody is kept waiting.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from mmgl.imaging.grid import Array
from mmgl.structures import Structure

BINARY = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
_SURFACE = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
FACES = 20_000
"""Faces of voxels up to which a surface is made without being asked for, in less than a tenth of a second."""

FACES_A_SECOND = 250_000
"""Faces of which Slicer makes a surface in a second, on a slow computer."""

SLAB = 2_000_000
"""Voxels in one step, a few milliseconds each."""

_Made = TypeVar("_Made")
Making = Generator[None, None, _Made]


def finished(making: Making[_Made]) -> _Made:
    """Run something to its end and return what it made."""
    while True:
        try:
            next(making)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def slabs(shape: Sequence[int]) -> Iterator[slice]:
    """Yield slices along z that cover an array (z, y, x)."""
    step = max(1, SLAB // max(1, shape[1] * shape[2]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))


def new_segmentation(
    volume: Any, labelmap: Array, structures: Sequence[Structure], name: str, numbers: Array | None = None
) -> Any:
    """Return a new segmentation node on a volume, as ``making_segmentation`` makes it."""
    return finished(making_segmentation(volume, labelmap, structures, name, numbers))[0]


def making_segmentation(
    volume: Any,
    labelmap: Array,
    structures: Sequence[Structure],
    name: str,
    numbers: Array | None = None,
    finer: Array | None = None,
) -> Making[tuple[Any, list[str]]]:
    """Make a new segmentation node on a volume, only as large as what was found, which appears in one step.

    Returns the node and the names of the structures that were not found.

    Args:
        volume: the volume node that was segmented.
        labelmap: (z, y, x) on the voxels of the volume.
        structures: become the segments, empty ones included, with their names, colours and terminology.
        name: of the node; made unique in the scene.
        numbers: for each value of the labelmap i + 1 for ``structures[i]``, or 0; those values themselves unless given.
        finer: where its voxels are others than those of the volume, the 4 x 4 matrix from its x, y, z to theirs.
    """
    layer, found = yield from making_layer(volume, labelmap, numbers, finer)
    segmentation = slicer.vtkSegmentation()
    segmentation.SetSourceRepresentationName(BINARY)
    add_segments(segmentation, layer, structures)
    scene = volume.GetScene()
    scene.SaveStateForUndo()
    node = scene.CreateNodeByClass("vtkMRMLSegmentationNode")
    node.UnRegister(None)
    node.SetName(scene.GenerateUniqueName(name))
    node.SetAndObserveSegmentation(segmentation)
    node.SetUndoEnabled(True)  # or the undo of a scene would pass it by
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    place_in_hierarchy(node, volume)
    return node, [structure.name for value, structure in enumerate(structures, start=1) if value not in found]


def add_segments(segmentation: Any, layer: Any, structures: Sequence[Structure]) -> None:
    """Add a segment for each structure, all of them on one layer in which ``structures[i]`` has the value i + 1."""
    status = slicer.vtkSlicerSegmentationsModuleLogic
    for value, structure in enumerate(structures, start=1):
        segment = slicer.vtkSegment()
        segment.SetName(structure.name)
        segment.SetColor(*(part / 255 for part in structure.colour))
        if structure.terminology:
            segment.SetTerminology(structure.terminology)
        segment.SetLabelValue(value)
        segment.AddRepresentation(BINARY, layer)
        status.SetSegmentStatus(segment, status.InProgress)
        segmentation.AddSegment(segment, f"Segment_{structure.id}")


def making_layer(
    volume: Any, labelmap: Array, numbers: Array | None = None, finer: Array | None = None
) -> Making[tuple[Any, set[int]]]:
    """Make the painted part of a labelmap an image on the voxels of a volume; one empty voxel where nothing is.

    Returns the image and the values in it.
    """
    table = np.arange(256 if labelmap.dtype == np.uint8 else 65536) if numbers is None else numbers
    small = int(table.max(initial=0)) < 256 if numbers is not None else labelmap.dtype == np.uint8
    table = table.astype(np.uint8 if small else np.int16)
    box = yield from _painted_box(labelmap, table)
    part = labelmap[box]
    found: set[int] = set()
    scalars, voxels = new_scalars(part.shape, vtk.vtkUnsignedCharArray if small else vtk.vtkShortArray)
    for slab in slabs(part.shape):
        np.take(table, part[slab], out=voxels[slab], mode="clip")
        found.update(np.flatnonzero(np.bincount(voxels[slab].ravel())).tolist())
        yield
    layer, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    layer.SetExtent([bound for s in reversed(box) for bound in (s.start, s.stop - 1)])
    layer.GetPointData().SetScalars(scalars)
    volume.GetIJKToRASMatrix(matrix)
    if finer is not None:
        own, other = vtk.vtkMatrix4x4(), matrix
        own.DeepCopy(np.asarray(finer, float).ravel())
        matrix = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Multiply4x4(other, own, matrix)
    layer.SetGeometryFromImageToWorldMatrix(matrix)
    return layer, found


def new_scalars(shape: Sequence[int], kind: Any) -> tuple[Any, Array]:
    """Return an array of VTK for an image (z, y, x), and its memory as an array of NumPy to be written to."""
    scalars = kind()
    scalars.SetName("ImageScalars")
    scalars.SetNumberOfValues(int(np.prod(shape)))
    return scalars, vtk_to_numpy(scalars).reshape(shape)


def _painted_box(labelmap: Array, table: Array) -> Making[tuple[slice, ...]]:
    """Find the smallest box that holds everything painted; one voxel where nothing is."""
    shown = table > 0
    found = [np.zeros(n, bool) for n in labelmap.shape]
    for slab in slabs(labelmap.shape):
        painted = np.take(shown, labelmap[slab], mode="clip")
        across = painted.any(axis=0)
        found[0][slab] = painted.any(axis=(1, 2))
        found[1] |= across.any(axis=1)
        found[2] |= across.any(axis=0)
        yield
    spans = [np.flatnonzero(axis) for axis in found]
    return tuple(slice(int(s[0]), int(s[-1]) + 1) if s.size else slice(0, 1) for s in spans)


def place_in_hierarchy(node: Any, volume: Any) -> None:
    """Put a node beside its volume, under the same patient and study, as DICOM export needs."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    beside, item = hierarchy.GetItemByDataNode(volume), hierarchy.GetItemByDataNode(node)
    if beside:
        parent = hierarchy.GetItemParent(beside)
        hierarchy.SetItemParent(item, parent) if item else hierarchy.CreateItem(parent, node)


def making_faces(node: Any) -> Making[list[int]]:
    """Count the faces of voxels around each segment of a new segmentation node, whose segments share one layer."""
    segmentation = node.GetSegmentation()
    segments = [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]
    layer = segments[0].GetRepresentation(BINARY)
    voxels = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(layer.GetDimensions()[::-1])
    counts = np.zeros(1 + max(segment.GetLabelValue() for segment in segments), np.int64)
    for slab in slabs(voxels.shape):
        part = voxels[slab.start : slab.stop + 1]
        for axis in range(3):
            first, second = _neighbours(part, axis)
            differ = first != second
            for side in (first, second):
                counts += np.bincount(side[differ], minlength=len(counts))
            yield
    for axis in range(3):  # beyond the layer is nothing
        for side in (0, -1):
            counts += np.bincount(voxels.take(side, axis=axis).ravel(), minlength=len(counts))
    return [int(counts[segment.GetLabelValue()]) for segment in segments]


def making_surfaces(node: Any, faces: Sequence[int]) -> Making[float]:
    """Make the surfaces of a segmentation node, one segment in each step, and show them.

    Slicer makes a surface in one go, so one of many faces would stop the application. Where there is one, none is made,
    and the button *Show 3D* is left to the user.

    Returns:
        How many seconds *Show 3D* will take; 0 where they are shown already.
    """
    if max(faces) > FACES:
        return sum(faces) / FACES_A_SECOND
    segmentation, made = node.GetSegmentation(), []
    segments = [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]
    for segment in segments:
        alone, copy = slicer.vtkSegmentation(), slicer.vtkSegment()
        alone.SetSourceRepresentationName(BINARY)
        alone.CopyConversionParameters(segmentation)
        copy.SetLabelValue(segment.GetLabelValue())
        copy.AddRepresentation(BINARY, segment.GetRepresentation(BINARY))
        alone.AddSegment(copy, "alone")
        alone.CreateRepresentation(_SURFACE)
        made.append(copy.GetRepresentation(_SURFACE))
        yield
    if node.GetScene() is None:
        return 0.0
    for segment, shape in zip(segments, made, strict=True):
        segment.AddRepresentation(_SURFACE, shape)
    segmentation.InvokeEvent(segmentation.ContainedRepresentationNamesModified)
    node.GetDisplayNode().SetPreferredDisplayRepresentationName3D(_SURFACE)
    return 0.0


def _neighbours(voxels: Array, axis: int) -> tuple[Array, Array]:
    """Return all voxels but the last along an axis, and the one after each of them."""
    along = np.moveaxis(voxels, axis, 0)
    return along[:-1], along[1:]
