"""Takes the place of the process that segments: what it finds, and when, is what the test says."""

from __future__ import annotations

import threading
from typing import ClassVar

import numpy as np

from mmgl.finding import Finding


class PretendRequest:
    """A request as ``MMGLLib.worker.Request`` is, without a process.

    It finds the first structure above the first of ``levels`` and the second one above the second. The class holds what
    the next requests do: ``outcome`` is ``wait``, ``both``, ``one`` (the second structure is not found) or an error.
    """

    outcome: ClassVar[object] = "both"
    made: ClassVar[list[PretendRequest]] = []
    told: ClassVar[list[dict]] = []
    levels: ClassVar[tuple] = (500, 900)

    def __init__(self, scan, model, name, device="auto", **settings):
        self.voxels, self.grid, self.name, self.device = np.array(scan.array[0]), scan.grid, name, device
        self.settings = settings
        self.cancelled = self.closed = False
        self.looks = 0
        PretendRequest.made.append(self)

    @classmethod
    def fresh(cls):
        """Forget what a test before said."""
        cls.outcome, cls.made, cls.told, cls.levels = "both", [], [], (500, 900)

    @property
    def ended(self):
        self.looks += 1
        if self.looks > 3000:
            raise AssertionError("it is looked at again and again, and the application cannot do anything else")
        return self.cancelled or self.closed or PretendRequest.outcome != "wait"

    def events(self):
        new, PretendRequest.told = PretendRequest.told, []
        return new

    def cancel(self):
        self.cancelled = True

    def result(self):
        from MMGLLib.messages import MMGLError

        self.read_by = threading.current_thread()
        if self.cancelled:
            raise MMGLError("slicer.stopped")
        if isinstance(PretendRequest.outcome, Exception):
            raise PretendRequest.outcome
        found = (self.voxels > self.levels[0]).astype(np.uint8)
        return found + (self.voxels > self.levels[1]) if PretendRequest.outcome == "both" else found

    def doubt(self):
        if not self.settings.get("doubt_map"):
            return None
        return np.where(self.voxels > self.levels[1], 0.95, 0.1).astype(np.float32)

    @property
    def flags(self):
        return ["Left ventricle"]

    @property
    def slices(self):
        return [
            {"plane": "axial", "axis": 0, "index": index, "structure": "Left ventricle", "area": 12.0}
            for index in (len(self.voxels) - 1, 1)
        ]

    fit: tuple[Finding, ...] = ()
    findings = (Finding("segment.on_processor"),)

    def details(self):
        return "Loading the model\nwords of the process"

    def close(self):
        self.closed = True
