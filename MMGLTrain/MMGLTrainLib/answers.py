"""A question in the panel: words, a button for each answer, and whether it holds for all scans."""

import qt
from slicer.i18n import tr as _

from mmgl.messages import CATALOGUE

NAMED = ("check.unnamed_value", "check.unknown_segment")
"""Questions to which a new structure can be the answer, whose name can be typed."""


class Question:
    """Asks one question at a time.

    Args:
        label: shows the words.
        frame: gets the buttons.
        same: a check box for "the same in all scans", or None.
        onAnswer: called with the value of the answer, and whether it is meant for all scans.
    """

    def __init__(self, label, frame, same, onAnswer):
        self._label, self._frame, self._same, self._onAnswer = label, frame, same, onAnswer
        self._buttons, self._several = [], False

    def ask(self, finding, several=False):
        """Ask a finding, or nothing; its default comes first.

        Args:
            finding: as ``errands.told`` gives it, or None.
            several: whether the same is asked about other scans too.
        """
        for button in self._buttons:
            self._frame.layout().removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        self._label.text = finding["words"] if finding else ""
        self._label.visible = finding is not None
        choices = finding["choices"] if finding else []
        self._frame.visible = bool(choices)
        if self._same is not None:
            self._several = bool(choices) and several
            self._same.visible = self._several
            self._same.checked = bool(finding) and finding["key"] == "check.gaps"
        default = finding["default"] if finding else ""
        names = finding is not None and finding["key"] in NAMED
        for value, words in sorted(choices, key=lambda choice: choice[0] != default):
            if names and words == CATALOGUE["choice.new"]:
                self._add_name(value, words)
                continue
            button = qt.QPushButton(words)
            button.setProperty("answer", value)
            button.connect("clicked()", lambda value=value: self.answer(value))
            self._frame.layout().addWidget(button)
            self._buttons.append(button)

    def _add_name(self, value, words):
        """Add a button for a new structure, with a line for its name."""
        line, button = qt.QLineEdit(value), qt.QPushButton(words)
        line.placeholderText = _("Name of the new structure")
        line.toolTip = _("What it is called in this study; you can change it here.")
        button.setProperty("answer", value)
        button.connect("clicked()", lambda: self.answer(line.text.strip() or value))
        row = qt.QWidget()
        beside = qt.QHBoxLayout(row)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(line)
        beside.addWidget(button)
        self._frame.layout().addWidget(row)
        self._buttons += [button, line, row]

    def answer(self, value):
        """Give an answer, as its button does."""
        self._onAnswer(value, self._several and self._same.checked)
