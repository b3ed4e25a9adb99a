"""The section *Advanced*: where and how it is computed, what of the scan, and what MMGL keeps on this computer."""

import qt
from slicer.i18n import tr as _

from MMGLLib import cache, regions, setup

OPTIONS = ("doubt", "mirror", "finer", "largest", "tidy")


class Advanced:
    """The widgets of the section, which no beginner needs.

    Args:
        panel: the panel they are on.
    """

    def __init__(self, panel):
        self.panel, self.ui = panel, panel.ui
        devices = {"auto": _("Automatic"), "cpu": _("Processor"), "cuda": _("NVIDIA graphics card")}
        for value, text in devices.items():
            self.ui.deviceSelector.addItem(text, value)
        self.ui.deviceSelector.connect("currentIndexChanged(int)", self.onDevice)
        self.ui.structuresList.connect("itemChanged(QListWidgetItem*)", self.onStructures)
        self.ui.regionSelector.connect("nodeAddedByUser(vtkMRMLNode*)", self.onNewRegion)
        self.ui.openCacheButton.connect("clicked()", self.onOpenCache)
        self.ui.clearCacheButton.connect("clicked()", self.onClearCache)
        self.ui.advancedSection.connect("contentsCollapsed(bool)", self.show_computer)

    def follow(self, parameters):
        """Show the settings of a scene that widgets cannot show by themselves."""
        self.ui.deviceSelector.setCurrentIndex(max(0, self.ui.deviceSelector.findData(parameters.device)))

    def show_structures(self, card):
        """List the structures of a model, those that were left out before without their mark."""
        parameters = self.panel.parameters
        left_out = parameters.leftOut.split("\n") if parameters is not None else []
        self.ui.structuresList.blockSignals(True)
        self.ui.structuresList.clear()
        for structure in card.structures if card else ():
            row = qt.QListWidgetItem(structure.name)
            row.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
            row.setCheckState(qt.Qt.Unchecked if structure.name in left_out else qt.Qt.Checked)
            self.ui.structuresList.addItem(row)
        self.ui.structuresList.blockSignals(False)
        self.ui.mirrorCheckBox.enabled = card is not None and card.plan.pictures  # others never saw a mirrored slice

    def wanted(self):
        """Return the names of the structures to segment, None for all."""
        rows = self._rows()
        chosen = [row.text() for row in rows if row.checkState() == qt.Qt.Checked]
        return None if len(chosen) == len(rows) else chosen

    def asked(self):
        """Return all that it says, as the logic takes it."""
        boxes = {name: getattr(self.ui, f"{name}CheckBox") for name in OPTIONS}
        settings = {name: True for name, box in boxes.items() if box.checked and box.enabled}
        return {"device": self.ui.deviceSelector.currentData, "structures": self.wanted(), **settings}

    def onDevice(self):
        """Keep the device with the scene."""
        if self.panel.parameters is not None:
            self.panel.parameters.device = self.ui.deviceSelector.currentData

    def onStructures(self):
        """Keep what is left out with the scene."""
        if self.panel.parameters is not None:
            out = [row.text() for row in self._rows() if row.checkState() == qt.Qt.Unchecked]
            self.panel.parameters.leftOut = "\n".join(out)
        self.panel.onInputs()

    def onNewRegion(self, roi):
        """Lay a region that was just made around the scan, so that its sides can be drawn to where they should be."""
        scan = self.ui.scanSelector.currentNode()
        if scan is not None and scan.GetImageData() is not None:
            regions.fit(roi, scan)

    def onOpenCache(self):
        """Show the folder of temporary files."""
        cache.folder().mkdir(parents=True, exist_ok=True)
        open_folder(cache.folder())

    def onClearCache(self):
        """Empty it."""
        cache.clear()
        self.show_computer()

    def show_computer(self):
        """Say what MMGL has on this computer; looked up only where it can be seen."""
        if self.ui.advancedSection.collapsed:
            return
        self.ui.cacheSizeLabel.text = _("{size:.1f} MB").format(size=cache.size() / 1e6)
        self.ui.cacheSizeLabel.toolTip = str(cache.folder())
        self.ui.torchStateLabel.text = _("not installed yet") if setup.missing() else _("installed")
        self.ui.repairButton.enabled = not setup.missing()

    def _rows(self):
        return [self.ui.structuresList.item(i) for i in range(self.ui.structuresList.count)]


def open_folder(path):
    """Show a folder in the file browser of the system."""
    qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(path)))
