"""Mistakes planted one by one in a copy of MMGLTrain: the bench must catch every one of them."""

import shutil
import sys
from unittest import mock

import numpy as np
import qt
import slicer
import test_layers
from bench import REPOSITORY, on_bench_only
from scenes import volume_of
from train_panels import InThread
from trainings import TrainingTest

from mmgl.study import Study

OURS = ("MMGLLib", "MMGLTrain", "MMGLTrainLib")
LIB, MODULE, FORM = "MMGLTrain/MMGLTrainLib/", "MMGLTrain/MMGLTrain.py", "MMGLTrain/Resources/UI/"
PANEL, SCANS, LABELS, DESK = (f"{LIB}{name}.py" for name in ("panel", "scans_section", "labels_section", "desk"))
FRAME, TABLE, EDITOR = (f"{FORM}{name}.ui" for name in ("MMGLTrain", "ScansSection", "LabelsSection"))

MISTAKES = {
    "a property that is misspelt": (PANEL, "studyLabel.toolTip =", "studyLabel.tooltip ="),
    "a signal that is misspelt": (PANEL, 'changeButton.connect("clicked()"', 'changeButton.connect("cliked()"'),
    "a slot that is not there": (SCANS, "self.onRemove)", "self.onRemoved)"),
    "a signature without its star": (LABELS, "Changed(vtkMRMLNode*)", "Changed(vtkMRMLNode)"),
    "a signal with other arguments": (SCANS, '"activated(int)"', '"activated(QString)"'),
    "a property of the form that is not there": (TABLE, '"rootIsDecorated"', '"rootDecorated"'),
    "a class of the form that is not there": (FRAME, '"ctkCollapsibleButton"', '"ctkColapsibleButton"'),
    "a widget renamed in the form alone": (EDITOR, 'name="chipLabel"', 'name="chipText"'),
    "a parameter that is misspelt": (FRAME, ">seed<", ">sead<"),
    "torch in the GUI process": (DESK, "from mmgl.study import Use", "import torch; from mmgl.study import Use"),
    "the core imported when the module loads": (MODULE, "import slicer\n", "import slicer\nimport mmgl\n"),
    "observers left behind": (MODULE, "self.removeObservers()", "pass"),
    "a timer left behind": (PANEL, "self._timer.stop()", "pass"),
    "an observer with too few arguments": (MODULE, "StartClose(self, caller, event)", "StartClose(self)"),
    "a study left locked": (PANEL, "self.logic.closeStudy()", "pass"),
    "sleeping in a slot": (SCANS, "self.onLabel(chosen[0])", "__import__('time').sleep(.2); self.onLabel(chosen[0])"),
    "events inside a slot": (LABELS, "self.shown.done()", "slicer.app.processEvents(); self.shown.done()"),
    "a dialog nobody can answer": (SCANS, "study.remove_case(name)", "slicer.util.messageBox(name)"),
    "a name that only the wheel has": (SCANS, "slicer.util.childWidgetVariables", "slicer.childWidgetVariables"),
    "an enum compared to a number": (SCANS, "== qt.Qt.Checked", "== 2"),
    "a property called as a method": (SCANS, "useSelector.currentData)", "useSelector.currentData())"),
    "a new attribute on a widget": (LABELS, "case_nodes.show_alone(shown)", "self.ui.doneButton.case = name"),
    "a text that cannot be translated": (PANEL, '_("Try the sample', '_(f"Try the sample'),
    "a label that is lost": (LABELS, 'pending["path"].replace(kept)', 'pending["path"].unlink()'),
    "a segmentation that outlives its scene": (LABELS, "        self.shown = self._editor = None\n", ""),
}
"""File, what stands there, and what a hurried person makes of it."""


@on_bench_only
class MistakesTest(TrainingTest):
    def setUp(self):
        super().setUp()
        self.timers = []
        self.before = (self.study.folder / "study.json").read_bytes()

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
        for part in ("MMGLLib", "MMGLTrain"):
            shutil.copytree(REPOSITORY / part, self.folder / name / part, ignore=shutil.ignore_patterns("__pycache__"))
        return self.folder / name

    def go_through(self, copy):
        """Use a copy of the module as a user does, and raise whatever is wrong with it."""
        from bench import faults, start

        start.fresh()
        for left in (self.study.folder / "in-use.json", *self.study.folder.glob("labels/**/*.nrrd")):
            left.unlink(missing_ok=True)
        shutil.rmtree(self.study.folder / "scans", ignore_errors=True)
        (self.study.folder / "study.json").write_bytes(self.before)
        shown = {name: module for name, module in sys.modules.items() if name.split(".")[0] in OURS}
        for name in shown:
            del sys.modules[name]
        path = [str(copy), str(copy / "MMGLTrain"), *sys.path]
        try:
            with mock.patch.object(sys, "path", path), mock.patch.object(sys, "dont_write_bytecode", True):
                self.use(copy)
            faults.raise_first()
            sources = [source for part in ("MMGLLib", "MMGLTrain") for source in (copy / part).rglob("*.py")]
            with mock.patch.multiple(test_layers, REPOSITORY=copy, SOURCES=sources, MODULES=("MMGLTrain",)):
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
        """Open a study, add a scan of the scene, change and remove some, label one, close the scene, unload."""
        from bench.application import load_module, make_widget

        code, _ = load_module(copy / "MMGLTrain" / "MMGLTrain.py")
        from MMGLTrainLib import ready

        from MMGLLib import errand

        asking = mock.Mock(ended=True, poll=lambda: [])
        with (
            mock.patch.object(errand, "start_alone", InThread),
            mock.patch.object(ready, "Asking", lambda *_: asking),
        ):
            widget = make_widget(code, "MMGLTrain")
            panel = widget.panel
            self.timers.append(panel._timer)
            widget.enter()
            panel.open(lambda: widget.logic.openStudy(self.study.folder))
            self.settle(panel)
            self.add_and_remove(panel)
            self.label(panel)
            slicer.mrmlScene.Clear(0)
            self.assertFalse(panel.sections["labels"].open_now)
            self.assertIsNone(panel.sections["labels"].shown)
            widget.cleanup()
            self.assertFalse(panel._timer.active)
            self.assertEqual(list(widget.Observations), [])
            self.assertFalse((self.study.folder / "in-use.json").exists())
            self.assertIsNotNone(Study.open(self.study.folder).case("scan 4").label)

    def settle(self, panel):
        """Let the errands end, without events where a fault was noticed already."""
        from bench import faults

        faults.raise_first()
        table = panel.sections["scans"].table
        self.until(lambda: faults.kept or not (panel.desk.errands.busy or table.filling), "the end of the errands")
        faults.raise_first()

    def add_and_remove(self, panel):
        scans = panel.sections["scans"]
        volume_of(name="Open")
        scans.ui.addSlicerButton.click()
        scans.ui.sourceList.item(0).setCheckState(qt.Qt.Checked)
        scans.ui.addTickedButton.click()
        self.until(lambda: not scans._adding, "the scan")
        self.settle(panel)
        scans.table.choose("Open")
        scans.ui.useSelector.setCurrentIndex(2)
        scans.ui.useSelector.activated.emit(2)
        self.settle(panel)
        scans.table.choose("scan 5")
        scans.ui.removeButton.click()
        self.settle(panel)
        self.assertEqual(len(panel.desk.study.cases), 6)

    def label(self, panel):
        labels, scans = panel.sections["labels"], panel.sections["scans"]
        scans.table.choose("scan 4")
        scans.ui.labelButton.click()
        self.settle(panel)
        mask = np.zeros(slicer.util.arrayFromVolume(labels.shown.volume).shape, np.uint8)
        mask[2:5, 3:9, 3:9] = 1
        shown = labels.shown
        identity = shown.segmentation.GetSegmentation().GetNthSegmentID(0)
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, identity, shown.volume)
        labels.ui.doneButton.click()
        self.settle(panel)
        labels.ui.draftSelector.setCurrentNode(shown.segmentation)
        self.assertTrue(Study.open(self.study.folder).case("scan 4").label.path.is_file())
