"""The first five minutes: the sample, an own study, or one that is there."""

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

RECENT = "MMGL/RecentStudy"
"""Setting of this computer: the study that was open last."""


class Welcome:
    """What is shown while no study is open.

    Args:
        form: of the panel.
        ui: its widgets.
        logic: of the module.
        onOpen: of the panel: takes what opens or makes a study, and returns whether it went well.
    """

    def __init__(self, form, ui, logic, onOpen):
        self._form, self._ui, self._logic, self._open = form, ui, logic, onOpen
        ui.sampleButton.connect("clicked()", self.onSample)
        ui.startButton.connect("clicked()", self.onStart)
        ui.nameEdit.connect("textChanged(QString)", self.onName)
        ui.nameEdit.connect("returnPressed()", self.onStart)
        ui.openButton.connect("clicked()", self.onOpen)
        ui.recentButton.connect("clicked()", self.onRecent)
        self.onName()

    def show(self):
        """Offer the last study, where it still is."""
        recent = str(slicer.app.settings().value(RECENT) or "")
        self._ui.recentButton.visible = bool(recent) and (Path(recent) / "study.json").is_file()
        self._ui.recentButton.text = _("Go on with {name}").format(name=Path(recent).name)

    def keep(self, folder):
        """Remember the study on this computer."""
        slicer.app.settings().setValue(RECENT, str(folder))

    def onName(self):
        """A study needs a name."""
        named = bool(self._ui.nameEdit.text.strip())
        self._ui.startButton.enabled = named
        self._ui.startButton.toolTip = (
            _("Makes an empty study in your documents.") if named else _("Type a name first.")
        )

    def onSample(self):
        """Make the sample study."""
        if self._open(lambda: self._logic.newStudy(free_folder(_("Sample hearts")))):
            self._logic.desk.fill_sample()

    def onStart(self):
        """Make an empty study under the documents."""
        from mmgl.study.cases import clean_name

        name = self._ui.nameEdit.text.strip()
        if name:
            self._open(lambda: self._logic.newStudy(free_folder(clean_name(name))))

    def onOpen(self):
        """Open a study that is there."""
        folder = qt.QFileDialog.getExistingDirectory(self._form, _("Choose the folder of the study"))
        if folder:
            self._open(lambda: self._logic.openStudy(folder))

    def onRecent(self):
        """Go on with the last study."""
        folder = str(slicer.app.settings().value(RECENT))
        self._open(lambda: self._logic.openStudy(folder))


def free_folder(name):
    """Return a folder for a new study of this name, under the documents, that is not there yet."""
    documents = Path(qt.QStandardPaths.writableLocation(qt.QStandardPaths.DocumentsLocation))
    number, folder = 2, documents / "MMGL" / name
    while folder.exists():
        folder, number = folder.with_name(f"{name} {number}"), number + 1
    return folder
