"""MMGLSegment: segment a scan of the scene with a model you trained or were given.

From the Python console, also without a main window:

    from MMGLSegment import MMGLSegmentLogic
    node = MMGLSegmentLogic().segment(volumeNode, "heart.mmgl")
    node = MMGLSegmentLogic().segmentSequence(volumeNode, "heart.mmgl")
    MMGLSegmentLogic().segmentFolder("scans", "results", "heart.mmgl")
"""

import sys
from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)

try:
    import MMGLLib  # noqa: F401
except ModuleNotFoundError:  # in the source tree the shared packages lie one folder up
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from MMGLLib.module_widget import ModuleWidget

PAGE = "https://github.com/SlicerMMGL/SlicerMMGL#in-3d-slicer"
"""Slicer's own documentation, to which modules are linked otherwise, has no page about an extension."""


class MMGLSegment(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MMGL Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.contributors = ["The MMGL authors"]
        parent.dependencies = ["Segmentations", "Sequences", "Markups"]  # so that it is closed before them
        dark = slicer.app.palette().color(qt.QPalette.Window).lightness() < 128
        if dark:  # Slicer finds the one for light by itself
            parent.icon = qt.QIcon(self.resourcePath("Icons/MMGLSegmentDark.svg"))
        parent.helpText = _(
            "Choose a scan and a model, and click Segment. The result is a new segmentation that you can edit; nothing "
            "of yours is changed, and nothing leaves this computer. Models are made with MMGL Train."
        )
        parent.helpText += _('<p><a href="{page}">How to use it</a></p>').format(page=PAGE)
        parent.acknowledgementText = _("Not a medical device. See the README for the papers whose methods it uses.")
        slicer.app.connect("startupCompleted()", registerSampleData)


def registerSampleData():
    """Offer a heart that needs no download: a phantom, drawn on this computer."""
    import SampleData
    from MMGLSegmentLib import samples

    samples.register(SampleData, Path(__file__).parent / "Resources")


class MMGLSegmentWidget(ModuleWidget):
    """The panel, which begins nothing while the user is elsewhere."""

    def make(self, form):
        """Return the logic and the panel."""
        from MMGLSegmentLib.panel import Panel

        logic = MMGLSegmentLogic()
        return logic, Panel(form, logic)

    def setup(self):
        """Make the panel, and notice when a result is removed."""
        ModuleWidget.setup(self)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.onNodeRemoved)

    def enter(self):
        """Show what the scene has now."""
        self.panel.here = True
        self.panel.result.editor.enter()
        ModuleWidget.enter(self)

    def exit(self):
        """Begin nothing while the user is elsewhere."""
        if self.panel is not None:
            self.panel.leave()

    def onNodeRemoved(self, caller, event):
        """Show no result that is gone."""
        self.panel.onNodeRemoved()


class MMGLSegmentLogic(ScriptedLoadableModuleLogic):
    """Segmenting from the console and from other modules; works without a main window and never opens a dialog."""

    def getParameterNode(self):
        """Return the settings that are saved with the scene."""
        from MMGLSegmentLib.parameters import MMGLSegmentParameterNode

        return MMGLSegmentParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    def segment(
        self, volumeNode, model, device="auto", structures=None, wait=True, onEvent=None, region=None, **settings
    ):
        """Segment a scan into a new segmentation node.

        Args:
            volumeNode: the scan; it is only read.
            model: path of the ``.mmgl`` file.
            device: ``auto``, ``cpu`` or ``cuda``.
            structures: names of those wanted; all when None.
            wait: whether to return only when it is done. In a panel do not wait.
            onEvent: called from within ``poll`` with ``{"event": "progress", "stage", "share", "seconds_left"}`` now
                and then, and at the end with ``{"event": "done", "node", "empty", "check", "told"}``,
                ``{"event": "cancelled", "error"}`` or ``{"event": "failed", "error", "details"}``.
            region: a ``vtkMRMLMarkupsROINode``; only what lies in it is segmented, as it would be in the whole scan.
            settings: true or false, all false unless given: ``doubt`` also makes a volume that shows where to look
                twice, ``mirror`` averages each slice with its mirror image (only for models of pictures), ``finer``
                makes surfaces smooth across thick slices,
                ``largest`` keeps only the largest piece of the structures for which the model suggests it, ``tidy``
                keeps the largest piece of each structure and fills its holes, ``surfaces`` shows the result in 3-D
                where that does not take long, ``as_stored`` takes a scan that a transform bends as it was.
                ``lower``: names of structures to find at a lower threshold; ``pieces``: parts for a scan too large.

        Returns:
            The segmentation node; without waiting, a ``Segmenting``: call its ``poll()`` now and then until it is
            true, or ``cancel()``.

        Raises:
            MMGLError: with words that say what to do.
        """
        from MMGLLib.segmenting import Segmenting

        run = Segmenting(volumeNode, model, device, structures, onEvent, roi=region, **settings)
        return run.finish()["node"] if wait else run

    def segmentSequence(self, volumeNode, model, device="auto", structures=None, wait=True, onEvent=None, **settings):
        """Segment all frames of a sequence into a sequence of segmentations that plays along with it.

        Args:
            volumeNode: the volume that shows the current frame of the sequence.
            model, device, structures, wait, onEvent: as for ``segment``.
            settings: ``mirror``, ``largest`` and ``tidy``, as for ``segment``.

        Returns:
            The segmentation node that shows the current frame; without waiting a ``SegmentingFrames``, as ``segment``.
        """
        from MMGLLib.sequences import SegmentingFrames

        run = SegmentingFrames(volumeNode, model, device, structures, onEvent, **settings)
        return run.finish()["node"] if wait else run

    def segmentFolder(
        self, scansFolder, resultsFolder, model, device="auto", structures=None, wait=True, onEvent=None, **settings
    ):
        """Segment all scans below a folder into another one, in a process that goes on when Slicer is closed.

        Args:
            scansFolder: NIfTI, NRRD, MetaImage, DICOM and others; only read.
            resultsFolder: gets a ``.seg.nrrd`` for each scan and ``results.csv``; nothing in it is overwritten, and
                the same call goes on where it was left.
            model, device, structures, wait, settings: as for ``segment``.
            onEvent: as for ``segment``; ``progress`` has ``done`` and ``of``, ``done`` has ``output``, ``done`` and
                ``skipped`` (scan and reason).

        Returns:
            The path of the results; without waiting a ``SegmentingFolder``, as ``segment``.
        """
        from MMGLLib.folders import SegmentingFolder

        run = SegmentingFolder.start(scansFolder, resultsFolder, model, device, structures, onEvent, **settings)
        return run.finish()["output"] if wait else run

    def addToTraining(
        self, segmentationNode, volumeNode, studyFolder, meanings=None, same=None, wait=True, onEvent=None
    ):
        """Add a scan with its corrected segmentation to a study.

        Args:
            segmentationNode: what is painted; it is marked as completed, and otherwise only read.
            volumeNode: the scan it is painted on; only read.
            studyFolder: of the study; the scan and the label are written into it as new files.
            meanings: from names of segments to names of structures of the study, for those it cannot know; an empty
                name where a segment is not for training, a new name for a new structure.
            same: where the study has a case of this name: whether it is this scan and gets this label, or another one.
            wait, onEvent: as for ``segment``; ``done`` has ``case`` and ``waiting``.

        Returns:
            The name of the case; without waiting, an ``AddingCase``, as ``segment``.

        Raises:
            MMGLError: with words that say what to do; ``label.unknown_structure`` and ``slicer.same_scan`` ask for
                ``meanings`` and ``same``.
        """
        from MMGLLib.training_cases import AddingCase

        run = AddingCase(segmentationNode, volumeNode, studyFolder, meanings, same, onEvent)
        return run.finish()["case"] if wait else run


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
