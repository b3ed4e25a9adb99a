"""A case of a study in the scene: its scan, and the segmentation in which a person paints the study's structures."""

from __future__ import annotations

from typing import Any

import slicer

from mmgl.structures import Structure
from mmgl.study import Case, Study
from MMGLLib.painted import changed_at

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

    @property
    def changed(self) -> tuple[int, int]:
        """When it was painted in last, as ``painted.changed_at`` has it."""
        return changed_at(self.segmentation)

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


def change_segment(node: Any, before: Structure, after: Structure) -> None:
    """Let a segmentation node of a case show another name and colour of a structure, where it still has its name."""
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
