"""Where a result should be looked at twice: a volume of doubt over the slices, and the worst slices one by one.

How much doubt is worth a look depends on the model: a good one is torn only along borders, and a weak one nearly
everywhere, so that a fixed limit would paint the whole slice. So at most as many voxels are painted as there are faces
between different structures of the result, the most doubtful ones, and none that is nearly sure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk

from mmgl.imaging.grid import Array
from MMGLLib.nodes import place_of
from MMGLLib.results import Making, new_scalars, place_in_hierarchy, slabs

ROLE = "MMGLDoubt"
"""With it a segmentation refers to its doubt, also in a saved scene."""

SLICES = "MMGL.DoubtfulSlices"
SURE = 0.8
"""Bits of entropy below which a voxel never counts as doubtful: about 3 to 1 for what was found."""

MOST, STEPS = 8, 64
"""Bits that are told apart, which 256 equal outputs would have, and steps in each."""

FEWEST = 1000
"""One of so many voxels may be painted, however little was found."""

LOW, HIGH = (255, 176, 0), (220, 38, 127)
"""Colours of some and of much doubt, which differ for the colour-blind, too."""


def keep_slices(segmentation: Any, slices: Sequence[dict[str, Any]], shape: Sequence[int]) -> None:
    """Let a segmentation node know its doubtful slices, the worst first.

    Args:
        segmentation: the node of the result.
        slices: as ``Request.slices`` has them.
        shape: of the scan (z, y, x).
    """
    middle = [(n - 1) / 2 for n in shape]
    told = [
        {"structure": s["structure"], "voxel": [s["index"] if a == s["axis"] else middle[a] for a in range(3)]}
        for s in slices
    ]
    segmentation.SetAttribute(SLICES, json.dumps(told))


def making_doubt(segmentation: Any, volume: Any, doubt: Array, faces: int = 0) -> Making[Any]:
    """Make a volume node of a map of doubt, and let the segmentation node refer to it.

    Args:
        segmentation: the node of the result.
        volume: the volume node it lies on.
        doubt: (z, y, x); bits.
        faces: of voxels of the scan between different structures of the result; so many voxels may be painted.
    """
    scalars, voxels = new_scalars(doubt.shape, vtk.vtkFloatArray)
    counts = np.zeros(MOST * STEPS, np.int64)
    for slab in slabs(doubt.shape):
        voxels[slab] = doubt[slab]
        steps = np.clip(voxels[slab].ravel() * STEPS, 0, len(counts) - 1).astype(np.uint16)
        counts += np.bincount(steps, minlength=len(counts))
        yield
    low, high = painted_range(counts, max(faces, doubt.size // FEWEST))
    node = _volume_node(volume, scalars, doubt.shape, low, high)
    segmentation.SetNodeReferenceID(ROLE, node.GetID())
    slices = json.loads(segmentation.GetAttribute(SLICES) or "[]")
    for one in slices:
        one["voxel"] = _middle(one["voxel"], doubt, low)
    segmentation.SetAttribute(SLICES, json.dumps(slices))
    return node


def painted_range(counts: Array, most: int) -> tuple[float, float]:
    """Return from how many bits a voxel is painted, and which is the most doubt there is.

    Args:
        counts: voxels in each step of doubt, ``STEPS`` to a bit.
        most: at most so many voxels are painted; all of one step or none.
    """
    above = np.cumsum(counts[::-1])[::-1]  # in each step and all above it
    low = max(SURE, float(np.searchsorted(-above, -most)) / STEPS)
    high = (int(np.flatnonzero(counts)[-1]) + 1) / STEPS if counts.any() else low
    return low, max(high, low + 1 / STEPS)


def _middle(voxel: list[float], doubt: Array, low: float) -> list[float]:
    """Return the middle (z, y, x) of what is painted in the slice of a voxel that names it by a whole number."""
    axis = next((a for a in range(3) if isinstance(voxel[a], int)), 0)
    index = int(voxel[axis])
    rows = np.nonzero(doubt.take(index, axis=axis) > low)
    if not rows[0].size:
        return voxel
    others = iter(round(float(row.mean()), 2) for row in rows)
    return [index if a == axis else next(others) for a in range(3)]


def _volume_node(volume: Any, scalars: Any, shape: tuple[int, ...], low: float, high: float) -> Any:
    """Return a new volume node on the voxels of another one, in which only what is between two values can be seen."""
    scene, image = volume.GetScene(), vtk.vtkImageData()
    image.SetDimensions(*reversed(shape))
    image.GetPointData().SetScalars(scalars)
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, high)
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
    """Return the colour table of doubt, one for a scene: nothing at its lower end, then amber, then red."""
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
        share = index / 255
        rgb = [((1 - share) * low + share * high) / 255 for low, high in zip(LOW, HIGH, strict=True)]
        table.SetColor(index, f"{share:.2f}", *rgb, min(1.0, 4 * share))
    return scene.AddNode(table)


class Overlay:
    """The doubt of a result over the slices; all of it is in the scene, so a saved one shows it again.

    Args:
        segmentation: the node of the result; may be None.
        volume: the volume node it lies on; may be None.
    """

    def __init__(self, segmentation: Any, volume: Any) -> None:
        self.segmentation, self.volume = segmentation, volume
        self.node = segmentation.GetNodeReference(ROLE) if segmentation is not None else None
        told = (segmentation and segmentation.GetAttribute(SLICES)) or "[]"
        self.slices: list[dict[str, Any]] = json.loads(told)
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
        if self.node is None or self.node.GetScene() is not slicer.mrmlScene:
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
        self.node = None

    def jump(self) -> tuple[int, str]:
        """Show the next doubtful slice in all slice views; after the last one the first comes again.

        Returns:
            Which one it is, from 1, and its most doubtful structure; 0 and nothing where there is none.
        """
        if self.volume is None or self.volume.GetScene() is None or not self.slices:
            return 0, ""
        number, self._next = self._next + 1, (self._next + 1) % len(self.slices)
        point = place_of(self.volume, self.slices[number - 1]["voxel"])
        for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
            view.JumpSliceByOffsetting(*point)
        return number, self.slices[number - 1]["structure"]


def _layers() -> list[Any]:
    return list(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode"))
