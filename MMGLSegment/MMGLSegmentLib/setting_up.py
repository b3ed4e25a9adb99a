"""Setting up: the one confirmation, its progress, the folder of wheels, and going on with it after a restart."""

import qt
from slicer.i18n import tr as _

from MMGLLib import setup
from MMGLLib.messages import MMGLError


class SettingUp:
    """What the panel does to install PyTorch. A click is always the answer to a question, so none is asked twice.

    Args:
        panel: the panel.
    """

    def __init__(self, panel):
        self.panel = panel
        self.busy = False
        panel.ui.wheelsButton.connect("clicked()", self.onWheels)
        panel.ui.repairButton.connect("clicked()", self.onRepair)

    def offer_to_go_on(self):
        """Tell of a set-up that Slicer was closed in."""
        if not self.busy and setup.pending() is not None:
            self.panel.message.fail(MMGLError("slicer.interrupted"))

    def onGoOn(self):
        """Go on with it, from where it came."""
        folder = setup.pending() or ""
        self._begin("" if folder == "network" else folder)

    def onInstall(self):
        """Install what is missing from the network."""
        self._begin()

    def onWheels(self):
        """Install what is missing from a folder."""
        folder = qt.QFileDialog.getExistingDirectory(self.panel.form, _("Choose the folder of wheels"))
        if folder:
            self._begin(folder)

    def onRepair(self):
        """Install torch anew."""
        self._begin(anew=True)

    def _begin(self, folder="", anew=False):
        if self.busy:
            return
        self.busy, self._anew = True, anew
        self.panel.show_state()
        slow = _("Installing PyTorch. This takes a few minutes, in which Slicer hardly answers.")
        quick = _("Installing PyTorch. This takes a few minutes; you can go on working.")
        self.panel.message.say(slow if setup.waits(folder) else quick)
        setup.SetUp(self._ended, folder, anew)

    def _ended(self, error, log):
        self.busy = False
        if error is not None:
            self.panel.message.fail(error, log)
        elif self._anew:
            self.panel.message.say(_("PyTorch was installed again. Restart Slicer before you segment."))
        else:
            self.panel.message.say(_("PyTorch is installed. Click Segment."))
        self.panel.models.show()
        self.panel.advanced.show_computer()
        self.panel.show_state()
