"""The section Labels: painting the study's structures, one case after the other."""

import slicer
from slicer.i18n import tr as _

from MMGLLib import case_nodes
from MMGLLib.messages import MMGLError
from MMGLTrainLib.answers import Question
from MMGLTrainLib.desk import in_our_words
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
        self.shown = self._editor = None
        self._pending = None  # the case whose label waits for answers: name, file, answers, questions left
        self._said = ""
        self._question = Question(self.ui.questionLabel, self.ui.answerFrame, self.ui.sameBox, self.onAnswer)
        self.suggesting = Suggesting(self.ui, logic, self.open_case)
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
            self._pending, self._said = None, ""
            self.let_go()
        self.suggesting.follow(study)
        self._show()

    def next_step(self):
        """Return what to do next here."""
        study = self.desk.study
        if study is None or not study.cases:
            return ""
        if (self._pending is not None and self._pending["left"]) or self._asked():
            return _("Answer the question under the editor.")
        if self.open_now and self.shown.state == "draft":
            return _("Look at the draft, correct it, and accept it.")
        if self.open_now and self.shown.state in ("new", "drafting"):
            return _("Paint your structures in a few slices, then click Done with this case.")
        if not study.labelled:
            return _("Double-click a scan, and paint your structures in it.")
        return ""

    def close(self):
        """Let go of the case; what is painted stays in the scene."""
        self.suggesting.close()
        self.let_go()
        self.ui.segmentEditor.setActiveEffect(None)
        self.ui.segmentEditor.removeViewObservations()

    @property
    def open_now(self):
        """Whether a case is open."""
        return self.shown is not None and self.shown.there

    def let_go(self):
        """Let go of the nodes of the case."""
        self.shown = self._editor = None
        self.ui.segmentEditor.setSegmentationNode(None)
        self._show()

    def open_case(self, name):
        """Show a case in the slice views and in the editor; the case before stays in the scene until it is done."""
        study = self.desk.study
        try:
            shown = case_nodes.show_case(study, study.case(name))
        except MMGLError as error:
            self.desk.onFail(error)
            return
        before, self.shown = self.shown, shown
        if before is not None and before.name != name and before.there and before.state == "done":
            before.remove()  # its label is kept in the study
        case_nodes.show_alone(shown)
        if self._editor is None or self._editor.GetScene() is not slicer.mrmlScene:
            editor = slicer.vtkMRMLSegmentEditorNode()
            editor.SetSingletonTag("MMGLTrain")
            self._editor = slicer.mrmlScene.AddNode(editor)
            self.ui.segmentEditor.setMRMLSegmentEditorNode(self._editor)
        self.ui.segmentEditor.setSegmentationNode(shown.segmentation)
        self.ui.segmentEditor.setSourceVolumeNode(shown.volume)
        self._said = ""
        self._show()

    def onNext(self):
        """Open the next case without a label, after the one that is open."""
        name = self.next_name()
        if name:
            self.open_case(name)
            self.onChanged()

    def next_name(self):
        """Return the case to label next: the first suggested one, else the next one in the list."""
        study = self.desk.study
        waiting = [case.name for case in study.unlabelled if case.name not in self.desk.missing] if study else []
        now = self.shown.name if self.open_now else ""
        if self._pending is not None:
            waiting = [name for name in waiting if name != self._pending["case"]]
        suggested = [name for name in self.suggesting.names if name in waiting and name != now]
        names = [case.name for case in study.cases] if study else []
        later = [name for name in waiting if now in names and names.index(name) > names.index(now)]
        others = [name for name in waiting if name != now]
        return next(iter([*suggested, *later, *others]), "")

    def onDraft(self):
        """Begin with a copy of another segmentation, or accept the one that was begun with."""
        try:
            if self.shown.state == "draft":
                self.shown.accept()
            else:
                source = self.ui.draftSelector.currentNode()
                if source is None:
                    raise MMGLError("slicer.no_draft")
                case_nodes.use_draft(self.shown, source, self.desk.study.structures)
                source.SetDisplayVisibility(False)
                self.ui.draftSelector.setCurrentNode(None)
        except MMGLError as error:
            self.desk.onFail(error)
        self._show()
        self.onChanged()

    def onDone(self):
        """Save what is painted, and have it understood."""
        folder = self.desk.opened.folder
        path = folder / "labels" / "new" / f"{self.shown.name}.seg.nrrd"
        try:
            self.desk.opened.require_writable()  # a folder that went away must not be made anew
            self._said = case_nodes.write_label(self.shown, path)
        except MMGLError as error:
            self.desk.onFail(error)
            return
        self.shown.done()
        self._pending = {"case": self.shown.name, "path": path, "answers": {}, "left": []}
        self._understand()
        self._show()
        self.onChanged()

    def onAnswer(self, value, everywhere):
        """Take an answer: what a segment is, or how far a label reaches."""
        if self._pending is not None and self._pending["left"]:
            question = self._pending["left"].pop(0)
            self._pending["answers"][question["parameters"]["name"]] = value
            if not self._pending["left"]:
                self._understand()
        else:
            self.desk.answer(self._asked(), value, everywhere)
        self._show()
        self.onChanged()

    def onEvent(self, event):
        """Take over what a label means."""
        kind, pending = event["event"], self._pending
        if pending is None:
            return
        if kind == "asked":
            pending["left"] = [in_our_words(question) for question in event["questions"]]
        elif kind == "understood":
            self._pending = None
            kept = pending["path"].parents[1] / pending["path"].name
            try:
                pending["path"].replace(kept)
                self.desk.opened.set_label(pending["case"], kept, event["meanings"], event["structures"])
            except MMGLError as error:
                self.desk.onFail(error)
            self.desk.survey()
        elif kind == "failed":
            self._pending = None
            self.desk.onFail(self.desk.told(event))
        self._show()
        self.onChanged()

    def _understand(self):
        pending = self._pending
        self.desk.understand(pending["case"], pending["path"], pending["answers"], self.onEvent)

    def _asked(self):
        """Return the first open question of the checks about a label that was made here, or None."""
        name = self.shown.name if self.open_now else ""
        return next((f for f in self.desk.open_findings() if f["choices"] and f["case"] == name and name), None)

    def _show(self):
        study, here = self.desk.study, self.open_now
        self.ui.editorFrame.visible, self.ui.hintLabel.visible = here, not here
        words = {
            "new": _("not begun"),
            "drafting": _("not done yet"),
            "draft": _("a draft, to be looked at"),
            "done": _("done"),
        }
        state = self.shown.state if here else ""
        if here:
            self.ui.caseLabel.text = f"<b>{self.shown.name}</b>, {words[state]}"
        else:
            self.ui.caseLabel.text = _("No scan is open. Double-click one in the list of scans.")
        self.ui.nextButton.enabled = bool(study) and bool(self.next_name())
        draft = state == "draft"
        self.ui.draftButton.text = _("Accept the draft") if draft else _("Use as draft")
        self.ui.draftButton.visible = draft or self.ui.draftSelector.currentNode() is not None
        self.ui.draftSelector.visible = not draft
        self.ui.doneButton.enabled = here and not draft and self.desk.writable and self._pending is None
        reason = _("Accept the draft first, or erase what is wrong in it.") if draft else ""
        self.ui.doneButton.toolTip = reason or _("Saves what is painted in the study.")
        self.ui.chipLabel.visible, self.ui.chipLabel.text = bool(self._said) and here, self._said
        left = self._pending["left"] if self._pending is not None else []
        question = left[0] if left else self._asked() if study else None
        alike = [f for f in self.desk.findings if question and f["key"] == question["key"]]
        self._question.ask(question, several=not left and len(alike) > 1)
        self.ui.questionFrame.visible = question is not None
