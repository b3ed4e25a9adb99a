"""Mistakes planted one by one in a copy of the module: the bench must catch every one of them."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import ClassVar
from unittest import mock

import qt
import slicer
import test_layers
from bench import REPOSITORY, BenchTest, on_bench_only
from panels import card_only
from pretend import PretendRequest
from scenes import volume_of

OURS = ("MMGLLib", "MMGLSegment", "MMGLSegmentLib")
PANEL, MODULE = "MMGLSegment/MMGLSegmentLib/panel.py", "MMGLSegment/MMGLSegment.py"
LIB, FORM = "MMGLSegment/MMGLSegmentLib", "MMGLSegment/Resources/UI/MMGLSegment.ui"
PROGRESS, DOUBT = f"{LIB}/progress.py", "MMGLLib/doubt.py"
QUESTION, MESSAGE = f"{LIB}/question.py", "MMGLLib/message.py"
ADVANCED, RESULT, ADDING = f"{LIB}/advanced.py", f"{LIB}/result.py", f"{LIB}/adding.py"

MISTAKES = {
    "a property that is misspelt": (PANEL, ".toolTip = missing", ".tooltip = missing"),
    "a signal that is misspelt": (PANEL, 'segmentButton.connect("clicked()"', 'segmentButton.connect("cliked()"'),
    "a slot that is not there": (PANEL, ", self.onSegmentOrCancel)\n", ", self.onSegmentOrCancell)\n"),
    "a signature without its star": (PANEL, "Changed(vtkMRMLNode*)", "Changed(vtkMRMLNode)"),
    "a signal with other arguments": (PANEL, '"currentIndexChanged(int)"', '"currentIndexChanged(QString)"'),
    "a slot of the form that is not there": (FORM, "<slot>setMRMLScene(", "<slot>setScene("),
    "a signal of the form that is not there": (FORM, "<signal>mrmlSceneChanged(", "<signal>sceneChanged("),
    "a property of the form that is not there": (FORM, '"noneEnabled"', '"noneAllowed"'),
    "a class of the form that is not there": (FORM, 'class="ctkCollapsibleButton"', 'class="ctkColapsibleButton"'),
    "a widget renamed in the form alone": (FORM, 'name="fitLabel"', 'name="fitText"'),
    "a parameter that is misspelt": (FORM, ">scan<", ">scann<"),
    "torch in the GUI process": ("MMGLLib/models.py", "import numpy as np", "import numpy as np\nimport torch"),
    "the core imported when the module loads": (MODULE, "import slicer\n", "import slicer\nimport mmgl\n"),
    "observers left behind": (MODULE, "self.removeObservers()", "pass"),
    "a process left behind": (MODULE, "self.panel.close()", "pass"),
    "an observer with too few arguments": (MODULE, "StartClose(self, caller, event)", "StartClose(self)"),
    "a loop that waits for the process": (PANEL, "not self.run.poll() and", "not list(iter(self.run.poll, True)) and"),
    "sleeping in a slot": (PROGRESS, "_last = time.monotonic(), {}\n        ", "_last = time.sleep(0.2), {}\n        "),
    "events inside a slot": (PANEL, "self._timer.start()", "self._timer.start(); slicer.app.processEvents()"),
    "a dialog nobody can answer": (MESSAGE, "versions, SYSTEM,", "versions, slicer.util.messageBox(str(error)),"),
    "a name that only the wheel has": (PANEL, "slicer.util.childWidgetVariables", "slicer.childWidgetVariables"),
    "an enum compared to a number": (ADVANCED, "== qt.Qt.Checked", "== 2"),
    "a signal of a list with other arguments": (ADVANCED, "itemChanged(QListWidgetItem*)", "itemChanged(int)"),
    "a process started to name the system": (MESSAGE, "versions, SYSTEM,", "versions, platform.platform(),"),
    "a look at doubt that blocks": (DOUBT, "        yield\n", "        yield [i * i for i in range(3 * 10**7)]\n"),
    "doubt left over the slices": (RESULT, "self.overlay.hide()\n            self.overlay =", "self.overlay ="),
    "a menu that is not connected": (ADDING, '("triggered()", self.onStudy)', '("trigered()", self.onStudy)'),
    "the end of the application not heard": (MODULE, 'slicer.app.connect("aboutToQuit()", self.cleanup)', "pass"),
    "the worker left behind": (PANEL, "        worker.close()\n", ""),
    "a run that ends in an error and is not told": ("MMGLLib/runs.py", "self.tell(event)", "pass"),
    "a result that is gone and still shown": (MODULE, "self.panel.onNodeRemoved()", "pass"),
    "a question that stays": (QUESTION, "self.ui.answerSelector.visible = False", "pass"),
    "a property called as a method": (PANEL, "deviceSelector.currentData, self", "deviceSelector.currentData(), self"),
    "a new attribute on a widget": (PANEL, "self._timer.start()", "self.ui.segmentButton.busy = self._timer.start()"),
    "a text that cannot be translated": (PANEL, '_("Choose a scan.")', '_(f"Choose a scan.")'),
}  # fmt: skip
"""File, what stands there, and what a hurried person makes of it."""


@on_bench_only
class MistakesTest(BenchTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.model = card_only(self.folder)
        self.timers = []

    def test_without_a_mistake_all_is_well(self):
        self.go_through(self.copy("right"))

    def test_every_planted_mistake_is_caught(self):
        for number, (name, (file, right, wrong)) in enumerate(MISTAKES.items()):
            with self.subTest(name):
                copy = self.copy(str(number))
                text = (copy / file).read_text(encoding="utf-8")
                self.assertIn(right, text)
                (copy / file).write_text(text.replace(right, wrong), encoding="utf-8")
                with self.assertRaises(Exception, msg="nobody noticed"):  # noqa: B017 - whatever kind it is
                    self.go_through(copy)

    def copy(self, name):
        for part in ("MMGLLib", "MMGLSegment"):
            shutil.copytree(REPOSITORY / part, self.folder / name / part, ignore=shutil.ignore_patterns("__pycache__"))
        return self.folder / name

    def go_through(self, copy):
        """Use a copy of the module as a user does, and raise whatever is wrong with it."""
        from bench import faults, start

        start.fresh()
        shown = {name: module for name, module in sys.modules.items() if name.split(".")[0] in OURS}
        for name in shown:
            del sys.modules[name]
        path = [str(copy), str(copy / "MMGLSegment"), *sys.path]
        sources = [*(copy / "MMGLLib").glob("*.py"), *(copy / "MMGLSegment").rglob("*.py")]
        try:
            with mock.patch.object(sys, "path", path), mock.patch.object(sys, "dont_write_bytecode", True):
                self.use(copy)
            faults.raise_first()
            with mock.patch.multiple(test_layers, REPOSITORY=copy, SOURCES=sources, MODULES=("MMGLSegment",)):
                suite = test_layers.unittest.defaultTestLoader.loadTestsFromTestCase(test_layers.LayersTest)
                outcome = test_layers.unittest.TestResult()
                suite.run(outcome)
                self.assertTrue(outcome.wasSuccessful(), outcome.failures)
        finally:
            while self.timers:
                self.timers.pop().stop()  # a mistake may leave it running, into the next test
            faults.kept.clear()
            for name in [name for name in sys.modules if name.split(".")[0] in OURS]:
                del sys.modules[name]
            sys.modules.update(shown)

    def use(self, copy):
        """Choose, segment, cancel, look at a message, close the scene and unload the module."""
        from bench.application import load_module, make_widget

        code, _ = load_module(copy / "MMGLSegment" / "MMGLSegment.py")
        from MMGLLib import cache, segmenting, setup, worker

        PretendRequest.fresh()
        slicer.app.settings().setValue(cache.SETTING, str(self.folder / "cache"))
        with (
            mock.patch.object(segmenting, "Request", PretendRequest),
            mock.patch.object(setup, "missing", lambda: []),
            mock.patch.object(worker, "prepare"),
            mock.patch.object(worker, "close") as close,
        ):
            widget = make_widget(code, "MMGLSegment")
            panel, ui = widget.panel, widget.panel.ui
            self.timers.append(panel._timer)
            widget.enter()
            volume = volume_of()
            ui.scanSelector.setCurrentNode(volume)
            self.assertEqual(panel.parameters.scan, volume)
            panel.add_model(self.model)
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
            self.segment(panel)
            node = panel.parameters.result
            self.assertEqual(node, ui.segmentEditor.segmentationNode())
            ui.overlayCheckBox.checked = True
            ui.nextDoubtButton.click()
            self.segment(panel, cancel=True)
            self.assertIn("cancelled", ui.messageLabel.text)
            ui.doubtCheckBox.checked = False
            ui.structuresList.item(0).setCheckState(qt.Qt.Unchecked)
            self.segment(panel)
            self.assertIsNone(slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0].GetForegroundVolumeID())
            slicer.mrmlScene.RemoveNode(panel.parameters.result)
            self.assertTrue(ui.resultSection.isHidden())
            panel.message.ask("words", [("one", 1)], print)
            panel.message.fail(ErrorWithKey("words"))
            self.assertTrue(ui.answerSelector.isHidden())
            PretendRequest.outcome = "wait"
            ui.segmentButton.click()
            slicer.mrmlScene.Clear(0)
            self.assertTrue(PretendRequest.made[-1].closed)
            ui.scanSelector.setCurrentNode(volume_of())
            ui.segmentButton.click()
            slicer.app.aboutToQuit.emit()
            self.assertTrue(PretendRequest.made[-1].closed)
            close.assert_called()
            widget.cleanup()
            self.assertFalse(panel._timer.active)
            self.assertEqual(list(widget.Observations), [])
            slicer.mrmlScene.Clear(0)

    def segment(self, panel, cancel=False):
        PretendRequest.outcome = "wait"
        panel.ui.segmentButton.click()
        self.assertIsNotNone(panel.run)
        panel._timer.timeout.emit()
        self.assertIsNotNone(panel.run)
        if cancel:
            panel.ui.segmentButton.click()
        else:
            PretendRequest.outcome = "both"
        for _look in range(100):  # each of them works for a moment only
            panel._timer.timeout.emit()
            if panel.run is None:
                return
        raise AssertionError("the run does not end")


class ErrorWithKey(RuntimeError):
    """An error of the core, as the panel sees it."""

    key = "slicer.died"
    parameters: ClassVar[dict] = {}
