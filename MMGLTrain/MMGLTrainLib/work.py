"""How a training goes, and how it ended, in words."""

import time

import slicer
from slicer.i18n import tr as _

from mmgl.messages import CATALOGUE
from mmgl.wording import fill
from MMGLLib import study_models, times
from MMGLLib.messages import MMGLError
from MMGLTrainLib.score_table import headline

PATIENCE = 20.0
"""Seconds after *Stop and keep* before a training can be ended by force."""

LEAST = 0.1
"""Gigabytes on the disk that are worth a word."""


def show_work(ui, training):
    """Show how far a training is, and what its button does now."""
    story, words = training.story, training.words()
    if story.of:
        words = _("{words}: {done} of {of}").format(words=words, done=story.done, of=story.of)
    ui.stageLabel.text = words
    ui.progressBar.maximum = 1000 if story.share else 0  # it only moves until there is something to measure
    ui.progressBar.value = round(1000 * story.share)
    ui.timeLabel.text = _disk_words(story) or _time_words(story.seconds_left)
    asked, patient = training.stop_asked, time.monotonic() - training.stop_asked < PATIENCE
    ui.trainButton.enabled = not (asked and patient)
    asked_words = _("Stopping, and keeping what it has learned") if patient else _("End it now")
    ui.trainButton.text = asked_words if asked else _("Stop and keep")
    ui.trainButton.toolTip = _("Makes a model of what it has learned so far.")


def say_end(training, notice, ways_on):
    """Show in a notice how a training ended, with the buttons that lead on."""
    look = training.look
    if look.state == "finished":
        notice.say(_ready_words(training))
    elif look.state == "stopped":
        notice.say(look.words, *ways_on)
    elif look.state != "new":
        notice.fail(look.words, training.report(), *ways_on)


def tell_elsewhere(words):
    """Say in the status bar how a training ended, as the user may be in another module."""
    slicer.util.showStatusMessage(_("MMGL Train: {words}").format(words=words.partition("\n")[0]))


def _ready_words(training):
    """Return that there is a model, whether it is any good, and which one to use."""
    if training.model is None:  # it was taken away since
        return ""
    try:
        model = study_models.model_of(training.model)
    except MMGLError as error:
        return str(error)
    ready = _("{name} is ready.").format(name=model.name)
    return "\n".join([ready, headline(model), *model.said("compare.")])


def _disk_words(story):
    """Return the room that the scans take which are being prepared, where it is worth a word."""
    if story.stage != "progress.preparing" or story.disk.get("needed_gb", 0) < LEAST:
        return ""
    return fill(CATALOGUE["progress.disk"], {name: f"{value:.1f}" for name, value in story.disk.items()}) + "."


def _time_words(seconds):
    if seconds is None:
        return _("How long it will take is known in a moment.")
    ends = time.strftime("%H:%M", time.localtime(time.time() + seconds))
    return _("{left} left, ready at about {time}.").format(left=times.about(seconds).capitalize(), time=ends)
