"""How far a run is: a bar, the stage in words, and the time that is left."""

import time

from slicer.i18n import tr as _

from mmgl.messages import CATALOGUE


class Progress:
    """The bar and the words beside it.

    Args:
        ui: the widgets of the panel.
    """

    def __init__(self, ui):
        self.ui = ui
        self._begun, self._last = 0.0, {}
        self.end()

    def begin(self):
        """Show that something has begun, of which nothing is known yet."""
        self._begun, self._last = time.monotonic(), {}
        self.ui.progressBar.visible = True
        self.ui.progressBar.setRange(0, 0)

    def end(self):
        """Show nothing any more."""
        self.ui.progressBar.visible = False

    def tell(self, event):
        """Keep what a run told of itself."""
        self._last = {**self._last, **event}
        share = float(self._last.get("share") or 0)
        if share > 0:
            self.ui.progressBar.setRange(0, 100)
            self.ui.progressBar.setValue(round(100 * share))

    def words(self):
        """Return stage and time in words."""
        last, parts = self._last, []
        if "of" in last:
            parts.append(_("{done} of {of} scans are done").format(done=last["done"], of=last["of"]))
        else:
            parts.append(CATALOGUE.get(last.get("stage") or "progress.starting", ""))
        if "frames" in last:
            parts.append(_("frame {frame} of {frames}").format(frame=last["frame"], frames=last["frames"]))
        parts.append(time_left(last.get("seconds_left"), time.monotonic() - self._begun))
        return " · ".join(part for part in parts if part)


def time_left(seconds, passed):
    """Return the time that is left in words, or how long it has taken where that is not known."""
    if seconds is None:
        return _("{seconds} s").format(seconds=int(passed)) if passed >= 2 else ""
    if seconds < 10:
        return _("a few seconds left")
    if seconds < 90:
        return _("{seconds} s left").format(seconds=10 * round(seconds / 10))
    return _("{minutes} min left").format(minutes=round(seconds / 60))
