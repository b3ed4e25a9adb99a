"""What is queued for after a training: a folder that its model segments."""

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
        self.ui.thenLabel.text = "\n".join(_words(turn) for turn in self._turns)
        self.poll()


def _words(turn):
    """Return a line about one folder."""
    folder, output = Path(turn.arguments[2]), turn.arguments[turn.arguments.index("--output") + 1]
    look = turn.look()
    if look.state == "waiting":
        return _("Then the folder {folder} is segmented.").format(folder=folder.name)
    if look.works:
        facts = {"folder": folder.name, "done": look.status.get("done", 0), "of": look.status.get("of", "…")}
        return _("Segmenting {folder}: {done} of {of}").format(**facts)
    if look.state == "finished":
        done, skipped = segmented(turn)
        words = _("{folder} is segmented: {done} done, {skipped} left out. The results are in {output}")
        said = words.format(folder=folder.name, done=done, skipped=len(skipped), output=output)
        return "\n".join([said, *(_("{scan}: {words}").format(scan=scan, words=why) for scan, why in skipped[:MOST])])
    if look.state == "stopped":
        return _("{folder} was not segmented, as the training was stopped.").format(folder=folder.name)
    return _("{folder} was not segmented: {words}").format(folder=folder.name, words=look.words)
