"""What a beginner never opens: the method, where to compute, and in which slices. The rest is bound to its widget."""

import qt
from slicer.i18n import tr as _

from mmgl.methods import METHODS, USUAL


class Advanced:
    """Keeps method, device and planes with the scene.

    Args:
        ui: the widgets of the panel.
    """

    def __init__(self, ui):
        self._ui, self._parameters = ui, None
        for name in sorted(METHODS, key=lambda name: name != USUAL):
            text = METHODS[name][2]
            text = text[:1].upper() + text[1:]
            shown = _("As usual: {text}").format(text=text) if name == USUAL else text
            ui.methodSelector.addItem(shown, name)
            ui.methodSelector.setItemData(ui.methodSelector.count - 1, shown, qt.Qt.ToolTipRole)
        devices = {"auto": _("Automatic"), "cpu": _("Processor"), "cuda": _("NVIDIA graphics card")}
        for value, text in devices.items():
            ui.deviceSelector.addItem(text, value)
        planes = {
            "": _("Automatic"),
            "axial": _("Axial slices only"),
            "coronal": _("Coronal slices only"),
            "sagittal": _("Sagittal slices only"),
        }
        for value, text in planes.items():
            ui.planesSelector.addItem(text, value)
        ui.planesSelector.connect("currentIndexChanged(int)", self.onChoice)
        ui.methodSelector.connect("currentIndexChanged(int)", self.onChoice)
        ui.deviceSelector.connect("currentIndexChanged(int)", self.onChoice)

    def follow(self, parameters):
        """Show the settings of a scene, or let go of them."""
        self._parameters = None
        if parameters is None:
            return
        for selector, value in (
            (self._ui.methodSelector, parameters.method),
            (self._ui.deviceSelector, parameters.device),
            (self._ui.planesSelector, parameters.planes),
        ):
            selector.setCurrentIndex(max(0, selector.findData(value)))
        self._parameters = parameters

    def onChoice(self):
        """Keep what was chosen."""
        if self._parameters is not None:
            self._parameters.method = self._ui.methodSelector.currentData
            self._parameters.device = self._ui.deviceSelector.currentData
            self._parameters.planes = self._ui.planesSelector.currentData
