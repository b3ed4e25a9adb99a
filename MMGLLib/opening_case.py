"""Showing a case of a study: its files are read aside, and its nodes are made a slab at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import get_vtk_array_type

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.placing import place
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.structures import PALETTE, Structure
from mmgl.study import Case, Study
from mmgl.study.identity import match, segment_keys
from MMGLLib import label_files, results
from MMGLLib.aside import RunWithAside
from MMGLLib.case_nodes import CASE, STUDY, CaseNodes, in_scene
from MMGLLib.runs import Event

_STATUS = slicer.vtkSlicerSegmentationsModuleLogic

SHOWN = (0.1, 99.9)
"""Percentiles of the voxels between which a scan is shown, as Slicer has them."""

LOOKED_AT = 500_000
"""About as many voxels are looked at for that; looking at all of them would hold Slicer up for seconds."""


class Read(NamedTuple):
    """What the files of a case hold.

    Attributes:
        voxels: of the scan, or of its first channel, in a type that a volume node takes.
        window: the lowest and the highest value to be shown.
        labelmap: value i + 1 for ``structures[i]``.
        structures: those of the study, and what is painted besides and was never called done, with negative ids.
        state: of the case, as ``CaseNodes.state``.
    """

    voxels: Array
    grid: Grid
    window: tuple[float, float]
    labelmap: Array
    structures: tuple[Structure, ...]
    state: str


class OpeningCase(RunWithAside):
    """Shows a case in the scene; the nodes that are there already, with what was painted, or new ones.

    The event ``done`` has ``shown``, the nodes (``CaseNodes``), and ``new``, whether they were made. What was painted
    before Slicer was closed, and was not done, is shown again. The scan is read anew from its files and its node knows
    them not, so that saving the scene cannot write to them.

    Args:
        study, case: whose files are only read.
        on_event: as for ``Run``.
        after: what is still being saved, as it may be what was painted in this case.
    """

    def __init__(
        self,
        study: Study,
        case: Case,
        on_event: Callable[[Event], None] | None = None,
        after: RunWithAside | None = None,
    ) -> None:
        super().__init__(on_event)
        self.study, self.case, self._after, self._volume = study, case, after, None

    def work(self) -> Generator[None, None, Event]:
        """Read the files, and make the nodes."""
        study, case = self.study, self.case
        known = in_scene(study, case)
        if known is not None:
            return {"event": "done", "shown": known, "new": False}
        read = yield from self.aside(self._read)
        volume = self._volume = yield from _making_volume(read, case.name)
        segmentation, empty = yield from results.making_segmentation(
            volume, read.labelmap, read.structures, f"{case.name} – label"
        )
        shown = CaseNodes(case.name, volume, segmentation)
        _mark(segmentation, read.state, empty)
        shown.tag(study.structures)
        for node in (volume, segmentation):
            node.SetAttribute(CASE, case.name)
            node.SetAttribute(STUDY, str(study.folder))
        self._volume = None
        return {"event": "done", "shown": shown, "new": True}

    def _read(self) -> Read:
        if self._after is not None:
            self._after.wait_aside()
        return _read(self.study, self.case)

    def close(self) -> None:
        """Leave no volume without its label."""
        if self._volume is not None:
            slicer.mrmlScene.RemoveNode(self._volume)
            self._volume = None


def _read(study: Study, case: Case) -> Read:
    """Read the files of a case; knows no Slicer."""
    scan = study.read_scan(case)
    voxels = _storable(scan.array[0])
    few = voxels.reshape(-1)[:: max(1, voxels.size // LOOKED_AT)].astype(np.float64)
    low, high = np.percentile(few[np.isfinite(few)], SHOWN) if np.isfinite(few).any() else (0.0, 1.0)
    structures, kept = study.structures, label_files.unfinished(study.folder, case.name)
    if kept is not None:
        labelmap, structures = _unfinished(kept[1], scan.grid, structures)
    elif case.label is not None:
        labelmap = _labelled(case.label, scan.grid, structures)
    else:
        labelmap = np.zeros(scan.grid.size, np.uint8)
    state = kept[0] if kept else "done" if case.label else "new"
    small = labelmap.astype(np.min_scalar_type(len(structures)), copy=False)
    return Read(voxels, scan.grid, (float(low), float(high)), small, structures, state)


def _labelled(label: Any, grid: Grid, structures: tuple[Structure, ...]) -> Array:
    """Return the label of a case on the grid of its scan, value i + 1 for ``structures[i]``."""
    painted = place(read_segmentation(label.path), grid, label.path)
    places = {structure.id: i for i, structure in enumerate(structures, start=1)}
    keys = segment_keys(painted.segments)
    return painted.labelmap([places.get(label.meanings.get(key, 0), 0) for key in keys])


def _unfinished(path: Path, grid: Grid, structures: tuple[Structure, ...]) -> tuple[Array, tuple[Structure, ...]]:
    """Return what was kept before it was done, and the structures with what is painted besides."""
    painted = place(read_segmentation(path), grid, path)
    places = {structure.id: i for i, structure in enumerate(structures, start=1)}
    numbers = []
    for segment, meant in zip(painted.segments, match(painted.segments, structures), strict=True):
        if meant not in places:
            colour = segment.colour or PALETTE[len(structures) % len(PALETTE)]
            structures = (*structures, Structure(-len(structures) - 1, segment.name, colour, segment.terminology))
        numbers.append(places.get(meant or 0, len(structures)))
    return painted.labelmap(numbers), structures


def _making_volume(read: Read, name: str) -> results.Making[Any]:
    """Make a volume node of what was read, which appears in one step."""
    kind = get_vtk_array_type(read.voxels.dtype)
    scalars, voxels = results.new_scalars(read.voxels.shape, lambda: vtk.vtkDataArray.CreateDataArray(kind))
    for slab in results.slabs(voxels.shape):
        voxels[slab] = read.voxels[slab]
        yield
    image, matrix = vtk.vtkImageData(), vtk.vtkMatrix4x4()
    image.SetDimensions(*reversed(voxels.shape))
    image.GetPointData().SetScalars(scalars)
    matrix.DeepCopy(_to_ras(read.grid).ravel())
    scene = slicer.mrmlScene
    display = slicer.vtkMRMLScalarVolumeDisplayNode()
    display.SetAutoWindowLevel(False)  # Slicer would look at all voxels for it, several times
    display.SetWindowLevelMinMax(*read.window)
    display.SetDefaultColorMap()
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetName(scene.GenerateUniqueName(name))
    volume.SetIJKToRASMatrix(matrix)
    volume.SetAndObserveImageData(image)
    display = scene.AddNode(display)
    volume.SetAndObserveDisplayNodeID(display.GetID())
    return scene.AddNode(volume)


def _mark(segmentation: Any, state: str, empty: list[str]) -> None:
    """Give each segment the status that fits the state of its case."""
    status = {"done": _STATUS.Completed, "drafting": _STATUS.InProgress, "draft": _STATUS.Flagged}
    for index in range(segmentation.GetSegmentation().GetNumberOfSegments()):
        segment = segmentation.GetSegmentation().GetNthSegment(index)
        begun = state == "done" or (state in status and segment.GetName() not in empty)
        _STATUS.SetSegmentStatus(segment, status[state] if begun else _STATUS.NotStarted)


def _to_ras(grid: Grid) -> Array:
    """Return the 4 x 4 matrix from voxel indices (x, y, z) to RAS of a grid."""
    matrix = np.eye(4)
    matrix[:3, :3] = grid.matrix[::-1, ::-1] * np.array(grid.spacing[::-1])
    matrix[:3, 3] = grid.origin[::-1]
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix


def _storable(array: Array) -> Array:
    """Return voxels in a type that a volume node takes."""
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    return array.astype(np.float32) if array.dtype.itemsize > 4 else np.ascontiguousarray(array)
