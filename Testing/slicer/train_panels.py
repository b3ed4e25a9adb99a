"""The panel of MMGLTrain with a study beside it; errands are run in a thread, so that they take no process each."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from unittest import mock

import slicer
from panels import open_module
from trainings import TrainingTest

from mmgl.files import write_json
from mmgl.jobs.process import birth, start_alone
from mmgl.jobs.record import whoami
from MMGLLib import errand, errands
from MMGLLib.messages import MMGLError


class InThread:
    """An errand in a thread of the test, which looks like a process."""

    def __init__(self, command: list[str], log: Path, environment: dict) -> None:
        log.touch()
        self.pid = 0
        self._thread = threading.Thread(target=self._run, args=[Path(command[-1])], daemon=True)
        self._thread.start()

    @staticmethod
    def _run(request: Path) -> None:
        with contextlib.suppress(FileNotFoundError, MMGLError):  # a process would have been ended with its folder
            errands.main(request)

    def poll(self) -> int | None:
        return None if self._thread.is_alive() else 0


def beside(command: list[str], log: Path, environment: dict):
    """Take the place of ``start_alone`` for errands, and leave all other processes what they are."""
    start = InThread if "MMGLLib.errands" in command else start_alone
    return start(command, log, environment)


class PanelTest(TrainingTest):
    """The module as the user opens it, with documents of its own and a study of six small scans in ``self.study``."""

    def setUp(self) -> None:
        super().setUp()
        documents = self.folder / "Documents ü"
        documents.mkdir()
        from MMGLTrainLib import welcome

        for patch in (
            mock.patch.object(errand, "start_alone", beside),
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

    def occupy(self) -> None:
        """Have the study open in another process of this computer, which lives."""
        write_json(self.study.folder / "in-use.json", {**whoami(), "pid": 1, "born": birth(1), "beat": 0})

    def settle(self) -> None:
        """Let errands end, rows be filled, and cases be loaded and saved."""
        self.until(lambda: not self.labels.busy, "the end of loading or saving")  # an errand may follow
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
        return {button.text: button for button in question._buttons if button.className() == "QPushButton"}

    def paint(self, name: str, box) -> None:
        """Paint a box into a segment of the case that is open; one with that name is made where there is none."""
        import numpy as np

        self.until(lambda: not self.labels.busy, "the end of loading")
        shown = self.labels.shown
        segmentation = shown.segmentation.GetSegmentation()
        identity = segmentation.GetSegmentIdBySegmentName(name) or segmentation.AddEmptySegment("", name, [1, 0, 0])
        mask = np.zeros(slicer.util.arrayFromVolume(shown.volume).shape, np.uint8)
        mask[box] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, identity, shown.volume)
