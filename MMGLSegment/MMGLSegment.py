"""MMGLSegment: segment a scan of the scene with a model you trained or were given.

From the Python console, also without a main window:

    from MMGLSegment import MMGLSegmentLogic
    node = MMGLSegmentLogic().segment(volumeNode, "heart.mmgl")
"""

import sys
import time
from pathlib import Path
from typing import Annotated

import slicer
from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

try:
    import MMGLLib  # noqa: F401
except ModuleNotFoundError:  # in the source tree the shared packages lie one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))


class MMGLSegment(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MMGL Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.contributors = ["The MMGL authors"]
        parent.helpText = _(
            "Choose a scan and a model, and click Segment. The result is a new segmentation that you can edit; nothing "
            "of yours is changed, and nothing leaves this computer. Models are made with MMGL Train."
        )
        parent.helpText += self.getDefaultModuleDocumentationLink()
        parent.acknowledgementText = _("Not a medical device. See the README for the papers whose methods it uses.")


@parameterNodeWrapper
class MMGLSegmentParameterNode:
    """What is saved with the scene."""

    scan: vtkMRMLScalarVolumeNode
    result: vtkMRMLSegmentationNode
    model: str
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])]


class MMGLSegmentWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel, and how it follows the scene."""

    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic = None
        self.panel = None

    def setup(self):
        """Make the panel. Nothing is installed, downloaded or imported that is not there."""
        from MMGLSegmentLib.panel import Panel

        ScriptedLoadableModuleWidget.setup(self)
        self.logic = MMGLSegmentLogic()
        form = slicer.util.loadUI(self.resourcePath("UI/MMGLSegment.ui"))
        self.layout.addWidget(form)
        form.setMRMLScene(slicer.mrmlScene)
        self.panel = Panel(form, self.logic)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEndClose)
        self.panel.follow(self.logic.getParameterNode())

    def cleanup(self):
        """Leave nothing behind: no process, no timer, no observer."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self.panel = None
            from MMGLLib import worker

            worker.close()

    def enter(self):
        """Show what the scene has now."""
        self.panel.follow(self.logic.getParameterNode())

    def exit(self):
        """A run goes on while another module is open."""

    def onSceneStartClose(self, caller, event):
        """Let go of all nodes before they vanish."""
        self.panel.follow(None)

    def onSceneEndClose(self, caller, event):
        """Begin again with what the scene has now."""
        self.panel.follow(self.logic.getParameterNode())


class MMGLSegmentLogic(ScriptedLoadableModuleLogic):
    """Segmenting from the console and from other modules; works without a main window and never opens a dialog."""

    def getParameterNode(self):
        """Return the settings that are saved with the scene."""
        return MMGLSegmentParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    def segment(self, volumeNode, model, device="auto", structures=None, wait=True, onEvent=None):
        """Segment a scan into a new segmentation node.

        Args:
            volumeNode: the scan; it is only read.
            model: path of the ``.mmgl`` file.
            device: ``auto``, ``cpu`` or ``cuda``.
            structures: names of those wanted; all when None.
            wait: whether to return only when it is done. In a panel do not wait.
            onEvent: called with ``{"event": "done", "node": ...}``, ``{"event": "cancelled", ...}`` or
                ``{"event": "failed", "error": ..., "details": ...}``, from within ``poll``.

        Returns:
            The segmentation node; without waiting, a ``Segmenting``: call its ``poll()`` now and then until it is
            true, or ``cancel()``.

        Raises:
            MMGLError: with words that say what to do.
        """
        from MMGLLib.segmenting import Segmenting

        run = Segmenting(volumeNode, model, device, structures, onEvent)
        if not wait:
            return run
        try:
            while not run.poll():
                time.sleep(0.05)
        finally:
            run.abandon()
        if run.error is not None:
            raise run.error
        return run.node

    def addToTraining(self, segmentationNode, volumeNode, studyFolder, meanings=None):
        """Add a scan with its corrected segmentation to a study, and return the name of the case.

        Args:
            segmentationNode: what is painted; it is marked as completed, and otherwise only read.
            volumeNode: the scan it is painted on; only read.
            studyFolder: of the study; the scan and the label are written into it as new files.
            meanings: from names of segments to names of structures of the study, for those it cannot know; an empty
                name where a segment is not for training.

        Raises:
            MMGLError: with words that say what to do.
        """
        from MMGLLib.training_cases import add_case

        return add_case(segmentationNode, volumeNode, studyFolder, meanings)


class MMGLSegmentTest(ScriptedLoadableModuleTest):
    """The self-test behind *Reload and Test*: the same tests that run without the application."""

    def runTest(self):
        import unittest

        folder = Path(__file__).resolve().parents[1] / "Testing" / "slicer"
        if not folder.is_dir():
            self.delayDisplay(_("The tests are in the source of MMGL, which is not here."))
            return
        sys.path.insert(0, str(folder))
        found = unittest.defaultTestLoader.discover(str(folder), "test_segment*.py")
        outcome = unittest.TextTestRunner(verbosity=2).run(found)
        if not outcome.wasSuccessful():
            raise AssertionError(f"{len(outcome.failures) + len(outcome.errors)} tests failed")
