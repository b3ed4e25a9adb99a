"""Suggest next: which scans would teach most if they were labelled, with a reason for each."""

import re
import tempfile
from pathlib import Path

import qt
from slicer.i18n import tr as _

from mmgl.jobs import Job
from MMGLLib.messages import MMGLError
from MMGLLib.worker import command, environment

COUNT = 5
"""Scans that are named at once."""

POLL = 500
"""Milliseconds between two looks."""


class Suggesting:
    """Asks the newest model of the study; without one, any scan will do, and it says so.

    Args:
        ui: the widgets of the section.
        logic: of the module.
        onOpen: called with the name of a case.

    Attributes:
        names: of the suggested cases, the first one first.
    """

    def __init__(self, ui, logic, onOpen):
        self._ui, self._logic, self._onOpen = ui, logic, onOpen
        self.names, self._job, self._home = [], None, None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL)
        self._timer.connect("timeout()", self.onTimeout)
        ui.suggestButton.connect("clicked()", self.onSuggest)
        ui.suggestionList.connect("itemDoubleClicked(QListWidgetItem*)", self.onChosen)
        self._show([])

    def follow(self, study):
        """Forget what was suggested once it is labelled."""
        left = {case.name for case in study.unlabelled} if study else set()
        if not study:
            self.close()
        if set(self.names) - left:
            self._show([(name, words) for name, words in self._told if name in left])
        self._ui.suggestButton.enabled = len(left) > 1 and self._job is None

    def close(self):
        """End what is being asked."""
        self._timer.stop()
        if self._job is not None:
            self._job.kill(at_once=True)
            self._home.cleanup()
            self._job = None
        self._show([])

    def onSuggest(self):
        """Ask for suggestions."""
        study = self._logic.desk.study
        models = self._logic.models(study)
        if not models:
            words = _("{name}: nothing is learned yet, so any scan unlike the labelled ones will do")
            self._show([(case.name, words.format(name=case.name)) for case in study.unlabelled[:COUNT]])
            return
        self._home = tempfile.TemporaryDirectory(prefix="mmgl-", ignore_cleanup_errors=True)
        arguments = ["next", str(study.folder), str(models[0].file), "--count", str(COUNT)]
        self._job = Job.start(Path(self._home.name), arguments, python=command()[0], environment=environment())
        self._ui.suggestButton.enabled = False
        self._ui.suggestButton.text = _("Looking at the scans…")
        self._timer.start()

    def onTimeout(self):
        """Look whether the answer is there."""
        look = self._job.look()
        if look.works:
            return
        log = self._job.log_tail(10 * COUNT)
        found = re.findall(r"^\d+\. ([^:\n]+): (.+)$", log, re.MULTILINE)
        self._timer.stop()
        self._home.cleanup()
        self._job = None
        self._ui.suggestButton.enabled = True
        self._show([(name, f"{name}: {words}") for name, words in found])
        if not found:
            told = [line.removeprefix("mmgl: ") for line in log.splitlines() if line.startswith("mmgl: ")]
            error = self._logic.desk.told({"key": "", "words": told[-1]}) if told else MMGLError("slicer.errand_died")
            self._logic.desk.onFail(error)

    def onChosen(self, item):
        """Open a suggested scan."""
        self._onOpen(self.names[self._ui.suggestionList.row(item)])

    def _show(self, told):
        self._told, self.names = told, [name for name, _words in told]
        self._ui.suggestButton.text = _("Suggest next")
        self._ui.suggestionList.clear()
        self._ui.suggestionList.addItems([words for _name, words in told])
        self._ui.suggestionList.visible = bool(told)
