"""What the widgets of both modules have in common: a panel follows the scene, and leaves nothing behind."""

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin


class ModuleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel of a module, which a module makes in ``make``.

    Attributes:
        logic: of the module.
        panel: connects the form with the logic; None before ``setup`` and after ``cleanup``.
    """

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def make(self, form):
        """Return the logic and the panel of the module, on a form with the scene."""
        raise NotImplementedError

    def setup(self):
        """Make the panel. Nothing is installed, downloaded or imported that is not there."""
        ScriptedLoadableModuleWidget.setup(self)
        form = self.load(self.moduleName)
        self.layout.addWidget(form)
        form.setMRMLScene(slicer.mrmlScene)
        self.logic, self.panel = self.make(form)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndClose)
        slicer.app.connect("aboutToQuit()", self.cleanup)
        self.panel.follow(self.logic.getParameterNode())

    def load(self, name):
        """Return the form that a file of the module describes."""
        return slicer.util.loadUI(self.resourcePath(f"UI/{name}.ui"))

    def cleanup(self):
        """Leave nothing behind: no process, no timer, no observer."""
        self.removeObservers()
        if self.panel is not None:
            slicer.app.disconnect("aboutToQuit()", self.cleanup)
            self.panel.close()
            self.panel = None

    def enter(self):
        """Show what the scene has now."""
        self.panel.follow(self.logic.getParameterNode())

    def onSceneStartClose(self, caller, event):
        """Let go of all nodes before they vanish."""
        self.panel.follow(None)

    def onSceneEndClose(self, caller, event):
        """Begin again with what the scene has now."""
        self.panel.follow(self.logic.getParameterNode())
