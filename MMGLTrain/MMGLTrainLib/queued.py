"""What is queued for after a training: a folder that its model segments."""

import html
import time
from pathlib import Path

from slicer.i18n import tr as _

from MMGLLib.training import segmented

SECONDS = 2.0
"""Between two looks at the queue."""

MOST = 5
"""Scans that were left out of which it is said why; the table of the results has all."""


class Queued:
    """The line about what comes after the training.

    Args:
        ui: the widgets of the section.
    """

    def __init__(self, ui):
        self.ui, self._training, self._turns, self._looked = ui, None, [], 0.0

    def follow(self, training):
        """Show what waits for a training, or for none."""
        self._training = training
        self._look()

    def poll(self):
        """Look now and then, and return whether something is still to be done."""
        if self._turns and time.monotonic() - self._looked > SECONDS:
            self._look()
        self.ui.thenButton.visible = self._training is not None and self._training.look.works
        self.ui.thenFrame.visible = bool(self._turns) or (self._training is not None and self._training.look.works)
        return any(turn.state != "over" for turn in self._turns)

    def _look(self):
        self._looked = time.monotonic()
        self._turns = self._training.then() if self._training is not None else []
        self.ui.thenLabel.text = "<br>".join(_words(turn) for turn in self._turns)
        self.poll()


def _words(turn):
    """Return a line about one folder, as HTML."""
    folder, output = Path(turn.arguments[2]), Path(turn.arguments[turn.arguments.index("--output") + 1])
    look, facts, more = turn.look(), {"folder": folder.name}, ""
    if look.state == "waiting":
        words = _("Then the folder {folder} is segmented.")
    elif look.works:
        words = _("Segmenting {folder}: {done} of {of}")
        facts.update(done=look.status.get("done", 0), of=look.status.get("of", "…"))
    elif look.state == "finished":
        done, skipped = segmented(turn)
        words = _("The folder {folder} is segmented: {done} done, {skipped} left out. The results are in")
        facts.update(done=done, skipped=len(skipped))
        more = f' <a href="{output.as_uri()}">{html.escape(output.name)}</a>.'
        more = "<br>".join([more, *map(html.escape, skipped[:MOST])])
    elif look.state == "stopped":
        words = _("{folder} was not segmented, as the training was stopped.")
    else:
        words = _("{folder} was not segmented: {words}")
        facts.update(words=look.words)
    return html.escape(words.format(**facts)) + more
