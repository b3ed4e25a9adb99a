"""Beginning a case with a copy of another segmentation, which counts only once a person has looked at it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import slicer

from mmgl.imaging.segmentation import Segment
from mmgl.structures import PALETTE, Structure
from mmgl.study.identity import match
from MMGLLib import nodes, results
from MMGLLib.aside import RunWithAside
from MMGLLib.case_nodes import CaseNodes
from MMGLLib.messages import MMGLError
from MMGLLib.nodes import Painted
from MMGLLib.painted import copying
from MMGLLib.runs import Event

_STATUS = slicer.vtkSlicerSegmentationsModuleLogic


class TakingDraft(RunWithAside):
    """Copies the visible segments of any segmentation into a case, marked to be looked at.

    A segment that is one of the study's structures, by code or name, fills the segment of that structure where nothing
    is painted in it yet; others come beside them under their own names. The event ``done`` has ``count``, of segments.

    Args:
        shown: the case.
        source: the segmentation node; only read.
        structures: of the study.
        on_event: as for ``Run``.
    """

    def __init__(
        self,
        shown: CaseNodes,
        source: Any,
        structures: tuple[Structure, ...],
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(on_event)
        self.shown, self.source, self.structures = shown, source, structures

    def work(self) -> Generator[None, None, Event]:
        """Copy what is painted, have it brought onto the scan, and make it segments of the case."""
        grid, visible = nodes.grid_of(self.shown.volume), _visible(self.source)
        painted, _when = yield from copying(self.source)
        label = yield from self.aside(lambda: painted.on(grid))
        own, _when = yield from copying(self.shown.segmentation)
        taken, count = (yield from self.aside(lambda: _painted_names(own))), 0
        for segment, meant in zip(label.segments, match(label.segments, self.structures), strict=True):
            if segment.name in visible:  # one at a time, as each is as large as the scan
                mask = yield from self.aside(lambda segment=segment: label.voxels(segment).astype(np.uint8))
                layer, found = yield from results.making_layer(self.shown.volume, mask)
                if 1 in found:
                    self._add(segment, meant or 0, layer, taken)
                    count += 1
        if not count:
            raise MMGLError("slicer.nothing_painted", name=painted.name)
        return {"event": "done", "count": count}

    def _add(self, drawn: Segment, structure: int, layer: Any, taken: set[str]) -> None:
        """Make what is drawn in one segment of the draft a segment of the case."""
        target = self.shown.segmentation.GetSegmentation()
        segment = target.GetSegment(f"Segment_{structure}") if structure else None
        if segment is None or segment.GetName() in taken:
            number = target.GetNumberOfSegments()
            colour = [value / 255 for value in drawn.colour or PALETTE[number % len(PALETTE)]]
            segment = target.GetSegment(target.AddEmptySegment("", drawn.name, colour))
            segment.SetTerminology(drawn.terminology)
        segment.SetLabelValue(1)
        segment.RemoveRepresentation(results.BINARY)  # a layer that it shared with others stays theirs
        segment.AddRepresentation(results.BINARY, layer)
        _STATUS.SetSegmentStatus(segment, _STATUS.Flagged)
        target.InvokeEvent(target.SourceRepresentationModified)


def _visible(source: Any) -> set[str]:
    """Return the names of the segments that are shown."""
    display, segmentation, names = source.GetDisplayNode(), source.GetSegmentation(), set()
    for index in range(segmentation.GetNumberOfSegments()):
        if display is None or display.GetSegmentVisibility(segmentation.GetNthSegmentID(index)):
            names.add(segmentation.GetNthSegment(index).GetName())
    return names


def _painted_names(painted: Painted) -> set[str]:
    """Return the names of the segments in which something is painted."""
    return {s.name for s in painted.segments if (painted.layers[s.layer][0] == s.value).any()}
