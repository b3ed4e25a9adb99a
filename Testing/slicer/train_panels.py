"""The panel of MMGLTrain with a study beside it; errands are run in a thread, so that they take no process each."""

from __future__ import annotations

import threading
from pathlib import Path
from unittest import mock

import slicer
from panels import open_module
from trainings import TrainingTest

from mmgl.files import write_json
from MMGLLib import errand, errands


class ThreadErrand(errand.Errand):
    """An errand in a thread of the test instead of a process of its own."""

    def start(self) -> None:
        import tempfile

        from mmgl.jobs import Follower

        self._home = tempfile.TemporaryDirectory(prefix="mmgl-", ignore_cleanup_errors=True)
        self._folder = Path(self._home.name)
        arguments = {name: self._in_place(value) for name, value in self._arguments.items()}
        write_json(self._folder / "request.json", {"errand": self.name, "arguments": arguments})
        self._follower = Follower(self._folder / "events.jsonl")
        self._process = self
        self._thread = threading.Thread(target=errands.main, args=[self._folder / "request.json"], daemon=True)
        self._thread.start()

    def poll(self):
        """Answer as a process does when asked by ``Errand.poll`` through ``self._process``."""
        if self._asked:
            return None if self._thread.is_alive() else 0
        self._asked = True
        try:
            return errand.Errand.poll(self)
        finally:
            self._asked = False

    _asked = False

    def close(self) -> None:
        if self._process is not None:
            self._home.cleanup()


class PanelTest(TrainingTest):
    """The module as the user opens it, with documents of its own and a study of six small scans in ``self.study``."""

    def setUp(self) -> None:
        super().setUp()
        documents = self.folder / "Documents ü"
        documents.mkdir()
        from MMGLTrainLib import welcome

        for patch in (
            mock.patch.object(errand, "Errand", ThreadErrand),
            mock.patch.object(welcome.qt.QStandardPaths, "writableLocation", staticmethod(lambda *_: str(documents))),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.documents = documents
        self.widget = open_module("MMGLTrain")
        self.addCleanup(self.widget.cleanup)
        self.panel, self.ui, self.desk = self.widget.panel, self.widget.panel.ui, self.widget.panel.desk
        self.scans, self.labels = self.panel.sections["scans"], self.panel.sections["labels"]

    def open(self, folder=None) -> None:
        """Open the study, and wait until it was looked at."""
        self.panel.open(lambda: self.widget.logic.openStudy(folder or self.study.folder))
        self.settle()

    def settle(self) -> None:
        """Let errands end and rows be filled."""
        self.until(lambda: not self.desk.errands.busy and not self.scans.table.filling, "the end of the errands")

    def rows(self) -> list[list[str]]:
        """Return the texts of the table that are shown."""
        table = self.scans.ui.caseTable
        items = [table.topLevelItem(i) for i in range(table.topLevelItemCount)]
        return [[item.text(c) for c in range(table.columnCount)] for item in items if not item.isHidden()]

    def said(self) -> str:
        """Return the message that is shown."""
        return self.ui.messageLabel.text if not self.ui.messageFrame.isHidden() else ""

    def choices(self, question) -> dict:
        """Return the buttons of a question by what they say."""
        return {button.text: button for button in question._buttons}

    def paint(self, name: str, box, structure: str = "") -> None:
        """Paint a box into a segment of the case that is open; one with that name is made where there is none."""
        import numpy as np

        shown = self.labels.shown
        segmentation = shown.segmentation.GetSegmentation()
        identity = segmentation.GetSegmentIdBySegmentName(name) or segmentation.AddEmptySegment("", name, [1, 0, 0])
        mask = np.zeros(slicer.util.arrayFromVolume(shown.volume).shape, np.uint8)
        mask[box] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, identity, shown.volume)
