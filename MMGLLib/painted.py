"""What is painted in a segmentation node, copied while somebody may go on painting: all of a stroke or nothing."""

from __future__ import annotations

from typing import Any

from MMGLLib.nodes import Painted, making_painted
from MMGLLib.results import BINARY, Making

Moment = tuple[int, int]
"""A time on the clock of VTK, and how many segments there were: one that is removed leaves no time behind."""


def changed_at(node: Any) -> Moment:
    """Return when a segmentation node was painted in, or a segment was changed, last."""
    segmentation, found = node.GetSegmentation(), [0]
    for index in range(segmentation.GetNumberOfSegments()):
        segment = segmentation.GetNthSegment(index)
        found.append(segment.GetMTime())
        if (layer := segment.GetRepresentation(BINARY)) is not None:
            found.append(layer.GetMTime())
    return max(found), segmentation.GetNumberOfSegments()


def copying(node: Any) -> Making[tuple[Painted, Moment]]:
    """Copy what is painted in a segmentation node, and when that was; begin again where somebody paints meanwhile.

    Raises:
        MMGLError: ``slicer.bent`` or ``slicer.skewed``.
    """
    while True:
        moment = changed_at(node)
        making = making_painted(node)
        while changed_at(node) == moment:
            try:
                next(making)
            except StopIteration as end:
                return end.value, moment
            yield
        making.close()
