"""The panel: what is on it at each moment, and what its buttons do."""

import qt
import slicer
from slicer.i18n import tr as _

from MMGLLib import models, nodes, sequences, setup, worker
from MMGLLib.messages import MMGLError
from MMGLLib.setting_up import SettingUp
from MMGLSegmentLib.actions import actions, way_on
from MMGLSegmentLib.adding import Adding
from MMGLSegmentLib.advanced import Advanced
from MMGLSegmentLib.folder import Folder
from MMGLSegmentLib.model_list import ModelList
from MMGLSegmentLib.one_scan import OneScan
from MMGLSegmentLib.progress import Progress
from MMGLSegmentLib.question import Question
from MMGLSegmentLib.result import Result
from MMGLSegmentLib.training import Training

POLL, HURRY = 100, 10
"""Milliseconds between two looks at a run; the shorter ones while it goes on only when it is looked at."""


class Panel:
    """Connects the widgets of the form with the logic.

    Args:
        form: what ``MMGLSegment.ui`` describes.
        logic: the logic of the module.
    """

    def __init__(self, form, logic):
        self.form, self.logic = form, logic
        self.ui = slicer.util.childWidgetVariables(form)
        self.parameters = self.run = self._links = self._answer = None
        self.here = False
        self.setting_up = SettingUp(
            lambda words: self.message.say(words),
            lambda *said: self.message.fail(*said),
            self.onWheels,
            self.onSetUp,
            _("Segment"),
        )
        self.message = Question(self.ui, actions(self), self._names)
        self.models, self.progress = ModelList(self.ui.modelSelector), Progress(self.ui)
        self.advanced, self.result, self.adding = Advanced(self), Result(self), Adding(self)
        self.one_scan, self.folder, self.training = OneScan(self), Folder(self), Training(self)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL)
        self._timer.connect("timeout()", self.onTimeout)
        self.ui.wheelsButton.connect("clicked()", self.setting_up.install_from_folder)
        self.ui.repairButton.connect("clicked()", self.setting_up.repair)
        self.ui.scanSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputs)
        self.ui.framesCheckBox.connect("toggled(bool)", self.onInputs)
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.onModel)
        self.models.show()
        self.onModel()
        try:
            setup.require_slicer()
        except MMGLError as error:
            self.message.fail(error)

    def follow(self, parameters):
        """Show the settings of a scene, or of none while it is closed; a run for the scene before is ended."""
        if self._links is not None:
            self.parameters.disconnectGui(self._links)
            self._links = None
        scene = self.run.scene if self.run is not None else None
        if scene is not None and (parameters is None or scene is not slicer.mrmlScene):
            self._end_run()
        self.parameters = parameters
        if parameters is None:
            self.result.show(None)
            return
        self._links = parameters.connectGui(self.form)
        self.models.show()  # MMGL Train may have added one
        self.models.choose(parameters.model)
        self.advanced.follow(parameters)
        self.result.show(parameters.result)
        self.onModel()
        self.setting_up.offer_to_go_on()
        self.folder.find_again()

    def leave(self):
        """The user goes elsewhere: what is asked for goes on, and nothing else is begun."""
        self.here = False
        self.result.editor.leave()
        worker.rest()

    def close(self):
        """End the run and let go of everything."""
        self.follow(None)
        self._end_run()
        self.result.leave()
        worker.close()

    def start(self, begin, onEnd):
        """Begin something that goes on in the background, and follow it.

        Args:
            begin: makes the run, whose events come to ``onEvent``.
            onEnd: called with the event of its end.
        """
        self.message.say("")
        try:
            if setup.missing():
                raise MMGLError("slicer.no_torch")
            self.run = begin()
        except MMGLError as error:
            self.message.fail(error, action=way_on(self, error))
            return
        self._answer = onEnd
        self.progress.begin()
        self._timer.start()
        self.show_state()

    def onTimeout(self):
        """Look at the run."""
        if self.run is not None and not self.run.poll():
            self._timer.setInterval(HURRY if self.run.hurries else POLL)
            if self.ui.segmentButton.enabled:
                self.ui.statusLabel.text = self.progress.words()

    def onEvent(self, event):
        """Show how far a run is, or hand over how it ended."""
        if event["event"] == "progress":
            self.progress.tell(event)
            return
        if event["event"] == "fit":
            self._say_fit("\n".join(event["told"]))
            return
        self._end_run()
        self._answer(event)
        self.show_state()

    def add_model(self, path):
        """Keep a model file or a study in the list of this computer, and choose it."""
        self.message.say("")
        try:
            self.models.add(path)
        except MMGLError as error:
            self.message.fail(error)

    def onModel(self):
        """Show the structures of the model and how well it fits the scan."""
        model = self.models.current()
        if self.parameters is not None and model:
            self.parameters.model = model
        card = self.models.card(model)
        self.ui.modelSelector.toolTip = models.words(card) if card else _("The model to segment with.")
        self.advanced.show_structures(card)
        self._show_suggested(card)
        self.onInputs()

    def onInputs(self):
        """Say what to do next and what speaks against this model for this scan, and have the model loaded meanwhile."""
        scan, card = self.ui.scanSelector.currentNode(), self.models.card(self.models.current())
        try:
            said = models.fit_of(card, scan) if scan and card else ""
        except MMGLError as error:
            said = str(error)
        self._say_fit(said)
        self.ui.framesCheckBox.visible = sequences.frames_of(scan) is not None
        self.show_state()
        if self.here and scan and card and self.run is None and not setup.missing():
            worker.prepare(self.models.current(), self.ui.deviceSelector.currentData)

    def onWheels(self):
        """Choose the folder that PyTorch is installed from."""
        return qt.QFileDialog.getExistingDirectory(self.form, _("Choose the folder of wheels"))

    def onSetUp(self):
        """Show what can be done now that PyTorch is being installed, or is there."""
        self.models.show()
        self.advanced.show_computer()
        self.show_state()

    def onNodeRemoved(self):
        """Show no result that is not there any more; the parameters hear of it later."""
        if self.result.node is not None and self.result.node.GetScene() is None:
            self.result.show(None)
            self.show_state()

    def scan_of_result(self, node=None):
        """Return the scan that a result lies on: the result chosen in the scene unless another one is given."""
        node = node or (self.parameters.result if self.parameters is not None else None)
        return nodes.reference_of(node) if node is not None else None

    def show_state(self):
        """Enable what can be done now, and say what to do next."""
        scan, model, busy = self.ui.scanSelector.currentNode(), self.models.current(), self.run is not None
        missing = _("Choose a scan.") if scan is None else _("Add a model.") if not model else ""
        missing = missing or (_("Choose a structure.") if self.advanced.wanted() == [] else "")
        self.ui.segmentButton.text = _("Cancel") if busy else _("Segment")
        self.ui.segmentButton.enabled = busy or not (missing or self.setting_up.busy)
        self.ui.segmentButton.toolTip = missing or (_("Ends it; nothing is changed.") if busy else "")
        for widget in (self.ui.inputsSection, self.ui.advancedSection, self.ui.addToTrainingButton):
            widget.enabled = not busy
        if busy:
            self.ui.statusLabel.text = self.progress.words()
        elif missing:
            self.ui.statusLabel.text = missing
        else:
            done = _("Correct the result where needed.")
            self.ui.statusLabel.text = done if self.result.node is not None else _("Click Segment.")

    def _show_suggested(self, card):
        """Offer to keep only the largest piece where the training of the model found that better."""
        suggested = models.gained(card) if card else ""
        self.ui.largestCheckBox.enabled = self.ui.largestCheckBox.visible = bool(suggested)
        self.ui.largestLabel.visible = bool(suggested)
        self.ui.largestLabel.text = _("This model suggests it for: {names}").format(names=suggested)

    def _say_fit(self, said):
        self.ui.fitLabel.text = said
        self.ui.fitLabel.visible = bool(said)

    def _names(self):
        scan = self.ui.scanSelector.currentNode()
        return [*([scan.GetName()] if scan else []), *self.training.names()]

    def _end_run(self):
        run, self.run = self.run, None
        self._timer.stop()
        self.progress.end()
        if run is not None:
            run.abandon()
        self.show_state()
