"""Where a result should be looked at twice: a volume of doubt over the slices, and the worst slices one by one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import slicer
import vtk

from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.grid import Array
from MMGLLib.nodes import grid_of, to_ras
from MMGLLib.results import Making, new_scalars, place_in_hierarchy, slabs

ROLE = "MMGLDoubt"
"""With it a segmentation refers to its doubt, also in a saved scene."""

PLACES = "MMGL.DoubtfulSlices"
SURE = 0.8
"""Bits of entropy from which a voxel counts: about 3 to 1 for what was found."""

WORST, APART = 5, 2
"""Slices that are named, at most, and how many slices two of them are apart, at least."""

LOW, HIGH = (255, 176, 0), (220, 38, 127)
"""Colours of some and of much doubt, which differ for the colour-blind, too."""


def making_doubt(segmentation: Any, volume: Any, doubt: Array, plan: Plan) -> Making[Any]:
    """Make a volume node of a map of doubt (z, y, x; 0 to 1) and let the segmentation refer to it."""
    axis = grid_of(volume).reorientation().axes[PLANES.index(plan.planes[0])]
    scalars, voxels = new_scalars(doubt.shape, vtk.vtkFloatArray)
    doubtful = np.zeros((doubt.shape[axis], 4))  # of each slice the voxels that count, and the sums of their z, y, x
    for slab in slabs(doubt.shape):
        voxels[slab] = doubt[slab]
        where = np.nonzero(voxels[slab] > SURE)
        where = (where[0] + slab.start, *where[1:])
        for column, weights in enumerate((None, *where)):
            doubtful[:, column] += np.bincount(where[axis], weights, len(doubtful))
        yield
    node = _volume_node(volume, scalars, doubt.shape)
    node.SetAttribute(PLACES, json.dumps(_worst(doubtful)))
    segmentation.SetNodeReferenceID(ROLE, node.GetID())
    return node


def _worst(doubtful: Array) -> list[list[float]]:
    """Return the middle z, y, x of what is doubtful in the worst slices, the worst first."""
    places: list[tuple[int, list[float]]] = []
    for index in np.argsort(-doubtful[:, 0], kind="stable").tolist():
        count, *sums = doubtful[index].tolist()
        if not count or len(places) == WORST:
            break
        if all(abs(index - other) > APART for other, _ in places):
            places.append((index, [round(total / count, 2) for total in sums]))
    return [place for _, place in places]


def _volume_node(volume: Any, scalars: Any, shape: tuple[int, ...]) -> Any:
    """Return a new volume node on the voxels of another one, coloured so that what is sure cannot be seen."""
    scene, image = volume.GetScene(), vtk.vtkImageData()
    image.SetDimensions(*reversed(shape))
    image.GetPointData().SetScalars(scalars)
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(1.0, 0.5)
    display.SetAndObserveColorNodeID(colours(scene).GetID())
    display.SetInterpolate(True)
    scene.AddNode(display)
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(scene.GenerateUniqueName(f"{volume.GetName()} – doubt"))
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    node.SetAndObserveImageData(image)
    node.SetAndObserveDisplayNodeID(display.GetID())
    scene.AddNode(node)
    node.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    place_in_hierarchy(node, volume)
    return node


def colours(scene: Any) -> Any:
    """Return the colour table of doubt, one for a scene: nothing where the model is sure, then amber, then red."""
    known = scene.GetSingletonNode(ROLE, "vtkMRMLColorTableNode")
    if known is not None:
        return known
    table = slicer.vtkMRMLColorTableNode()
    table.SetTypeToUser()
    table.SetSingletonTag(ROLE)
    table.SetName("MMGL doubt")
    table.SetHideFromEditors(True)
    table.SetNumberOfColors(256)
    for index in range(256):
        share = max(0.0, (index - 64) / 191)
        rgb = [((1 - share) * low + share * high) / 255 for low, high in zip(LOW, HIGH, strict=True)]
        table.SetColor(index, f"{index / 255:.2f}", *rgb, min(1.0, 1.6 * share))
    return scene.AddNode(table)


class Overlay:
    """The doubt of a result over the slices; all of it is in the scene, so a saved one shows it again.

    Args:
        segmentation: the node of the result; may be None.
    """

    def __init__(self, segmentation: Any) -> None:
        self.node = segmentation.GetNodeReference(ROLE) if segmentation is not None else None
        self.places: list[list[float]] = json.loads((self.node and self.node.GetAttribute(PLACES)) or "[]")
        self._next = 0
        self._before: list[tuple[Any, str, float]] = []

    @property
    def shown(self) -> bool:
        """Whether a slice view has it in front."""
        return self.node is not None and any(c.GetForegroundVolumeID() == self.node.GetID() for c in _layers())

    def show(self, opacity: float = 0.75) -> None:
        """Lay it over all slice views; what was there comes back with ``hide``."""
        if self.node is None or self.shown:
            return
        self._before = [(c, c.GetForegroundVolumeID() or "", c.GetForegroundOpacity()) for c in _layers()]
        slicer.util.setSliceViewerLayers(foreground=self.node, foregroundOpacity=opacity)

    def hide(self) -> None:
        """Take it off the slice views."""
        if self.node is None:
            return
        before = {c.GetID(): (volume, opacity) for c, volume, opacity in self._before}
        for layer in _layers():
            if layer.GetForegroundVolumeID() == self.node.GetID():
                volume, opacity = before.get(layer.GetID(), ("", 0.0))
                layer.SetForegroundVolumeID(volume or None)
                layer.SetForegroundOpacity(opacity)

    def remove(self) -> None:
        """Take it out of the scene."""
        if self.node is not None and self.node.GetScene() is not None:
            self.hide()
            slicer.mrmlScene.RemoveNode(self.node)
        self.node, self.places = None, []

    def jump(self) -> int:
        """Show the next doubtful slice in all slice views, and return which one it is, from 1; 0 where there is none.

        After the last one the first comes again.
        """
        if self.node is None or self.node.GetScene() is None or not self.places:
            return 0
        number, self._next = self._next + 1, (self._next + 1) % len(self.places)
        z, y, x = self.places[number - 1]
        point = to_ras(self.node) @ (x, y, z, 1)
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            view.JumpSliceByOffsetting(*point[:3])
        return number


def _layers() -> list[Any]:
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))
