"""The section *Train*: begin a training, watch it, stop it, find it again."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from MMGLLib import setup, training
from MMGLLib.anonymous import names_of
from MMGLLib.messages import MMGLError
from MMGLLib.setting_up import SettingUp
from MMGLTrainLib.live_view import LiveView
from MMGLTrainLib.notice import Notice
from MMGLTrainLib.queued import Queued
from MMGLTrainLib.ready import Ready
from MMGLTrainLib.work import say_end, show_work, tell_elsewhere

POLL, HURRY = 500, 20
"""Milliseconds between two looks at a training; the shorter ones while there is much to read."""


class TrainSection:
    """One of the four parts of the panel.

    Args:
        form: what ``TrainSection.ui`` describes.
        logic: of MMGLTrain.

    Attributes:
        onChanged: called when a training began or ended.
        onShow: called with the name of a case that somebody wants to see.
    """

    onChanged = None
    onShow = None

    def __init__(self, form, logic):
        self.form, self.logic = form, logic
        self.ui = slicer.util.childWidgetVariables(form)
        self.study = self.training = None
        self._seen_working = False
        self.ready, self.live = Ready(self.ui), LiveView(self.ui)
        self.queued, self.notice = Queued(self.ui), Notice(self.ui, lambda: names_of(self.study))
        self.setting_up = SettingUp(self.notice.say, self._fail, self.onWheels, self.onSetUp, _("Train"))
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL)
        self._timer.connect("timeout()", self.onTimeout)
        self.ui.trainButton.connect("clicked()", self.onTrainOrStop)
        self.ui.thenButton.connect("clicked()", self.onThen)
        self.ui.checksLabel.connect("linkActivated(QString)", self.onLink)
        self.follow(None)

    def follow(self, study):
        """Show a study, and its training where one is at work or was interrupted; nothing when None."""
        another = self.study is None or study is None or study.folder != self.study.folder
        self.study = study
        self.form.enabled = study is not None
        if another:
            self.notice.say("")
            self.training = None
            self.setting_up.offer_to_go_on()
            found = training.trainings(study.folder)[-1:] if study is not None else []
            if found:
                self._watch(found[0])
        self.ready.follow(study, self._findings())
        self.queued.follow(self.training)
        self.live.follow(self.training, study)
        self._show_state()
        if study is not None:
            self._timer.start()

    def next_step(self):
        """Return what to do next here, in words; empty when nothing is left."""
        if self.study is None:
            return ""
        if self.busy:
            return _("It is training. Go on working, or close Slicer: it goes on by itself.")
        if self.training is not None and self.training.look.state in ("failed", "lost", "stopped"):
            return _("Go on with the training, or begin a new one.")
        if self.training is not None and self.training.model is not None:
            return ""
        return self.ready.hindrance or _("Click Train.")

    def close(self):
        """Let go of everything; the training itself goes on."""
        self._timer.stop()
        self.ready.close()
        self.live.close()
        self.study = self.training = None

    @property
    def busy(self):
        """Whether a training is at work."""
        return self.training is not None and self.training.look.works

    def onTrainOrStop(self):
        """Train, or stop and keep what was learned, or end what does not stop."""
        if self.busy:
            if self.training.stop_asked:
                self.training.kill()
            else:
                self.training.stop()
            self._show_state()
            return
        chosen = self.logic.getParameterNode()
        self._begin(
            lambda: self.logic.startTraining(
                self.study,
                budget=self.ready.budget,
                method=chosen.method,
                seed=chosen.seed,
                device=chosen.device or "auto",
                planes=chosen.planes,
                again=self.ready.again,
            )
        )

    def onContinue(self):
        """Go on with a training that was interrupted."""
        self._begin(lambda: training.resume_training(self.training, self._device()))

    def onContinueOnProcessor(self):
        """Go on with a training that has lost its graphics card."""
        self._begin(lambda: training.resume_training(self.training, "cpu"))

    def onKeep(self):
        """Make a model of what an interrupted training had saved."""
        self._begin(lambda: training.resume_training(self.training, self._device(), only_keep=True))

    def onThen(self):
        """Choose a folder that is segmented with the model once there is one."""
        folder = qt.QFileDialog.getExistingDirectory(self.form, _("Choose the folder with the scans to segment"))
        if folder:
            self.then_segment(Path(folder))

    def then_segment(self, folder):
        """Queue a folder; its results go into a new folder beside it."""
        output = folder.with_name(f"{folder.name} {self.training.name}")
        training.then_segment(self.training, folder, output)
        self.queued.follow(self.training)

    def onLink(self, case):
        """Show a case that a line of the list is about."""
        if self.onShow is not None:
            self.onShow(case)

    def onWheels(self):
        """Choose the folder that PyTorch is installed from."""
        return qt.QFileDialog.getExistingDirectory(self.form, _("Choose the folder of wheels"))

    def onSetUp(self):
        """Look again at what this computer can train with."""
        self.ready.ask_machine()
        self._timer.start()
        self._show_state()

    def onTimeout(self):
        """Look at what goes on; stop looking when nothing does."""
        asking = self.ready.poll()
        waiting = self.queued.poll()
        self._show_state()
        if self.training is None or not self.training.works:
            if not (asking or waiting):
                self._timer.stop()
            return
        self.training.poll()
        self._timer.setInterval(HURRY if self.training.behind else POLL)
        if not self.training.behind:
            self.live.show()
        if not self.training.works:
            self._ended()
        self._show_state()

    def _begin(self, start):
        """Start a training, or say why not."""
        self.notice.say("")
        try:
            if setup.missing():
                raise MMGLError("slicer.no_torch")
            desk = getattr(self.logic, "desk", None)
            if desk is not None and desk.opened is not None:
                desk.opened.require_writable()
            self._watch(start())
        except MMGLError as error:
            self._fail(error)
            return
        self.queued.follow(self.training)
        self.live.follow(self.training, self.study)
        self._timer.start()
        self._show_state()
        self._changed()

    def _watch(self, found):
        """Follow a training from now on."""
        self.training = found
        found.poll()
        self._seen_working = found.look.works  # a look may come before its end, and its last events after it
        if not found.works:
            self._ended()

    def _ended(self):
        """Say how a training ended, once; others are told only if it was seen at work, as they know the rest."""
        self._timer.setInterval(POLL)
        if self.training.look.state == "finished":
            self.ready.remember(self.training.story)
            self.ready.follow(self.study, self._findings())
        say_end(self.training, self.notice, self._ways_on())
        if self._seen_working:
            tell_elsewhere(self.ui.noticeLabel.text)
            self._changed()

    def _ways_on(self):
        """Return the buttons that fit the end of the training."""
        look, go_on = self.training.look, (_("Continue"), self.onContinue)
        if look.key in self.setting_up.ways:
            return self.setting_up.ways[look.key]
        if not self.training.resumable:
            return []
        if look.key == "device.lost":
            return [go_on, (_("Continue on the processor"), self.onContinueOnProcessor)]
        if look.state == "stopped" or not self.training.story.errors:
            return [go_on]
        return [go_on, (_("Use it as it is"), self.onKeep)]

    def _fail(self, error, log=""):
        """Show what is in the way, with the buttons that put it right."""
        self.notice.fail(str(error), log, *self.setting_up.ways.get(error.key, ()))

    def _findings(self):
        desk = getattr(self.logic, "desk", None)  # where the panel keeps what the checks found
        return desk.open_findings() if desk is not None and self.study is not None else []

    def _device(self):
        return self.logic.getParameterNode().device or "auto"

    def _changed(self):
        if self.onChanged is not None:
            self.onChanged()

    def _show_state(self):
        busy, ui = self.busy, self.ui
        ui.readyFrame.visible, ui.workFrame.visible = not busy, busy
        if busy:
            show_work(ui, self.training)
        else:
            hindrance = self.ready.hindrance if self.study is not None else ""
            ui.trainButton.text = _("Train")
            ui.trainButton.enabled = self.study is not None and not hindrance and not self.setting_up.busy
            ui.trainButton.toolTip = hindrance or _("Begins at once, in the background.")
