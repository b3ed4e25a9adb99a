"""Saving what is painted in a case as a file, while Slicer goes on; what is not done yet is kept as well."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import numpy as np

from mmgl.finding import Finding
from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.structures import PALETTE, Structure
from mmgl.study.label_statistics import overlaps
from MMGLLib import nodes
from MMGLLib.aside import RunWithAside
from MMGLLib.case_nodes import CaseNodes
from MMGLLib.nodes import Painted
from MMGLLib.painted import copying
from MMGLLib.runs import Event

Written = tuple[list[tuple[str, int]], list[str]]


class SavingLabel(RunWithAside):
    """Writes what is painted in a case as a file, in one step. Where segments overlap, the upper one in the list wins.

    The event ``done`` has ``slices``, pairs of the name of a segment and in how many slices it is painted, ``told``,
    which segments overlap, in words, and ``changed``, when it was painted last.

    Args:
        shown: the case.
        path: of the file; the one that is there is replaced.
        structures: of the study; a segment that has another name than its structure loses the code of that one.
        on_event: as for ``Run``.
        after: what was begun before and is written before, as it may be the same file.
    """

    def __init__(
        self,
        shown: CaseNodes,
        path: Path,
        structures: Sequence[Structure],
        on_event: Callable[[Event], None] | None = None,
        after: SavingLabel | None = None,
    ) -> None:
        super().__init__(on_event)
        self.shown, self.path, self._after, self._structures = shown, path, after, structures

    def work(self) -> Generator[None, None, Event]:
        """Copy what is in the scene, and have it written."""
        grid = nodes.grid_of(self.shown.volume)
        painted, moment = yield from copying(self.shown.segmentation)
        renamed = set(self.shown.renamed(self._structures))
        slices, told = yield from self.aside(lambda: self._written(painted, grid, renamed))
        return {"event": "done", "slices": slices, "told": told, "changed": moment}

    def _written(self, painted: Painted, grid: Grid, renamed: set[str]) -> Written:
        if self._after is not None:
            self._after.wait_aside()
            self._after = None
        return _write(painted, grid, self.path, self.shown.name, renamed)


def _write(painted: Painted, grid: Grid, path: Path, case: str, renamed: set[str]) -> Written:
    """Write what is painted on the grid of its scan, and return how much that is, and what overlaps."""
    label = painted.on(grid)
    structures, numbers = [], []
    slices: list[tuple[str, int]] = []
    told: list[str] = []
    for segment in label.segments:
        count = int(label.voxels(segment).any(axis=(1, 2)).sum())
        slices.append((segment.name, count))
        numbers.append(len(structures) + 1 if count else 0)
        if count:  # what is empty says nothing, and must not be asked about
            name = segment.name or f"Segment {numbers[-1]}"
            colour = segment.colour or PALETTE[numbers[-1] % len(PALETTE)]
            code = "" if segment.name in renamed else segment.terminology
            structures.append(Structure(numbers[-1], name, colour, code))
    labelmap = label.labelmap(numbers).astype(np.uint16)
    write_segmentation(path, labelmap, label.grid, structures, overwrite=True)
    names = [segment.name for segment in label.segments]
    for upper, lower, voxels in overlaps(label, range(1, len(names) + 1)):
        shared = {"first": names[upper - 1], "second": names[lower - 1], "case": case, "voxels": voxels}
        told.append(Finding("check.overlap", shared).words)
    return slices, told
