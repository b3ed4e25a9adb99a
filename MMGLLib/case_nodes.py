"""A case of a study in the scene: its scan, and the segmentation in which a person paints the study's structures."""

from __future__ import annotations

from collections.abc import Sequence
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
            self.segmentation.GetSegmentation().GetSegment(f"Segment_{structure.id}").SetTag(
                STRUCTURE, str(structure.id)
            )

    def renamed(self, structures: Sequence[Structure]) -> dict[str, Structure]:
        """Return structures by the new names of their segments, where these are no names of the study."""
        by_number = {str(structure.id): structure for structure in structures}
        found: dict[str, list[str]] = {}
        for segment in _segments(self.segmentation):
            number = vtk.reference("")
            if segment.GetTag(STRUCTURE, number) and str(number) in by_number:
                found.setdefault(str(number), []).append(segment.GetName())
        alone = {by_number[number]: names[0] for number, names in found.items() if len(names) == 1}
        return {name: s for s, name in alone.items() if name.strip() and not named(name, structures)}

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


def change_segments(study: Study, before: Structure, after: Structure) -> None:
    """Let all that is shown of a study show another name and colour of a structure, where it still has its name."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        if node.GetAttribute(STUDY) == str(study.folder):
            _change_segment(node, before, after)


def _change_segment(node: Any, before: Structure, after: Structure) -> None:
    segment = node.GetSegmentation().GetSegment(f"Segment_{before.id}")
    if segment is not None and segment.GetName() == before.name:
        segment.SetName(after.name)
        segment.SetColor(*(part / 255 for part in after.colour))


def in_scene(study: Study, case: Case) -> CaseNodes | None:
    """Return the nodes that show a case already, with what was painted, or None."""
    found: dict[str, Any] = {}
    for kind in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"):
        for node in slicer.util.getNodesByClass(kind):
            if node.GetAttribute(CASE) == case.name and node.GetAttribute(STUDY) == str(study.folder):
                found[kind] = node
    return CaseNodes(case.name, *found.values()) if len(found) == 2 else None


def _segments(node: Any) -> list[Any]:
    segmentation = node.GetSegmentation()
    return [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
