"""The button *Add*: which models the user has."""

import qt
from slicer.i18n import tr as _


class Adding:
    """The menu of the button.

    Args:
        panel: the panel.
    """

    def __init__(self, panel):
        self.panel = panel
        self._menu = qt.QMenu(panel.form)
        self._menu.addAction(_("A model file (.mmgl)…")).connect("triggered()", self.onModel)
        self._menu.addAction(_("All models of a study…")).connect("triggered()", self.onStudy)
        panel.ui.addModelButton.setMenu(self._menu)

    def onModel(self):
        """Add a model file to the list."""
        file = qt.QFileDialog.getOpenFileName(
            self.panel.form, _("Choose a model"), "", _("MMGL models (*.mmgl)")
        )  # fmt: skip
        if file:
            self.panel.add_model(file)

    def onStudy(self):
        """Add the models of a study to the list."""
        folder = qt.QFileDialog.getExistingDirectory(self.panel.form, _("Choose the folder of a study"))
        if folder:
            self.panel.add_model(folder)
