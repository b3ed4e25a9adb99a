"""Runs that go on beside everything else: looked at by a timer until they have ended."""

from contextlib import suppress

import qt

from MMGLLib.messages import MMGLError

POLL = 20
"""Milliseconds between two looks."""


class Going:
    """The runs that go on, if any."""

    def __init__(self):
        self._runs = []
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL)
        self._timer.connect("timeout()", self.onTimeout)

    @property
    def run(self):
        """The run that was begun last, or None once it has ended, also while it tells how."""
        return next((run for run in reversed(self._runs) if not run.ended), None)

    def start(self, run):
        """Begin a run in the place of what goes on; it tells itself how it ends."""
        self.close()
        self.add(run)

    def add(self, run):
        """Begin a run beside what goes on."""
        self._runs.append(run)
        self._timer.start()
        self.onTimeout()

    def onTimeout(self):
        """Let them go on for a moment."""
        for run in self._runs.copy():  # how one ends may begin another
            if run.poll() and run in self._runs:
                self._runs.remove(run)
        if not self._runs:
            self._timer.stop()

    def hurry(self):
        """Do all that needs the scene, which is about to go; what is done aside goes on."""
        for run in self._runs.copy():
            while not run.poll() and not run.idle:
                pass

    def finish(self):
        """Wait for all ends, as Slicer is about to end too."""
        while (run := self.run) is not None:
            with suppress(MMGLError):  # it has told of it
                run.finish()
        self.close()

    def close(self):
        """End them without a word."""
        self._timer.stop()
        while self._runs:
            self._runs.pop().abandon()
