"""What the panel tells the user: words, one thing to do, and a report to copy."""

import platform

import slicer

import mmgl


class Message:
    """The frame with a message.

    Args:
        ui: the widgets of the panel.
        actions: text and callable of the button, by the key of the error it can put right.
    """

    def __init__(self, ui, actions):
        self.ui, self._actions = ui, actions
        self._action, self._report = None, ""
        ui.actionButton.connect("clicked()", self.onAction)
        ui.copyButton.connect("clicked()", self.onCopy)
        self.say("")

    def say(self, words):
        """Show words, or nothing."""
        self._show(words, "", None)

    def fail(self, error, log=""):
        """Show an error, the one thing to do about it, and a button that copies a report with the log."""
        self._show(str(error), *self._actions.get(error.key, ("", None)))
        versions = f"MMGL {mmgl.__version__}, Slicer {slicer.app.majorVersion}.{slicer.app.minorVersion}"
        self._report = "\n".join([str(error), versions, platform.system(), platform.release(), log])
        self.ui.copyButton.visible = True

    def onAction(self):
        """Do the one thing."""
        self._action()

    def onCopy(self):
        """Copy the report."""
        slicer.app.clipboard().setText(self._report)

    def _show(self, words, text, action):
        self.ui.messageFrame.visible = bool(words)
        self.ui.messageLabel.text = words
        self.ui.actionButton.text, self._action = text, action
        self.ui.actionButton.visible = action is not None
        self.ui.copyButton.visible = False
