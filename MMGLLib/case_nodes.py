"""A case of a study in the scene: its scan, and the segmentation in which a person paints the study's structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import slicer
import vtk

from mmgl.structures import Structure
from mmgl.study import Case, Study
from mmgl.study.identity import named
from MMGLLib.painted import changed_at

CASE, STUDY = "MMGL.Case", "MMGL.Study"
"""Attributes of the nodes that show a case."""

STRUCTURE = "MMGL.Structure"
"""Tag of a segment that was made for a structure: its number, which stays when somebody renames the segment."""

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

    @property
    def changed(self) -> tuple[int, int]:
        """When it was painted in last, as ``painted.changed_at`` has it."""
        return changed_at(self.segmentation)

    def tag(self, structures: Sequence[Structure]) -> None:
        """Mark the segments that were just made for structures, so that they are known under another name too."""
        for structure in structures:
            _tag(self.segmentation.GetSegmentation().GetSegment(f"Segment_{structure.id}"), structure)

    def renamed(self, structures: Sequence[Structure]) -> dict[str, Structure]:
        """Return structures by the new names of their segments, where these are no names of the study."""
        by_number = {str(structure.id): structure for structure in structures}
        found: dict[str, list[str]] = {}
        for segment in _segments(self.segmentation):
            if (number := _tagged(segment)) in by_number:
                found.setdefault(number, []).append(segment.GetName())
        alone = {by_number[number]: names[0] for number, names in found.items() if len(names) == 1}
        return {name: s for s, name in alone.items() if name.strip() and not named(name, structures)}

    def follow(self, before: Sequence[Structure], after: Sequence[Structure]) -> None:
        """Show the names and colours that structures have now; a segment that somebody renamed keeps its own."""
        names = {str(structure.id): structure.name for structure in before}
        changed = {str(structure.id): structure for structure in after if structure not in before}
        for segment in _segments(self.segmentation):
            structure = changed.get(number := _tagged(segment))
            if structure is not None and segment.GetName() == names.get(number):
                _show_as(segment, structure)

    def understood(self, meanings: Mapping[str, int], structures: Sequence[Structure]) -> None:
        """Show what was painted under other names as the structures it was taken for, unless these are painted too."""
        by_number = {structure.id: structure for structure in structures}
        segments = _segments(self.segmentation)
        painted = [segment for segment in segments if segment.GetName() in meanings]
        for segment in painted:
            structure = by_number.get(meanings[segment.GetName()])
            same = [other for other in segments if structure and other.GetName() == structure.name]
            if structure is None or any(other is not segment and other in painted for other in same):
                continue
            for empty in same:
                if empty is not segment:
                    self.segmentation.GetSegmentation().RemoveSegment(empty)
            _tag(segment, structure)
            _show_as(segment, structure)

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


def show_alone(shown: CaseNodes) -> None:
    """Show a case in the slice views, and hide the segmentations of other cases; nothing is removed."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(CASE) and node is not shown.segmentation:
            node.SetDisplayVisibility(False)
    shown.segmentation.SetDisplayVisibility(True)
    selection = slicer.app.applicationLogic().GetSelectionNode()
    selection.SetActiveVolumeID(shown.volume.GetID())
    slicer.app.applicationLogic().PropagateVolumeSelection()


def all_in_scene(study: Study) -> list[CaseNodes]:
    """Return the nodes of all cases of a study that are shown already, with what was painted."""
    found: dict[str, dict[str, Any]] = {}
    for kind in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"):
        for node in slicer.util.getNodesByClass(kind):
            if node.GetAttribute(STUDY) == str(study.folder):
                found.setdefault(node.GetAttribute(CASE), {})[kind] = node
    return [CaseNodes(name, *nodes.values()) for name, nodes in found.items() if len(nodes) == 2]


def in_scene(study: Study, case: Case) -> CaseNodes | None:
    """Return the nodes that show a case already, or None."""
    return next((shown for shown in all_in_scene(study) if shown.name == case.name), None)


def _tag(segment: Any, structure: Structure) -> None:
    segment.SetTag(STRUCTURE, str(structure.id))


def _tagged(segment: Any) -> str:
    """Return the number of the structure that a segment was made for, or an empty string."""
    number = vtk.reference("")
    return str(number) if segment.GetTag(STRUCTURE, number) else ""


def _show_as(segment: Any, structure: Structure) -> None:
    segment.SetName(structure.name)
    segment.SetColor(*(part / 255 for part in structure.colour))


def _segments(node: Any) -> list[Any]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
