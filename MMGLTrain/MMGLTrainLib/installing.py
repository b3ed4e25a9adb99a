"""Installing PyTorch at the first training: a click was the answer to the only question, and nothing waits for it."""

import qt
from slicer.i18n import tr as _

from MMGLLib import setup
from MMGLLib.messages import MMGLError


class Installing:
    """What is installed, and what is said of it.

    Args:
        form: of the section.
        notice: of the section.
        onChanged: called when there is something new to be seen.
    """

    def __init__(self, form, notice, onChanged):
        self._form, self._notice, self._onChanged = form, notice, onChanged
        self.busy = self._anew = False

    def fail(self, error, log=""):
        """Show what is in the way, with the buttons that put it right."""
        again = (_("Try again"), self.onInstall)
        from_folder = (_("Install from a folder…"), self.onWheels)
        ways = {
            "slicer.no_torch": [(_("Install"), self.onInstall), from_folder],
            "slicer.broken_torch": [(_("Repair"), self.onRepair)],
            "slicer.interrupted": [(_("Go on"), self.onGoOn)],
            "slicer.network": [again, from_folder],
            "slicer.wheels": [(_("Choose another folder…"), self.onWheels)],
            "slicer.rights": [],
        }
        self._notice.fail(str(error), log, *ways.get(error.key, [again]))

    def offer_to_go_on(self):
        """Tell of an installation that Slicer was closed in."""
        if not self.busy and setup.pending() is not None:
            self.fail(MMGLError("slicer.interrupted"))

    def onGoOn(self):
        """Go on with it, from where it came."""
        folder = setup.pending() or ""
        self._begin("" if folder == "network" else folder)

    def onInstall(self):
        """Install what is missing from the network."""
        self._begin()

    def onWheels(self):
        """Install what is missing from a folder."""
        folder = qt.QFileDialog.getExistingDirectory(self._form, _("Choose the folder of wheels"))
        if folder:
            self._begin(folder)

    def onRepair(self):
        """Install torch anew."""
        self._begin(anew=True)

    def _begin(self, folder="", anew=False):
        if not self.busy:
            self.busy, self._anew = True, anew
            slow = _("Installing PyTorch. This takes a few minutes, in which Slicer hardly answers.")
            quick = _("Installing PyTorch. This takes a few minutes; you can go on working.")
            self._notice.say(slow if setup.waits(folder) else quick)
            self._onChanged()
            setup.SetUp(self._ended, folder, anew)

    def _ended(self, error, log):
        self.busy = False
        if error is not None:
            self.fail(error, log)
        elif self._anew:
            self._notice.say(_("PyTorch was installed again. Restart Slicer, then train."))
        else:
            self._notice.say(_("PyTorch is installed. Click Train."))
        self._onChanged()
