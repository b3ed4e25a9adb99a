"""The frame of the panel: what to do next, the four sections, and one place for messages."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MMGLLib import setup
from MMGLLib.anonymous import names_of
from MMGLLib.message import Message
from MMGLLib.messages import MMGLError
from MMGLTrainLib.advanced import Advanced
from MMGLTrainLib.desk import Desk
from MMGLTrainLib.labels_section import LabelsSection
from MMGLTrainLib.models_section import ModelsSection
from MMGLTrainLib.prepared import Prepared
from MMGLTrainLib.scans_section import ScansSection
from MMGLTrainLib.told import as_ours, doing
from MMGLTrainLib.train_section import TrainSection
from MMGLTrainLib.welcome import Welcome

POLL = 250
"""Milliseconds between two looks at what is being done."""


class Panel:
    """Connects the form with the logic, and the sections with one another.

    Args:
        form: what ``MMGLTrain.ui`` describes.
        logic: the logic of the module.
        load: returns the form of a section by the name of its file.
    """

    def __init__(self, form, logic, load):
        self.form, self.logic = form, logic
        self.ui = slicer.util.childWidgetVariables(form)
        self.parameters = self._links = None
        self._turning = False
        self.desk = logic.desk = Desk(logic)
        self.message = Message(self.ui, {}, lambda: names_of(self.desk.study))
        self.desk.onFail, self.desk.onChanged = self.message.fail, self.onChanged
        self._make_sections(load)
        self.advanced, self.prepared = Advanced(self.ui), Prepared(self.ui, self.desk, self.message)
        self.welcome = Welcome(form, self.ui, logic, self.open)
        self.ui.changeButton.connect("clicked()", self.onAnother)
        self.ui.noticeButton.connect("clicked()", self.onFindStudy)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL)
        self._timer.connect("timeout()", self.onTimeout)
        self.show()
        try:
            setup.require_slicer()
        except MMGLError as error:
            self.message.fail(error)

    def follow(self, parameters):
        """Show the settings of a scene, or of none while it is closed; the study stays open."""
        if self._links is not None:
            self.parameters.disconnectGui(self._links)
            self._links = None
        self.parameters = parameters
        if parameters is None:
            self.advanced.follow(None)
            self.sections["labels"].let_go()
            return
        self._links = parameters.connectGui(self.form)
        self.advanced.follow(parameters)
        if self.desk.opened is None and parameters.study and Path(parameters.study, "study.json").is_file():
            self.open(lambda: self.logic.openStudy(parameters.study))
        elif self.desk.opened is not None and parameters.study != str(self.desk.opened.folder):
            parameters.study = str(self.desk.opened.folder)
        self.show()

    def close(self):
        """End what is being done and let go of everything."""
        self._timer.stop()
        self.follow(None)
        for section in self.sections.values():
            section.close()
        self.desk.forget()
        self.logic.closeStudy()

    def open(self, how):
        """Open or make a study; what goes wrong is shown, and then the answer is False."""
        self.message.say("")
        self.sections["labels"].let_go()
        self.desk.forget()
        try:
            study = how()
        except (MMGLError, OSError) as error:
            self.message.fail(as_ours(error))
            self.show()
            return False
        self.welcome.keep(study.folder)
        if self.parameters is not None:
            self.parameters.study = str(study.folder)
        if study.cases:
            self.desk.survey()
        self._timer.start()
        self.show()
        self._step = self._next()[0]
        self.turn_to(self._step)
        return True

    def show(self):
        """Show the study, and in every section what is new of it."""
        opened = self.desk.opened
        there = opened is not None
        self.ui.welcomeFrame.visible, self.ui.studyFrame.visible = not there, there
        self.welcome.show()
        for name, section in self.sections.items():
            getattr(self.ui, f"{name}Section").visible = there
            section.follow(opened.study if there else None)
        self.ui.advancedSection.visible = there
        self.prepared.show()
        if there:
            study = opened.study
            words = _("{name}: {scans} scans, {labelled} labelled")
            count = sum(case.label is not None for case in study.cases)
            self.ui.studyLabel.text = words.format(name=study.folder.name, scans=len(study.cases), labelled=count)
            self.ui.studyLabel.toolTip = str(study.folder)
        self._show_line()

    def turn_to(self, name):
        """Open one section and fold the others."""
        self._turning = True
        for other in self.sections:
            getattr(self.ui, f"{other}Section").collapsed = other != name
        self._turning = False
        self._show_line()

    def onChanged(self):
        """Show what changed."""
        self.show()
        self._hand_over()

    def onTimeout(self):
        """Look at what is being done."""
        self.desk.poll()
        self.sections["labels"].poll()
        self._show_line()
        self._hand_over()

    def onAnother(self):
        """Leave this study."""
        self._timer.stop()
        self.sections["labels"].let_go()
        self.desk.forget()
        self.logic.closeStudy()
        if self.parameters is not None:
            self.parameters.study = ""
        self.message.say("")
        self.show()

    def onFindStudy(self):
        """Find the folder of a study that was moved, or look again whether it is free."""
        if self.desk.opened.read_only:
            folder = str(self.desk.opened.folder)
            self.open(lambda: self.logic.openStudy(folder))
            return
        self.welcome.onOpen()

    def _make_sections(self, load):
        kinds = {"scans": ScansSection, "labels": LabelsSection, "train": TrainSection, "models": ModelsSection}
        self.sections, self._step = {}, "scans"
        for name, kind in kinds.items():
            form, button = load(kind.__name__), getattr(self.ui, f"{name}Section")
            button.layout().addWidget(form)
            section = self.sections[name] = kind(form, self.logic)
            section.onChanged = self.onChanged
            button.connect("contentsCollapsed(bool)", lambda collapsed, name=name: self.onFolded(name, collapsed))
        self.sections["scans"].onLabel = self.sections["train"].onShow = self.onLabel
        self.sections["models"].onOpen = lambda folder: self.open(lambda: self.logic.openStudy(folder))

    def onFolded(self, name, collapsed):
        """Opening one section folds the others; whoever opens one has read the message."""
        if not (collapsed or self._turning):
            self.message.say("")
            self.turn_to(name)

    def onLabel(self, case):
        """Open a case to be labelled."""
        self.sections["labels"].open_case(case)
        self.turn_to("labels")

    def _hand_over(self):
        """Open the next section where one has nothing left to do; from Labels only the user goes on."""
        if self.desk.errands.busy or self.desk.opened is None:
            return
        before, self._step = self._step, self._next()[0]
        ahead = list(self.sections).index(self._step) > list(self.sections).index(before)
        if ahead and before != "labels" and not getattr(self.ui, f"{before}Section").collapsed:
            self.turn_to(self._step)

    def _next(self):
        """Return the section in which there is something to do, and what."""
        for name, section in self.sections.items():
            words = section.next_step()
            if words:
                return name, words
        return "models", ""

    def _next_here(self):
        """Return what to do next in the section that is open; that a folder or a label waits is said anywhere."""
        if self.desk.asked and self.ui.scansSection.collapsed:
            return _("A folder waits for your answer: open Scans.")
        labels, folded = self.sections["labels"], self.ui.labelsSection.collapsed
        waits = _("A label waits for your answer: open Labels.")
        if folded and labels.keeping.question is not None:
            return waits
        here = [name for name in self.sections if not getattr(self.ui, f"{name}Section").collapsed]
        here += ["train"] if self.sections["train"].busy else []
        if words := next(filter(None, (self.sections[name].next_step() for name in here)), ""):
            return words
        name, words = self._next()
        return waits if folded and name == "labels" and labels.asks else words

    def _show_line(self):
        """Show what to do next, what is being done, and what is the matter with the study."""
        opened, errands = self.desk.opened, self.desk.errands
        gone = opened is not None and opened.is_gone()
        locked = opened is not None and opened.read_only
        self.ui.noticeFrame.visible = gone or locked
        if gone:
            self.ui.noticeLabel.text = str(MMGLError("slicer.study_gone", path=opened.folder))
        elif locked:
            self.ui.noticeLabel.text = str(MMGLError("slicer.read_only", study=opened.folder.name))
        self.ui.noticeButton.text = _("Find folder…") if gone else _("Look again")
        labels = self.sections["labels"].busy
        self.ui.busyFrame.visible = bool(labels or errands.busy)
        done, of = (0, 0) if labels else errands.progress
        counted = _("{what}, {done} of {of}") if of else "{what}"
        self.ui.busyLabel.text = counted.format(what=labels or doing(errands.busy), done=done, of=of)
        self.ui.busyBar.maximum, self.ui.busyBar.value = of, done
        if opened is None:
            self.ui.statusLabel.text = _("Try the sample, or start your own study.")
        elif gone or locked:
            self.ui.statusLabel.text = _("Look around; nothing can be changed now.")
        elif errands.busy in ("add", "series", "sample"):
            self.ui.statusLabel.text = _("Wait a moment, or keep working in Slicer.")
        else:
            self.ui.statusLabel.text = self._next_here() or _("All is done. Add scans, or train again, at any time.")
