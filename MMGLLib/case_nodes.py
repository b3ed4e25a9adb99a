"""A case of a study in the scene: its scan, and the segmentation in which a person paints the study's structures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.placing import place
from mmgl.imaging.segmentation_files import read_segmentation, write_segmentation
from mmgl.structures import PALETTE, Structure
from mmgl.study import Case, Study
from mmgl.study.identity import match, segment_keys
from MMGLLib import nodes, results
from MMGLLib.messages import MMGLError

CASE, STUDY = "MMGL.Case", "MMGL.Study"
"""Attributes of the nodes that show a case."""

_STATUS = slicer.vtkSlicerSegmentationsModuleLogic


class CaseNodes:
    """The nodes that show a case.

    Attributes:
        name: of the case.
        volume: the scan, or its first channel.
        segmentation: what is painted.
    """

    def __init__(self, name: str, volume: Any, segmentation: Any) -> None:
        self.name, self.volume, self.segmentation = name, volume, segmentation

    @property
    def there(self) -> bool:
        """Whether nobody has removed the nodes or closed the scene."""
        scene = slicer.mrmlScene
        return bool(scene.IsNodePresent(self.volume) and scene.IsNodePresent(self.segmentation))

    @property
    def state(self) -> str:
        """``new``, ``drafting``, ``draft`` (of a model, to be looked at) or ``done``, by the status of its segments."""
        found = [_STATUS.GetSegmentStatus(segment) for segment in _segments(self.segmentation)]
        if _STATUS.Flagged in found:
            return "draft"
        if found and all(status == _STATUS.Completed for status in found):
            return "done"
        return "drafting" if _STATUS.InProgress in found or _STATUS.Completed in found else "new"

    def mark(self, status: int) -> None:
        """Give all segments a status of Slicer."""
        for segment in _segments(self.segmentation):
            _STATUS.SetSegmentStatus(segment, status)

    def accept(self) -> None:
        """Take a draft for one's own work."""
        self.mark(_STATUS.InProgress)

    def done(self) -> None:
        """Say in Slicer's own way that a person has finished these segments."""
        self.mark(_STATUS.Completed)

    def remove(self) -> None:
        """Take the nodes out of the scene."""
        for node in (self.segmentation, self.volume):
            slicer.mrmlScene.RemoveNode(node)


def show_case(study: Study, case: Case) -> CaseNodes:
    """Return the nodes of a case; those that are in the scene already, with what was painted, or new ones.

    The scan is read anew from its files and knows them not, so that saving the scene cannot write to them.

    Raises:
        MMGLError: the scan or its label cannot be read.
    """
    known = _in_scene(study, case)
    if known is not None:
        return known
    scan = study.read_scan(case)
    labelmap = _labelmap(study, case, scan.grid) if case.label else np.zeros(scan.grid.size, np.uint8)
    volume = slicer.util.addVolumeFromArray(_storable(scan.array[0]), _to_ras(scan.grid), case.name)
    segmentation = results.new_segmentation(volume, labelmap, study.structures, f"{case.name} – label")
    shown = CaseNodes(case.name, volume, segmentation)
    shown.mark(_STATUS.Completed if case.label else _STATUS.NotStarted)
    for node in (volume, segmentation):
        node.SetAttribute(CASE, case.name)
        node.SetAttribute(STUDY, str(study.folder))
    return shown


def show_alone(shown: CaseNodes) -> None:
    """Show a case in the slice views, and hide the segmentations of other cases; nothing is removed."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(CASE) and node is not shown.segmentation:
            node.SetDisplayVisibility(False)
    shown.segmentation.SetDisplayVisibility(True)
    selection = slicer.app.applicationLogic().GetSelectionNode()
    selection.SetActiveVolumeID(shown.volume.GetID())
    slicer.app.applicationLogic().PropagateVolumeSelection()


def write_label(shown: CaseNodes, path: Path) -> str:
    """Write what is painted in a case as a file, in one step, and return it in words.

    Where segments overlap, the upper one in the list wins.

    Raises:
        MMGLError: nothing is painted, or the file cannot be written.
    """
    label = nodes.label_of(shown.segmentation, shown.volume)
    structures, numbers, words = [], [], []
    for segment in label.segments:
        slices = int(label.voxels(segment).any(axis=(1, 2)).sum())
        words.append(f"{segment.name} {slices} slices" if slices else f"{segment.name} not labelled")
        numbers.append(len(structures) + 1 if slices else 0)
        if slices:  # what is empty says nothing, and must not be asked about
            name = segment.name or f"Segment {numbers[-1]}"
            colour = segment.colour or PALETTE[numbers[-1] % len(PALETTE)]
            structures.append(Structure(numbers[-1], name, colour, segment.terminology))
    labelmap = label.labelmap(numbers).astype(np.uint16)
    write_segmentation(path, labelmap, label.grid, structures, overwrite=True)
    return ", ".join(words)


def use_draft(shown: CaseNodes, source: Any, structures: tuple[Structure, ...]) -> int:
    """Copy the visible segments of any segmentation into a case, marked to be looked at, and return how many.

    A segment that is one of the study's structures, by code or name, fills the segment of that structure where nothing
    is painted in it yet; others come beside them under their own names.

    Raises:
        MMGLError: nothing visible is painted there.
    """
    painted = nodes.label_of(source, shown.volume)
    display, visible = source.GetDisplayNode(), set()
    for index in range(source.GetSegmentation().GetNumberOfSegments()):
        if display is None or display.GetSegmentVisibility(source.GetSegmentation().GetNthSegmentID(index)):
            visible.add(source.GetSegmentation().GetNthSegment(index).GetName())
    numbers, used = match(painted.segments, structures), 0
    target = shown.segmentation.GetSegmentation()
    for segment, number in zip(painted.segments, numbers, strict=True):
        mask = painted.voxels(segment).astype(np.uint8)
        if segment.name not in visible or not mask.any():
            continue
        known = f"Segment_{number}"
        if not number or target.GetSegment(known) is None or _is_painted(shown, known):
            colour = [part / 255 for part in segment.colour or PALETTE[used % len(PALETTE)]]
            known = target.AddEmptySegment("", segment.name, colour)
            target.GetSegment(known).SetTerminology(segment.terminology)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, known, shown.volume)
        _STATUS.SetSegmentStatus(target.GetSegment(known), _STATUS.Flagged)
        used += 1
    if not used:
        raise MMGLError("slicer.nothing_painted", name=source.GetName())
    return used


def _is_painted(shown: CaseNodes, segment: str) -> bool:
    found = slicer.util.arrayFromSegmentBinaryLabelmap(shown.segmentation, segment, shown.volume)
    return found is not None and bool(found.any())


def _labelmap(study: Study, case: Case, grid: Grid) -> Array:
    """Return the label of a case on the grid of its scan, value i + 1 for ``structures[i]``."""
    painted = place(read_segmentation(case.label.path), grid, case.label.path)
    places = {structure.id: i for i, structure in enumerate(study.structures, start=1)}
    keys = segment_keys(painted.segments)
    labelmap: Array = painted.labelmap([places.get(case.label.meanings.get(key, 0), 0) for key in keys])
    return labelmap


def _in_scene(study: Study, case: Case) -> CaseNodes | None:
    """Return the nodes that show a case already."""
    found: dict[str, Any] = {}
    for kind in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"):
        for node in slicer.util.getNodesByClass(kind):
            if node.GetAttribute(CASE) == case.name and node.GetAttribute(STUDY) == str(study.folder):
                found[kind] = node
    return CaseNodes(case.name, *found.values()) if len(found) == 2 else None


def _segments(node: Any) -> list[Any]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]


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
