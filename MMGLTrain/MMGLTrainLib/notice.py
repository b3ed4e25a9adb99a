"""A frame with a message: what happened, what it means, and buttons that do the things there are to do."""

import slicer

from MMGLLib.anonymous import anonymous
from MMGLLib.message import report


class Notice:
    """The message of a section.

    Args:
        ui: the widgets of the section.
        names: returns the names at hand, which no report may hold.
    """

    def __init__(self, ui, names):
        self.ui, self._names, self._actions, self._report = ui, names, [], ""
        ui.firstButton.connect("clicked()", self.onFirst)
        ui.secondButton.connect("clicked()", self.onSecond)
        ui.copyButton.connect("clicked()", self.onCopy)
        self.say("")

    def say(self, words, *actions):
        """Show words, or nothing.

        Args:
            words: for the user.
            *actions: at most two, each the text of a button and what it calls.
        """
        self.ui.noticeFrame.visible = bool(words)
        self.ui.noticeLabel.text = words
        self._actions = list(actions)
        for number, button in enumerate((self.ui.firstButton, self.ui.secondButton)):
            button.visible = number < len(actions)
            button.text = actions[number][0] if number < len(actions) else ""
        self.ui.copyButton.visible = False

    def fail(self, words, log, *actions):
        """Show what went wrong, with a button that copies a report with the log."""
        self.say(words, *actions)
        names = self._names()
        self._report = report(anonymous(words, names), log, names)
        self.ui.copyButton.visible = True

    def onFirst(self):
        """Do the first thing."""
        self._actions[0][1]()

    def onSecond(self):
        """Do the second thing."""
        self._actions[1][1]()

    def onCopy(self):
        """Copy the report."""
        slicer.app.clipboard().setText(self._report)
