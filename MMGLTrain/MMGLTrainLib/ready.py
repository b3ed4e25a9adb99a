"""What is shown before a training: what stands in its way, how long it may take, and what it runs on."""

import datetime
import html
import re
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from mmgl.messages import CATALOGUE
from mmgl.study.trained import model_files
from mmgl.wording import fill
from MMGLLib import chosen_model, study_models, times
from MMGLLib.errand import Asking
from MMGLLib.messages import MMGLError

PER_SCAN = "MMGL/SecondsPerScan"
"""Setting of this computer: the seconds that preparing a scan took last time."""

MARKS = {"error": ("✕", "#c8372d"), "question": ("?", "#c98a00"), "warning": ("!", "#c98a00"), "good": ("✓", "#3a8f3a")}

MOST = 6
"""Lines that are shown; the others are in the section with the scans."""


class Ready:
    """The list before training, the budgets and the device.

    Args:
        ui: the widgets of the section.
    """

    def __init__(self, ui):
        self.ui, self.study, self._findings, self._machine = ui, None, [], {}
        self._asking, self._model = None, ""
        self._budgets = {"quick": ui.quickButton, "standard": ui.standardButton, "overnight": ui.overnightButton}
        for button in self._budgets.values():
            button.connect("clicked()", self.show_time)

    def follow(self, study, findings=()):
        """Show a study, and what its checks found: dictionaries with ``key``, ``severity``, ``case`` and ``words``."""
        self.study = study
        self._findings = [f for f in findings if f["key"] != "study.no_labels" and f["severity"] in MARKS]
        if study is not None:
            self.ask_machine()
            self._show_checks()
            self._show_again()
            self.show_time()

    def ask_machine(self):
        """Look once, in a process of its own, for what this computer can train with."""
        if self._asking is None and not self._machine:
            self._asking = Asking("mmgl.machine")
            self.ui.deviceLabel.text = _("Looking for a graphics card")

    def poll(self):
        """Look for the answer, and return whether one is still to come."""
        if self._asking is None:
            return False
        for event in self._asking.poll():
            self._machine = event
        if self._asking.ended:
            self._asking.close()
            self._asking = None
            self.ui.deviceLabel.text = self._device_words()
        return self._asking is not None

    def close(self):
        """End what is still asked."""
        if self._asking is not None:
            self._asking.close()
            self._asking = None

    @property
    def budget(self):
        """The word for the time that is chosen."""
        return next(word for word, button in self._budgets.items() if button.checked)

    @property
    def again(self):
        """The model to start from, or an empty string."""
        return self._model if self._model and self.ui.againBox.checked else ""

    @property
    def hindrance(self):
        """What must be done before training, in words; empty where nothing stands in its way."""
        if not self.study.labelled:
            return _("Label a scan first.")
        if any(finding["severity"] == "error" for finding in self._findings):
            return _("Put right what is marked in red, then train.")
        return ""

    def remember(self, story):
        """Keep how long preparing took, as the measure for the next training."""
        if story.preparing is not None and story.preparing > 0 and story.scans:
            slicer.app.settings().setValue(PER_SCAN, story.preparing / story.scans)

    def show_time(self):
        """Show how long each choice takes on this computer, and when the model would be ready."""
        titles = {"quick": _("Quick"), "standard": _("Standard"), "overnight": _("Overnight")}
        for word, button in self._budgets.items():
            button.text = f"{titles[word]}\n{times.about(self._seconds(word))}"
        then = datetime.datetime.now() + datetime.timedelta(seconds=self._seconds(self.budget))
        day = "" if then.date() == datetime.date.today() else _(" tomorrow")
        said = {
            "quick": _("A first look"),
            "standard": _("Better on most data"),
            "overnight": _("The best this computer can do until then"),
        }[self.budget]
        words = _("{said}: ready at about {time}{day}.")
        self.ui.readyLabel.text = words.format(said=said, time=then.strftime("%H:%M"), day=day)

    def _seconds(self, budget):
        study = self.study
        scans = len(study.labelled) + len(study.unlabelled) + len(study.checks)
        return times.needed(budget, scans, float(slicer.app.settings().value(PER_SCAN) or 0))

    def _device_words(self):
        found = self._machine
        if not found:
            return ""  # nothing is installed yet; the first click on Train says so
        if found["card"]:
            return fill(CATALOGUE["machine.card"], {"card": found["card"], "free": found["card_free_gb"]})
        key = "machine.unusable" if found["card_unusable"] else "machine.processor"
        return fill(CATALOGUE[key], {"cores": found["cores"]})

    def _show_again(self):
        """Offer to start from the model that is used, where it is one of this study, or else from the newest."""
        files = [str(file) for file in model_files(self.study.folder)]
        used = chosen_model.chosen()
        model = used if used in files else files[-1] if files else ""
        if model != self._model:  # once: afterwards it is the user's choice
            self.ui.againBox.checked = bool(model) and _is_worth_it(Path(model))
        self._model = model
        self.ui.againBox.visible = bool(self._model)
        self.ui.againBox.text = _("Start from what {model} has learned").format(model=Path(self._model).stem)

    def _show_checks(self):
        study = self.study
        labelled, unlabelled, checks = len(study.labelled), len(study.unlabelled), len(study.checks)
        if not labelled:
            rows = [("error", _("No scan is labelled yet. Label one, a few slices are enough to begin."), "")]
        else:
            words = _("Learns from {labelled} labelled and {unlabelled} unlabelled scans.")
            rows = [("good", words.format(labelled=labelled, unlabelled=unlabelled), "")]
        if labelled == 1:
            rows.append(("warning", CATALOGUE["train.one_label"], ""))
        if labelled and checks:
            rows.append(("good", _("{checks} held out to see how good it is.").format(checks=checks), ""))
        self.ui.checksLabel.text = "".join(_row(*row) for row in [*rows, *self._grouped()])

    def _grouped(self):
        """Return a row for each kind of finding, the gravest first."""
        kinds = {}
        for finding in self._findings:
            kinds.setdefault(finding["key"], []).append(finding)
        rows = []
        for same in list(kinds.values())[:MOST]:
            words = re.sub(r" \(mmgl [^)]*\)", "", same[0]["words"])
            if len(same) > 1:
                words += " " + _("The same holds for {count} more.").format(count=len(same) - 1)
            rows.append((same[0]["severity"], words, same[0]["case"]))
        return rows


def _is_worth_it(model):
    """Return whether a model knows something that is worth going on with."""
    try:
        return study_models.model_of(model).usable
    except MMGLError:
        return False


def _row(severity, words, case):
    """Return a line of the list; one about a case has a link to it."""
    mark, colour = MARKS[severity]
    show = f' <a href="{html.escape(case, quote=True)}">{html.escape(_("Show"))}</a>' if case else ""
    return (
        '<table cellpadding="2"><tr>'
        f'<td width="16"><b style="color:{colour}">{mark}</b></td><td>{html.escape(words)}{show}</td></tr></table>'
    )
