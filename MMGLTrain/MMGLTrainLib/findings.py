"""What the checks found, one line each; the chosen one with its answers, or with what puts it right, and Skip."""

from slicer.i18n import tr as _

from mmgl.study import Use
from MMGLTrainLib.answers import Question

TAKE_OUT = ("check.duplicate", "check.looks_like_label")
"""Findings that are put right by taking the case out of the study."""

LEAVE_OUT = ("check.spacing", "check.intensity", "check.modality", "check.field_of_view")
"""Findings that are put right by leaving the case out."""


LISTED = 6
"""Findings that are seen without scrolling."""


class Findings:
    """The list of findings under the table.

    Args:
        form, ui: of the section.
        desk: with the study.
        onLabel: called with the name of a case that is to be looked at.

    Attributes:
        onFind: called when the folder of missing files is to be found.
    """

    def __init__(self, form, ui, desk, onLabel):
        self._ui, self._desk, self._onLabel = ui, desk, onLabel
        self.onFind = None
        self._findings = []
        self._question = Question(ui.findingLabel, ui.answerFrame, ui.sameBox, self.onAnswer)
        ui.findingList.connect("currentRowChanged(int)", self.onChosen)
        ui.fixButton.connect("clicked()", self.onFix)
        ui.skipButton.connect("clicked()", self.onSkip)

    def show(self, findings):
        """List findings; the first one is chosen."""
        if findings == self._findings and bool(findings) == (not self._ui.findingFrame.isHidden()):
            return
        self._findings = findings
        self._ui.findingFrame.visible = bool(findings)
        one, many = _("One thing to look at"), _("{count} things to look at")
        self._ui.findingTitle.text = one if len(findings) == 1 else many.format(count=len(findings))
        self._ui.findingList.blockSignals(True)
        self._ui.findingList.clear()
        self._ui.findingList.addItems([_short(finding) for finding in findings[:100]])
        self._ui.findingList.setCurrentRow(0 if findings else -1)
        self._ui.findingList.blockSignals(False)
        self._ui.findingList.visible = len(findings) > 1
        self._ui.findingList.setFixedHeight(min(len(findings), LISTED) * self._ui.findingList.sizeHintForRow(0) + 4)
        self.onChosen()

    def chosen(self):
        """Return the finding that is chosen, or None."""
        index = self._ui.findingList.currentRow
        return self._findings[index] if 0 <= index < len(self._findings) else None

    def onChosen(self):
        """Show what can be done about the chosen one."""
        finding = self.chosen()
        alike = [other for other in self._findings if finding and other["key"] == finding["key"]]
        in_cases = bool(finding and finding["case"])
        self._question.ask(finding, several=in_cases and len(alike) > 1)
        asked = bool(finding and finding["choices"])
        text = _fix(finding)
        self._ui.fixButton.visible = bool(text) and not asked
        self._ui.fixButton.text = text
        skippable = bool(finding) and finding["key"] != "slicer.files_gone" and not asked
        leaves = bool(finding) and finding["severity"] == "error" and bool(finding["case"])
        self._ui.skipButton.visible = skippable and (leaves or finding["severity"] != "error")
        self._ui.skipButton.text = _("Leave it out") if leaves else _("Skip")
        for widget in (self._ui.fixButton, self._ui.skipButton, self._ui.answerFrame):
            widget.enabled = self._desk.writable

    def onAnswer(self, value, everywhere):
        """Keep an answer."""
        self._desk.answer(self.chosen(), value, everywhere)

    def onSkip(self):
        """Let the chosen one be."""
        self._desk.skip(self.chosen())

    def onFix(self):
        """Put the chosen one right."""
        finding = self.chosen()
        key, case = finding["key"], finding["case"]
        if key == "slicer.files_gone":
            self.onFind()
        elif key in TAKE_OUT:
            self._desk.change(lambda study: study.remove_case(case))
        elif key in LEAVE_OUT or key.startswith("scan."):
            self._desk.change(lambda study: study.set_use(case, Use.LEAVE_OUT))
        elif key == "check.none_held_out":
            self._desk.change(lambda study: study.split_checks())
        elif key == "check.straddles":
            patient = finding["parameters"]["patient"]
            same = [other.name for other in self._desk.study.cases if other.patient == patient]
            self._desk.change(lambda study: [study.set_use(name, Use.TRAIN) for name in same])
        else:
            self._onLabel(case)


def _short(finding):
    """Return a finding as one line of the list."""
    words = finding["words"].partition(". ")[0].rstrip(".")
    return words if len(words) < 90 else f"{words[:88]}…"


def _fix(finding):
    """Return what the button that puts a finding right says; nothing where there is none."""
    if finding is None:
        return ""
    key = finding["key"]
    if key == "slicer.files_gone":
        return _("Find folder…")
    if key in TAKE_OUT:
        return _("Remove {case}").format(case=finding["case"])
    if key.startswith("scan.") and finding["severity"] == "error":
        return ""  # the other button does it
    if key in LEAVE_OUT or key.startswith("scan."):
        return _("Leave it out")
    if key == "check.none_held_out":
        return _("Choose some")
    if key == "check.straddles":
        return _("Learn from all of this patient")
    return _("Show it") if finding["case"] else ""
