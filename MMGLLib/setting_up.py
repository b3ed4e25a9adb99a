"""Setting up from a panel: the one confirmation, the folder of wheels, and going on after Slicer was closed."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from MMGLLib import setup
from MMGLLib.messages import MMGLError

Way = tuple[str, Callable[[], None]]


class SettingUp:
    """What a panel does to install PyTorch. A click is always the answer to a question, so none is asked twice.

    Args:
        say: shows words.
        fail: shows an error, with what pip said.
        choose: asks for the folder of wheels, and returns it or an empty string.
        on_changed: called when something began or ended.
        button: what is clicked once all is there, in words.

    Attributes:
        busy: whether something is being installed.
        ways: by the key of an error the buttons that put it right, the likeliest first.
    """

    def __init__(
        self,
        say: Callable[[str], None],
        fail: Callable[[MMGLError, str], None],
        choose: Callable[[], str],
        on_changed: Callable[[], None],
        button: str,
    ) -> None:
        self._say, self._fail, self._choose, self._on_changed, self._button = say, fail, choose, on_changed, button
        self.busy = self._anew = False
        again = (_("Try again"), self.install)
        from_folder = (_("Install from a folder…"), self.install_from_folder)
        self.ways: dict[str, list[Way]] = {
            "slicer.no_torch": [(_("Install"), self.install), from_folder],
            "slicer.broken_torch": [(_("Repair"), self.repair)],
            "slicer.interrupted": [(_("Go on"), self.go_on)],
            "slicer.network": [from_folder, again],
            "slicer.wheels": [(_("Choose another folder…"), self.install_from_folder)],
            "slicer.disk": [again],
            "slicer.not_installed": [again],
        }

    def offer_to_go_on(self) -> None:
        """Tell of a set-up that Slicer was closed in."""
        if not self.busy and setup.pending() is not None:
            self._fail(MMGLError("slicer.interrupted"), "")

    def go_on(self) -> None:
        """Go on with it, from where it came."""
        folder = setup.pending() or ""
        self._begin("" if folder == "network" else folder)

    def install(self) -> None:
        """Install what is missing from the network."""
        self._begin()

    def install_from_folder(self) -> None:
        """Install what is missing from a folder."""
        if folder := self._choose():
            self._begin(folder)

    def repair(self) -> None:
        """Install torch anew."""
        self._begin(anew=True)

    def _begin(self, folder: str = "", anew: bool = False) -> None:
        if self.busy:
            return
        self.busy, self._anew = True, anew
        slow = _("Installing PyTorch. This takes a few minutes, in which Slicer hardly answers.")
        quick = _("Installing PyTorch. This takes a few minutes; you can go on working.")
        self._say(slow if setup.waits(folder) else quick)
        self._on_changed()
        setup.SetUp(self._ended, folder, anew)

    def _ended(self, error: MMGLError | None, log: str) -> None:
        self.busy = False
        if error is not None:
            self._fail(error, log)
        elif self._anew:
            self._say(
                _("PyTorch was installed again. Restart Slicer, then click {button}.").format(button=self._button)
            )
        else:
            self._say(_("PyTorch is installed. Click {button}.").format(button=self._button))
        self._on_changed()
