"""What the panel tells the user: words, one thing to do, and a report to copy."""

import platform
from pathlib import PurePath

import slicer

import mmgl
from MMGLLib.anonymous import anonymous

SYSTEM = f"{platform.system()} {platform.release()} {platform.machine()}"
"""Not ``platform.platform()``, which starts a process and waits for it."""


class Message:
    """The frame with a message.

    Args:
        ui: the widgets of the panel.
        actions: text and callable of the button, by the key of the error it can put right.
        names: returns the names at hand, which no report may hold.
    """

    def __init__(self, ui, actions, names=list):
        self.ui, self._actions, self._names = ui, actions, names
        self._action, self._report = None, ""
        ui.actionButton.connect("clicked()", self.onAction)
        ui.copyButton.connect("clicked()", self.onCopy)
        self.say("")

    def say(self, words, action=("", None)):
        """Show words, or nothing; ``action`` is the text and the callable of a button."""
        self._show(words, *action)

    def fail(self, error, log="", action=None):
        """Show an error, the one thing to do about it, and a button that copies a report with the log."""
        self._show(without_folders(error), *(action or self._actions.get(error.key, ("", None))))
        self.ui.messageLabel.toolTip = str(error)
        self._report = report(error.key, log, [*_told(error), *self._names()])
        self.ui.copyButton.visible = True

    def onAction(self):
        """Do the one thing."""
        self._action()

    def onCopy(self):
        """Copy the report."""
        slicer.app.clipboard().setText(self._report)

    def _show(self, words, text, action):
        self.ui.messageFrame.visible = bool(words)
        self.ui.messageLabel.text, self.ui.messageLabel.toolTip = words, ""
        self.ui.actionButton.text, self._action = text, action
        self.ui.actionButton.visible = action is not None
        self.ui.copyButton.visible = False


def report(said, log, names=()):
    """Return what a user may send to who can help: versions, computer, and a log in which no name is named."""
    versions = f"MMGL {mmgl.__version__}, Slicer {slicer.app.majorVersion}.{slicer.app.minorVersion}"
    return "\n".join([said, versions, SYSTEM, anonymous(log, names)])


def _told(error):
    """Return what an error names; numbers are no names."""
    return [str(value) for value in error.parameters.values() if isinstance(value, str | PurePath)]


def without_folders(error):
    """Return the words of an error with files by their names alone; the tool tip has them in full."""
    words = str(error)
    for value in error.parameters.values():
        if isinstance(value, PurePath) or (isinstance(value, str) and PurePath(value).is_absolute()):
            words = words.replace(str(value), PurePath(value).name)
    return words
