"""The panel: what is on it at each moment, and what its buttons do."""

import time

import qt
import slicer
from slicer.i18n import tr as _

from MMGLLib import models, nodes, setup
from MMGLLib.message import Message
from MMGLLib.messages import MMGLError
from MMGLSegmentLib.model_list import ModelList

POLL = 150
"""Milliseconds between two looks at a run."""


class Panel:
    """Connects the widgets of the form with the logic.

    Args:
        form: what ``MMGLSegment.ui`` describes.
        logic: the logic of the module.
    """

    def __init__(self, form, logic):
        self.form, self.logic = form, logic
        self.ui = slicer.util.childWidgetVariables(form)
        self.parameters = self.run = self._links = self._editor = None
        self.models = ModelList(self.ui.modelSelector)
        self.message = Message(
            self.ui,
            {
                "slicer.no_torch": (_("Install"), self.onInstall),
                "slicer.broken_torch": (_("Repair"), self.onRepair),
                "slicer.no_model": (_("Add a model"), self.onAddModel),
                "slicer.died": (_("Try again"), self.onSegmentOrCancel),
            },
        )
        self._begun = 0.0
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL)
        self._timer.connect("timeout()", self.onTimeout)
        devices = {"auto": _("Automatic"), "cpu": _("Processor"), "cuda": _("NVIDIA graphics card")}
        for value, text in devices.items():
            self.ui.deviceSelector.addItem(text, value)
        self.ui.segmentButton.connect("clicked()", self.onSegmentOrCancel)
        self.ui.addModelButton.connect("clicked()", self.onAddModel)
        self.ui.addToTrainingButton.connect("clicked()", self.onAddToTraining)
        self.ui.scanSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.onInputs)
        self.ui.modelSelector.connect("currentIndexChanged(int)", self.onModel)
        self.ui.deviceSelector.connect("currentIndexChanged(int)", self.onDevice)
        self.models.show()
        self.onModel()

    def follow(self, parameters):
        """Show the settings of a scene, or of none while it is closed; a run for the scene before is ended."""
        if self._links is not None:
            self.parameters.disconnectGui(self._links)
            self._links = None
        gone = self.run is not None and (parameters is None or self.run.scene is not slicer.mrmlScene)
        if gone:
            self._end_run()
        self.parameters = parameters
        if parameters is None:
            self._show_result(None)
            return
        self._links = parameters.connectGui(self.form)
        self.models.show()  # MMGL Train may have added one
        self.models.choose(parameters.model)
        self.ui.deviceSelector.setCurrentIndex(max(0, self.ui.deviceSelector.findData(parameters.device)))
        self._show_result(parameters.result)
        self.onInputs()

    def close(self):
        """End the run and let go of everything."""
        self.follow(None)
        self._timer.stop()
        self.ui.segmentEditor.setActiveEffect(None)
        self.ui.segmentEditor.removeViewObservations()

    def onSegmentOrCancel(self):
        """Segment, or cancel what is being segmented."""
        if self.run is not None:
            self.run.cancel()
            self.ui.segmentButton.enabled = False
            self.ui.statusLabel.text = _("Cancelling")
            return
        self.message.say("")
        try:
            if setup.missing():
                raise MMGLError("slicer.no_torch")
            self.run = self.logic.segment(
                self.ui.scanSelector.currentNode(),
                self.models.current(),
                device=self.ui.deviceSelector.currentData,
                structures=self._wanted(),
                wait=False,
                onEvent=self.onEvent,
            )
        except MMGLError as error:
            self.message.fail(error)
            return
        self._begun = time.monotonic()
        self._timer.start()
        self._show_state()

    def onTimeout(self):
        """Look at the run."""
        if self.run is not None and not self.run.poll():
            self._show_time()

    def onEvent(self, event):
        """Show how a run ended."""
        scan = self.run.volume
        self._end_run()
        if event["event"] == "failed":
            self.message.fail(event["error"], event["details"])
        elif event["event"] == "cancelled":
            self.message.say(str(event["error"]))
        else:
            self.parameters.result = event["node"]
            self._show_result(event["node"], scan)
            empty = nodes.empty_segments(event["node"])
            if empty:
                self.message.say(
                    str(MMGLError("slicer.nothing_found", structures=", ".join(empty), scan=scan.GetName()))
                )

    def onAddModel(self):
        """Add a model file to the list."""
        file = qt.QFileDialog.getOpenFileName(self.form, _("Choose a model"), "", _("MMGL models (*.mmgl)"))
        if file:
            self.add_model(file)

    def add_model(self, file):
        """Keep a model file in the list of this computer, and choose it."""
        try:
            self.models.add(file)
        except MMGLError as error:
            self.message.fail(error)

    def onModel(self):
        """Show the structures of the model and how well it fits the scan."""
        model = self.models.current()
        if self.parameters is not None and model:
            self.parameters.model = model
        self.ui.structuresList.clear()
        card = self.models.card(model)
        self.ui.modelSelector.toolTip = models.words(card) if card else _("The model to segment with.")
        for structure in card.structures if card else ():
            row = qt.QListWidgetItem(structure.name)
            row.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
            row.setCheckState(qt.Qt.Checked)
            self.ui.structuresList.addItem(row)
        self.onInputs()

    def onDevice(self):
        """Keep the device with the scene."""
        if self.parameters is not None:
            self.parameters.device = self.ui.deviceSelector.currentData

    def onInputs(self):
        """Say what to do next, and what speaks against this model for this scan."""
        scan, card = self.ui.scanSelector.currentNode(), self.models.card(self.models.current())
        try:
            said = models.fit(card, nodes.grid_of(scan), models.channels_of(scan)) if scan and card else ""
        except MMGLError as error:
            said = str(error)
        self.ui.fitLabel.text = said
        self.ui.fitLabel.visible = bool(said)
        self._show_state()

    def onInstall(self):
        """Install what is missing; the click was the answer to the only question."""
        self.message.say("")
        setup.install()
        if setup.missing():
            self.message.fail(MMGLError("slicer.no_torch"))
        self.models.show()

    def onRepair(self):
        """Install torch anew."""
        setup.repair()
        self.message.say(_("PyTorch was installed again. Restart Slicer before you segment."))

    def onAddToTraining(self):
        """Add the corrected segmentation to a study."""
        folder = qt.QFileDialog.getExistingDirectory(self.form, _("Choose the folder of the study"))
        if not folder:
            return
        try:
            name = self.logic.addToTraining(self.parameters.result, self.parameters.scan, folder)
        except MMGLError as error:
            self.message.fail(error)
            return
        self.message.say(_("{name} is now a labelled case of the study.").format(name=name))

    def _show_state(self):
        scan, model, busy = self.ui.scanSelector.currentNode(), self.models.current(), self.run is not None
        missing = _("Choose a scan.") if scan is None else _("Add a model.") if not model else ""
        self.ui.segmentButton.text = _("Cancel") if busy else _("Segment")
        self.ui.segmentButton.enabled = busy or not missing
        self.ui.segmentButton.toolTip = missing or (_("Ends it; nothing is changed.") if busy else "")
        self.ui.progressBar.visible = busy
        for widget in (self.ui.inputsSection, self.ui.advancedSection):
            widget.enabled = not busy
        if busy:
            self._show_time()
        elif missing:
            self.ui.statusLabel.text = missing
        else:
            done = self.parameters is not None and self.parameters.result is not None
            self.ui.statusLabel.text = _("Correct the result where needed.") if done else _("Click Segment.")

    def _show_time(self):
        if self.ui.segmentButton.enabled:
            seconds = int(time.monotonic() - self._begun)
            self.ui.statusLabel.text = _("Segmenting, {seconds} s").format(seconds=seconds)

    def _show_result(self, node, scan=None):
        self.ui.resultSection.visible = node is not None
        self.ui.show3DButton.setSegmentationNode(node)
        if node is None:
            self.ui.segmentEditor.setSegmentationNode(None)
            return
        if self._editor is None or self._editor.GetScene() is not slicer.mrmlScene:
            editor = slicer.vtkMRMLSegmentEditorNode()
            editor.SetSingletonTag("MMGLSegment")
            self._editor = slicer.mrmlScene.AddNode(editor)
            self.ui.segmentEditor.setMRMLSegmentEditorNode(self._editor)
        self.ui.segmentEditor.setSegmentationNode(node)
        if scan is not None:
            self.ui.segmentEditor.setSourceVolumeNode(scan)
            node.CreateClosedSurfaceRepresentation()
        self._show_state()

    def _end_run(self):
        run, self.run = self.run, None
        self._timer.stop()
        if run is not None:
            run.abandon()
        self._show_state()

    def _wanted(self):
        rows = [self.ui.structuresList.item(i) for i in range(self.ui.structuresList.count)]
        chosen = [row.text() for row in rows if row.checkState() == qt.Qt.Checked]
        return None if len(chosen) == len(rows) else chosen
