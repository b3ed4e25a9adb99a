"""The section Labels: painting the study's structures, one case after the other."""

import slicer
from slicer.i18n import tr as _

from MMGLLib import case_nodes
from MMGLLib.editor import Editor
from MMGLLib.messages import MMGLError
from MMGLLib.opening_case import OpeningCase
from MMGLLib.taking_draft import TakingDraft
from MMGLTrainLib.answers import Question
from MMGLTrainLib.going import Going
from MMGLTrainLib.keeping import Keeping
from MMGLTrainLib.structures import Structures
from MMGLTrainLib.suggesting import Suggesting


class LabelsSection:
    """One of the four parts of the panel.

    Args:
        form: what ``LabelsSection.ui`` describes.
        logic: the logic of the module, with its desk.

    Attributes:
        shown: the nodes of the case that is open (``CaseNodes``), or None.
    """

    onChanged = None

    def __init__(self, form, logic):
        self.form, self.logic, self.desk = form, logic, logic.desk
        self.ui = slicer.util.childWidgetVariables(form)
        self.shown, self.editor = None, Editor(self.ui.segmentEditor, "MMGLTrain")
        self._state = ""
        self._going, self.keeping = Going(), Keeping(self.desk, self._changed)
        self._question = Question(self.ui.questionLabel, self.ui.answerFrame, self.ui.sameBox, self.onAnswer)
        self.suggesting = Suggesting(self.ui, logic, self.open_case)
        self.structures = Structures(self.ui, self.desk, self.onMeant)
        for widget in (self.ui.segmentEditor, self.ui.draftSelector):
            widget.setMRMLScene(slicer.mrmlScene)
        self.ui.nextButton.connect("clicked()", self.onNext)
        self.ui.doneButton.connect("clicked()", self.onDone)
        self.ui.draftButton.connect("clicked()", self.onDraft)
        self.ui.draftSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._show)
        self._show()

    def follow(self, study):
        """Show how far the labels of a study are, or nothing."""
        if study is None:
            self.let_go()
            self.keeping.forget()
        self.keeping.follow(study)
        self.suggesting.follow(study)
        self.structures.follow(study)
        self._show()

    def next_step(self):
        """Return what to do next here."""
        study = self.desk.study
        if study is None or not study.cases:
            return ""
        if self.asks:
            return _("Answer the question under the editor.")
        if self.open_now and self.shown.state == "draft":
            return _("Look at the draft, correct it, and accept it.")
        if self.open_now and self.shown.state in ("new", "drafting"):
            return _("Paint your structures in a few slices, then click Done with this case.")
        if not study.labelled:
            return _("Double-click a scan, and paint your structures in it.")
        return ""

    def poll(self):
        """Keep what is painted now and then, whatever becomes of Slicer, and say that it is begun."""
        self.keeping.poll(self.shown)
        if self.open_now and self.shown.state != self._state:
            self._show()

    def close(self):
        """Let go of the case; what is painted stays in the scene."""
        self.suggesting.close()
        self.let_go()
        self.keeping.finish()

    @property
    def asks(self):
        """Whether there is a question under the editor."""
        return bool(self.keeping.question or self.structures.question or self._asked())

    @property
    def open_now(self):
        """Whether a case is open."""
        return self.shown is not None and self.shown.there

    @property
    def busy(self):
        """What is being done here, in words, or nothing."""
        if isinstance(self._going.run, OpeningCase):
            return _("Loading {case}").format(case=self._going.run.case.name)
        return _("Copying the draft") if self._going.run is not None else self.keeping.busy

    def let_go(self):
        """Let go of the nodes of the case, and keep in the study what is painted and not done."""
        self._going.close()
        self.keeping.leave(self.shown)
        self.shown = None
        self.editor.let_go()
        self._show()

    def open_case(self, name):
        """Show a case in the slice views and in the editor; the case before stays in the scene until it is done."""
        study = self.desk.study
        self._going.start(OpeningCase(study, study.case(name), self.onOpened, after=self.keeping.saving))
        self._show()

    def onOpened(self, event):
        """Take over the nodes of a case, or say why there are none."""
        if event["event"] == "failed":
            self.desk.onFail(event["error"])
            return
        before, self.shown = self.shown, event["shown"]
        self.keeping.opened(self.shown, event["new"])
        if before is not None and before.name != self.shown.name and before.there:
            if before.state == "done" and self.keeping.is_kept(before):
                before.remove()  # its label is kept in the study
            else:
                self.keeping.keep(before)
        case_nodes.show_alone(self.shown)
        self.editor.show(self.shown.segmentation, self.shown.volume)
        self.keeping.said = ""
        self._changed()

    def onNext(self):
        """Open the next case without a label, after the one that is open."""
        name = self.next_name()
        if name:
            self.open_case(name)
            self._changed()

    def next_name(self):
        """Return the case to label next: the first suggested one, else the next one in the list."""
        study = self.desk.study
        now = self.shown.name if self.open_now else ""
        passed = {*self.desk.missing, self.keeping.case, now}
        waiting = [case.name for case in study.unlabelled if case.name not in passed] if study else []
        suggested = [name for name in self.suggesting.names if name in waiting]
        names = [case.name for case in study.cases] if study else []
        later = [name for name in waiting if now in names and names.index(name) > names.index(now)]
        return next(iter([*suggested, *later, *waiting]), "")

    def onDraft(self):
        """Begin with a copy of another segmentation, or accept the one that was begun with."""
        if self.shown.state == "draft":
            self.shown.accept()
        elif (source := self.ui.draftSelector.currentNode()) is None:
            self.desk.onFail(MMGLError("slicer.no_draft"))
        else:
            self._going.start(TakingDraft(self.shown, source, self.desk.study.structures, self.onDrafted))
            source.SetDisplayVisibility(False)
            self.ui.draftSelector.setCurrentNode(None)
        self._changed()

    def onDrafted(self, event):
        """Show the draft, or say why there is none."""
        if event["event"] == "failed":
            self.desk.onFail(event["error"])
        self._changed()

    def onDone(self):
        """Save what is painted, and have it understood."""
        try:
            self.desk.opened.require_writable()  # a folder that went away must not be made anew
        except MMGLError as error:
            self.desk.onFail(error)
            return
        self.keeping.done(self.shown)
        self._changed()

    def onAnswer(self, value, everywhere):
        """Take an answer: what a segment is, or how far a label reaches."""
        if self.keeping.question is not None:
            self.keeping.answer(value)
        elif self.structures.question is not None:
            self.structures.answer(value)
        else:
            self.desk.answer(self._asked(), value, everywhere)
        self._changed()

    def onMeant(self, names):
        """Show those cases anew whose labels mean something else now; what is painted and not done stays."""
        for shown in case_nodes.all_in_scene(self.desk.study):
            if shown.name in names and shown.state == "done" and self.keeping.is_kept(shown):
                shown.remove()
                if self.shown is not None and self.shown.name == shown.name:
                    self.open_case(shown.name)

    def _asked(self):
        """Return the first open question of the checks about a label that was made here, or None."""
        name = self.shown.name if self.open_now else ""
        return next((f for f in self.desk.open_findings() if f["choices"] and f["case"] == name and name), None)

    def _changed(self):
        """Show what is new, here and elsewhere."""
        self._show()
        if self.onChanged is not None:
            self.onChanged()

    def _show(self):
        study, here, going = self.desk.study, self.open_now, self._going.run is not None
        self.ui.editorFrame.visible, self.ui.hintLabel.visible = here, not here
        words = {
            "new": _("not begun"),
            "drafting": _("not done yet"),
            "draft": _("a draft, to be looked at"),
            "done": _("done"),
        }
        state = self._state = self.shown.state if here else ""
        if here:
            self.ui.caseLabel.text = f"<b>{self.shown.name}</b>, {words[state]}"
        else:
            self.ui.caseLabel.text = _("No scan is open. Double-click one in the list of scans.")
        self.ui.nextButton.enabled = bool(study) and bool(self.next_name())
        draft = state == "draft"
        self.ui.draftButton.text = _("Accept the draft") if draft else _("Use as draft")
        self.ui.draftButton.visible = draft or self.ui.draftSelector.currentNode() is not None
        self.ui.draftButton.enabled = not going
        self.ui.draftSelector.visible = not draft
        self.ui.doneButton.enabled = here and not draft and self.desk.writable and not (going or self.keeping.case)
        reason = _("Accept the draft first, or erase what is wrong in it.") if draft else ""
        self.ui.doneButton.toolTip = reason or _("Saves what is painted in the study.")
        said = self.keeping.said
        self.ui.chipLabel.visible, self.ui.chipLabel.text = bool(said) and here, said
        self._show_question()

    def _show_question(self):
        mine = self.keeping.question or self.structures.question
        question = mine or (self._asked() if self.desk.study is not None else None)
        alike = [f for f in self.desk.findings if question and f["key"] == question["key"]]
        self._question.ask(question, several=mine is None and len(alike) > 1)
        self.ui.questionFrame.visible = question is not None
