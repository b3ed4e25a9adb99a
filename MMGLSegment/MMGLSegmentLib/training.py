"""*Add to training*: which study, and what is asked on the way."""

import qt
import slicer
from slicer.i18n import tr as _

from mmgl.study import Study
from MMGLLib import models
from MMGLLib.anonymous import names_of
from MMGLLib.messages import MMGLError

SETTING = "MMGL/Study"
"""Of this computer: the study that was added to last."""

SAME, NEW, NOT_FOR_TRAINING = "=", "+", "-"
"""What an answer begins with; the first is followed by the name of a structure."""


class Training:
    """Adds a corrected result to a study.

    Args:
        panel: the panel.
    """

    def __init__(self, panel):
        self.panel = panel
        self.folder, self.meanings, self.same = "", {}, None
        panel.ui.addToTrainingButton.connect("clicked()", self.onAdd)

    def onAdd(self):
        """Ask for the study, and add the scan to it."""
        last = models.study_of(self.panel.models.current()) or str(slicer.app.settings().value(SETTING) or "")
        folder = qt.QFileDialog.getExistingDirectory(self.panel.form, _("Choose the folder of the study"), last)
        if not folder:
            return
        self.folder, self.meanings, self.same = folder, {}, None
        self._add()

    def onEvent(self, event):
        """Tell how it ended, or ask what must be known."""
        if event["event"] == "failed":
            self._ask(event["error"], event["details"])
        elif event["event"] == "done":
            slicer.app.settings().setValue(SETTING, self.folder)
            words = _(
                "{case} is now a labelled case of the study. {count} corrected or new since its latest model; train "
                "again when there are 3 or more."
            ).format(case=event["case"], count=event["waiting"])
            self.panel.message.say("\n".join([words, *event["told"]]))

    def _add(self):
        parameters = self.panel.parameters
        self.panel.start(
            lambda: self.panel.logic.addToTraining(
                parameters.result,
                self.panel.scan_of_result(),
                self.folder,
                meanings=self.meanings,
                same=self.same,
                wait=False,
                onEvent=self.panel.onEvent,
            ),
            self.onEvent,
        )

    def _ask(self, error, log):
        """Ask what is not clear, or show what is wrong."""
        if error.key == "slicer.same_scan":
            answers = [(_("It is its corrected label"), True), (_("It is another scan"), False)]
            self.panel.message.ask(str(error), answers, self._same)
        elif error.key == "label.unknown_structure":
            name = error.parameters["name"]
            answers = [(_("The same as {name}").format(name=s.name), SAME + s.name) for s in self._structures()]
            answers += [(_("A new structure"), NEW), (_("Not for training"), NOT_FOR_TRAINING)]
            words = _("The study does not know '{name}'. What is it?").format(name=name)
            self.panel.message.ask(words, answers, lambda answer: self._means(name, answer))
        else:
            again = (_("Choose another folder"), self.onAdd) if error.key == "slicer.no_study" else None
            self.panel.message.fail(error, log, again)

    def names(self):
        """Return all that is named in the study it goes to."""
        try:
            return names_of(Study.open(self.folder)) if self.folder else []
        except MMGLError:
            return [self.folder]

    def _structures(self):
        try:
            return Study.open(self.folder).structures
        except MMGLError:
            return ()

    def _means(self, name, answer):
        self.meanings[name] = {NEW: name, NOT_FOR_TRAINING: ""}.get(answer, answer[len(SAME) :])
        self._add()

    def _same(self, answer):
        self.same = answer
        self._add()
