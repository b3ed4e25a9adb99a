"""The mistakes that are planted in MMGLTrain, and how it is used meanwhile."""

import shutil
from unittest import mock

import numpy as np
import qt
import slicer
from bench import on_bench_only
from planting import Planting
from scenes import volume_of
from train_panels import beside
from trainings import TrainingTest

from mmgl.study import Study

LIB, MODULE, FORM = "MMGLTrain/MMGLTrainLib/", "MMGLTrain/MMGLTrain.py", "MMGLTrain/Resources/UI/"
PANEL, SCANS, LABELS, DESK = (f"{LIB}{name}.py" for name in ("panel", "scans_section", "labels_section", "desk"))
KEEPING, WIDGET = f"{LIB}keeping.py", "MMGLLib/module_widget.py"
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
    "observers left behind": (WIDGET, "self.removeObservers()", "pass"),
    "a timer or a process left behind": (PANEL, "self._timer.stop()", "pass"),
    "an observer with too few arguments": (WIDGET, "StartClose(self, caller, event)", "StartClose(self)"),
    "a study left locked": (PANEL, "self.logic.closeStudy()", "pass"),
    "sleeping in a slot": (SCANS, "self.onLabel(chosen[0])", "__import__('time').sleep(.2); self.onLabel(chosen[0])"),
    "events inside a slot": (LABELS, "self.keeping.done(", "slicer.app.processEvents(); self.keeping.done("),
    "a dialog nobody can answer": (SCANS, "study.remove_case(name)", "slicer.util.messageBox(name)"),
    "a name that only the wheel has": (SCANS, "slicer.util.childWidgetVariables", "slicer.childWidgetVariables"),
    "an enum compared to a number": (SCANS, "== qt.Qt.Checked", "== 2"),
    "a property called as a method": (SCANS, "useSelector.currentData)", "useSelector.currentData())"),
    "a new attribute on a widget": (LABELS, "case_nodes.show_alone(self.shown)", "self.ui.doneButton.case = 1"),
    "a text that cannot be translated": (PANEL, '_("Try the sample', '_(f"Try the sample'),
    "a label that is lost": (KEEPING, 'pending["path"].replace(kept)', 'pending["path"].unlink()'),
    "waiting until a label is written": (
        LABELS,
        "self.keeping.done(self.shown)",
        "self.keeping.done(self.shown); self.keeping.finish()",
    ),
    "a segmentation that outlives its scene": (
        LABELS,
        "        self.shown = None\n        self.editor.let_go",
        "        self.editor.let_go",
    ),
}


@on_bench_only
class MistakesTest(Planting, TrainingTest):
    module, mistakes = "MMGLTrain", MISTAKES

    def setUp(self):
        super().setUp()
        self.before = (self.study.folder / "study.json").read_bytes()

    def begin_again(self):
        for left in (self.study.folder / "in-use.json", *self.study.folder.glob("labels/**/*.nrrd")):
            left.unlink(missing_ok=True)
        shutil.rmtree(self.study.folder / "scans", ignore_errors=True)
        (self.study.folder / "study.json").write_bytes(self.before)

    def use(self, code):
        """Open a study, add a scan of the scene, change and remove some, label one, close the scene, unload."""
        from bench.application import make_widget
        from MMGLTrainLib import ready

        from MMGLLib import errand

        asking = mock.Mock(ended=True, poll=lambda: [])
        with (
            mock.patch.object(errand, "start_alone", beside),
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
        table, labels = panel.sections["scans"].table, panel.sections["labels"]
        self.until(lambda: faults.kept or not labels.busy, "the end of loading and saving")  # an errand may follow
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
