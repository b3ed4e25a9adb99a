"""Folders that are added to a study, one after the other: what one asks is answered before the next is looked at."""

from MMGLLib.errand import FOLDER
from MMGLTrainLib.told import in_our_words, together


class Adding:
    """The row of folders. An answer is remembered by the study, so that the next folder does not ask it again.

    Args:
        desk: with the study and its errands.
        onHeard: called with each event that this has no use for, the outcome of each folder among them.

    Attributes:
        asked: what must be answered before the scans of the first folder can be added.
        failed: what went wrong since the row was empty.
    """

    def __init__(self, desk, onHeard):
        self._desk, self._onHeard = desk, onHeard
        self._row, self._answers, self.asked, self.failed = [], {}, [], []

    def add(self, folder):
        """Have the scans of a folder added, with their labels, after those of the folders that wait."""
        self._row.append(str(folder))
        if len(self._row) == 1:
            self.failed = []
            self._begin()

    def answer(self, finding, value):
        """Answer a question of the first folder; after the last one it is added."""
        self._answers[finding["parameters"]["name"]] = value
        self.asked.remove(finding)
        if not self.asked:
            self._begin()

    def fail(self, error):
        """Show what went wrong after what went wrong just before, so that nothing of it goes unread."""
        self.failed.append(error)
        self._desk.onFail(together(self.failed))

    def _begin(self):
        self._desk.errands.ask(
            "add",
            self._heard,
            study=str(self._desk.study.folder),
            folder=self._row[0],
            meanings=dict(self._answers),
            into=FOLDER + "/found",
        )

    def _heard(self, event):
        """Take over the questions of a folder; once it is added, or cannot be, it is the turn of the next one."""
        if event["event"] == "asked":
            self.asked = [in_our_words(question) for question in event["questions"]]
        self._onHeard(event)
        if event["event"] in ("found", "failed"):
            self._row.pop(0)
            self._answers = {}
            if self._row:
                self._begin()
