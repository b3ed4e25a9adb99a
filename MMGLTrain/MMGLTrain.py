"""MMGLTrain: teach Slicer your own structures from a handful of labelled scans and a folder of unlabelled ones.

From the Python console, also without a main window:

    from MMGLTrain import MMGLTrainLogic
    logic = MMGLTrainLogic()
    study = logic.openStudy("Hearts")
    run = logic.startTraining(study, budget="quick")
"""

import sys
from pathlib import Path
from typing import Annotated

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
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


class MMGLTrain(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("MMGL Train")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.contributors = ["The MMGL authors"]
        parent.dependencies = ["Segmentations", "MMGLSegment"]  # so that it is closed before them
        dark = slicer.app.palette().color(qt.QPalette.Window).lightness() < 128
        if dark:  # Slicer finds the one for light by itself
            parent.icon = qt.QIcon(self.resourcePath("Icons/MMGLTrainDark.svg"))
        parent.helpText = _(
            "Add your scans, paint your structures in a few of them, and click Train. The model then finds them in "
            "other scans, with MMGL Segment. Your files are only read, and nothing leaves this computer."
        )
        parent.helpText += _('<p><a href="{page}">How to use it</a></p>').format(page=PAGE)
        parent.acknowledgementText = _("Not a medical device. See the README for the papers whose methods it uses.")


@parameterNodeWrapper
class MMGLTrainParameterNode:
    """What is saved with the scene."""

    study: str
    method: str
    seed: Annotated[int, WithinRange(0, 999999)]  # Slicer gives its box the whole range of numbers otherwise
    device: str
    planes: str


class MMGLTrainWidget(ModuleWidget):
    """The panel. What is painted is kept when it is closed, and a training goes on without it."""

    def make(self, form):
        """Return the logic and the panel."""
        from MMGLTrainLib.panel import Panel

        logic = MMGLTrainLogic()
        return logic, Panel(form, logic, self.load)

    def enter(self):
        """Show what the scene and the study have now."""
        self.panel.sections["labels"].editor.enter()
        ModuleWidget.enter(self)

    def exit(self):
        """Put the brush away; what is being trained or looked at goes on while another module is open."""
        if self.panel is not None:
            self.panel.sections["labels"].editor.leave()


class MMGLTrainLogic(ScriptedLoadableModuleLogic):
    """Studies and trainings from the console; works without a main window and never opens a dialog.

    Attributes:
        opened: the study that this logic has open (``MMGLLib.open_study.OpenStudy``), or None.
    """

    def __init__(self, parent=None):
        ScriptedLoadableModuleLogic.__init__(self, parent)
        self.opened = None

    def getParameterNode(self):
        """Return the settings that are saved with the scene."""
        return MMGLTrainParameterNode(ScriptedLoadableModuleLogic.getParameterNode(self))

    def openStudy(self, folder):
        """Open the study in a folder, and return it; the one that was open before is closed.

        Raises:
            MMGLError: there is none, or it cannot be read.
        """
        from mmgl.study import Study

        return self._keep(Study.open(folder))

    def newStudy(self, folder):
        """Make a study in a folder, and return it.

        Raises:
            MMGLError: there is one already.
        """
        from mmgl.study import Study

        return self._keep(Study.create(folder))

    def closeStudy(self):
        """Let go of the study, so that another Slicer may change it."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None

    def startTraining(self, study, budget="quick", method="", seed=0, device="auto", **more):
        """Train on a study in a process of its own, and return the run: ``status()``, ``stop()``, ``kill()``.

        Args:
            study: ``mmgl.study.Study``, as ``openStudy`` returns it.
            budget: ``quick``, ``standard``, ``overnight``, or until when, for example ``07:00``.
            method: that of a paper, for example ``mcsc``; the usual one unless given.
            seed: the same one gives the same model again.
            device: ``auto``, ``cpu`` or ``cuda``.
            **more: as ``MMGLLib.training.start_training`` takes it.

        Raises:
            MMGLError: with words that say what to do.
        """
        from MMGLLib.training import start_training

        return start_training(study, budget=budget, method=method, seed=seed, device=device, **more)

    def models(self, study):
        """Return the models of a study, the newest first."""
        from MMGLLib.training import models

        return models(study)

    def _keep(self, study):
        from MMGLLib.open_study import OpenStudy

        self.closeStudy()
        self.opened = OpenStudy(study)
        return study


class MMGLTrainTest(ScriptedLoadableModuleTest):
    """The self-test behind *Reload and Test*: the same tests that run without the application."""

    def runTest(self):
        import unittest

        folder = Path(__file__).resolve().parents[1] / "Testing" / "slicer"
        if not folder.is_dir():
            self.delayDisplay(_("The tests are in the source of MMGL, which is not here."))
            return
        sys.path.insert(0, str(folder))
        found = unittest.defaultTestLoader.discover(str(folder), "test_train*.py")
        outcome = unittest.TextTestRunner(verbosity=2).run(found)
        if not outcome.wasSuccessful():
            raise AssertionError(f"{len(outcome.failures) + len(outcome.errors)} tests failed")
