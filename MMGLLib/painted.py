"""What is painted in a segmentation node, copied a slab at a time, so that a thread can go on with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.placing import place
from mmgl.imaging.segmentation import Segment, Segmentation
from MMGLLib import nodes
from MMGLLib.messages import MMGLError
from MMGLLib.results import BINARY, Making, slabs


@dataclass(frozen=True)
class Painted:
    """A copy of what is painted.

    Attributes:
        name: of the node.
        layers: voxels (z, y, x) of each layer, and where they are.
        segments: in the order of the list; those in which nothing was ever painted are left out.
        changed: when the node was changed last, as ``changed_at`` has it.
    """

    name: str
    layers: tuple[tuple[Array, Grid], ...]
    segments: tuple[Segment, ...]
    changed: tuple[int, int]

    def on(self, grid: Grid) -> Segmentation:
        """Return it on the grid of the scan it was painted on; knows no Slicer, and may take long.

        Raises:
            MMGLError: ``slicer.nothing_painted`` or ``label.outside``.
        """
        layers = []
        for voxels, own in self.layers:
            unsigned = voxels.astype(np.min_scalar_type(int(voxels.max(initial=0))), copy=False)
            layers.append(place(Segmentation(unsigned[None], own, ()), grid, Path(self.name)).layers[0])
        if not any(layer.any() for layer in layers):
            raise MMGLError("slicer.nothing_painted", name=self.name)
        return Segmentation(layers[0][None] if len(layers) == 1 else np.stack(layers), grid, self.segments)


def changed_at(node: Any) -> tuple[int, int]:
    """Return when a segmentation node was painted in or a segment was changed last, on VTK's clock, and how many."""
    segmentation, found = node.GetSegmentation(), [0]
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        found.append(segment.GetMTime())
        if (layer := segment.GetRepresentation(BINARY)) is not None:
            found.append(layer.GetMTime())
    return max(found), segmentation.GetNumberOfSegments()  # one that is removed leaves no time behind


def copying(node: Any) -> Making[Painted]:
    """Copy what is painted in a segmentation node, and begin again where somebody paints meanwhile.

    Raises:
        MMGLError: ``slicer.bent`` or ``slicer.skewed``.
    """
    while True:
        changed = changed_at(node)
        layers, segments = _segments(node)
        copies = []
        for layer in layers:
            voxels = yield from _copying(layer, node, changed)
            copies.append((voxels, _grid(layer, node)))
        if changed_at(node) == changed:
            return Painted(node.GetName(), tuple(copies), segments, changed)
        yield


def _segments(node: Any) -> tuple[list[Any], tuple[Segment, ...]]:
    """Return the layers of a segmentation node, and what its segments are."""
    segmentation = node.GetSegmentation()
    if segmentation.GetNumberOfSegments() and not segmentation.ContainsRepresentation(BINARY):
        segmentation = slicer.vtkSegmentation()
        segmentation.DeepCopy(node.GetSegmentation())
        segmentation.CreateRepresentation(BINARY)
    layers: list[Any] = []
    segments = []
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        layer = segment.GetRepresentation(BINARY)
        if layer is None or layer.IsEmpty():
            continue
        if layer not in layers:
            layers.append(layer)
        red, green, blue = (round(255 * part) for part in segment.GetColor())
        words = (segment.GetName() or "", (red, green, blue), segment.GetTerminology() or "")
        segments.append(Segment(segment.GetLabelValue(), *words, layers.index(layer)))
    return layers, tuple(segments)


def _copying(layer: Any, node: Any, changed: tuple[int, int]) -> Making[Array]:
    """Copy the voxels (z, y, x) of a layer; once its node has changed, what is returned is of no use."""
    shape = layer.GetDimensions()[::-1]
    copy = np.empty(shape, vtk_to_numpy(layer.GetPointData().GetScalars()).dtype)
    for slab in slabs(shape):
        if changed_at(node) != changed:
            break
        # its memory is asked for anew each time, as painting may have moved it
        copy[slab] = vtk_to_numpy(layer.GetPointData().GetScalars()).reshape(shape)[slab]
        yield
    return copy


def _grid(layer: Any, node: Any) -> Grid:
    """Return where the voxels of a layer are shown."""
    matrix, first = vtk.vtkMatrix4x4(), np.eye(4)
    layer.GetImageToWorldMatrix(matrix)
    first[:3, 3] = layer.GetExtent()[::2]
    return nodes._grid(nodes._world(node) @ nodes.as_array(matrix) @ first, layer.GetDimensions(), node)
