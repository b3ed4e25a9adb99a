"""The mistakes that are planted in MMGLSegment, and how it is used meanwhile."""

import time
from typing import ClassVar
from unittest import mock

import qt
import slicer
from bench import BenchTest, on_bench_only
from panels import card_only
from planting import Planting
from pretend import PretendRequest
from scenes import volume_of

PANEL, MODULE = "MMGLSegment/MMGLSegmentLib/panel.py", "MMGLSegment/MMGLSegment.py"
BUTTON, WIDGET = "MMGLSegment/MMGLSegmentLib/one_scan.py", "MMGLLib/module_widget.py"
LIB, FORM = "MMGLSegment/MMGLSegmentLib", "MMGLSegment/Resources/UI/MMGLSegment.ui"
PROGRESS, DOUBT = f"{LIB}/progress.py", "MMGLLib/doubt.py"
QUESTION, MESSAGE = f"{LIB}/question.py", "MMGLLib/message.py"
ADVANCED, RESULT, ADDING = f"{LIB}/advanced.py", f"{LIB}/result.py", f"{LIB}/adding.py"

MISTAKES = {
    "a property that is misspelt": (PANEL, ".toolTip = missing", ".tooltip = missing"),
    "a signal that is misspelt": (BUTTON, 'segmentButton.connect("clicked()"', 'segmentButton.connect("cliked()"'),
    "a slot that is not there": (BUTTON, ", self.onClick)\n", ", self.onClicked)\n"),
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
    "observers left behind": (WIDGET, "self.removeObservers()", "pass"),
    "a timer or a process left behind": (WIDGET, "self.panel.close()", "pass"),
    "an observer with too few arguments": (WIDGET, "StartClose(self, caller, event)", "StartClose(self)"),
    "a loop that waits for the process": (PANEL, "not self.run.poll():", "not list(iter(self.run.poll, True)):"),
    "sleeping in a slot": (PROGRESS, "_last = time.monotonic(), {}\n        ", "_last = time.sleep(0.2), {}\n        "),
    "events inside a slot": (PANEL, "self._timer.start()", "self._timer.start(); slicer.app.processEvents()"),
    "a dialog nobody can answer": (MESSAGE, "versions, SYSTEM,", "versions, slicer.util.messageBox(said),"),
    "a name that only the wheel has": (PANEL, "slicer.util.childWidgetVariables", "slicer.childWidgetVariables"),
    "an enum compared to a number": (ADVANCED, "== qt.Qt.Checked", "== 2"),
    "a signal of a list with other arguments": (ADVANCED, "itemChanged(QListWidgetItem*)", "itemChanged(int)"),
    "a process started to name the system": (MESSAGE, "versions, SYSTEM,", "versions, platform.platform(),"),
    "a look at doubt that blocks": (DOUBT, "        yield\n", "        yield [i * i for i in range(3 * 10**7)]\n"),
    "doubt left over the slices": (RESULT, "self.overlay.hide()\n            self.overlay =", "self.overlay ="),
    "a menu that is not connected": (ADDING, '("triggered()", self.onStudy)', '("trigered()", self.onStudy)'),
    "the end of the application not heard": (WIDGET, 'slicer.app.connect("aboutToQuit()", self.cleanup)', "pass"),
    "the worker left behind": (PANEL, "        worker.close()\n", ""),
    "a run that ends in an error and is not told": ("MMGLLib/runs.py", "self.tell(event)", "pass"),
    "a result that is gone and still shown": (MODULE, "self.panel.onNodeRemoved()", "pass"),
    "a question that stays": (QUESTION, "self.ui.answerSelector.visible = False", "pass"),
    "a property called as a method": (ADVANCED, "deviceSelector.currentData, ", "deviceSelector.currentData(), "),
    "a new attribute on a widget": (PANEL, "self._timer.start()", "self.ui.segmentButton.busy = self._timer.start()"),
    "a text that cannot be translated": (PANEL, '_("Choose a scan.")', '_(f"Choose a scan.")'),
}  # fmt: skip


@on_bench_only
class MistakesTest(Planting, BenchTest):
    module, mistakes = "MMGLSegment", MISTAKES

    def setUp(self):
        super().setUp()
        self.model = card_only(self.copies)

    def use(self, code):
        """Choose, segment, cancel, look at a message, close the scene and unload the module."""
        from bench.application import make_widget

        from MMGLLib import cache, segmenting, setup, worker

        PretendRequest.fresh()
        slicer.app.settings().setValue(cache.SETTING, str(self.copies / "cache"))
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
            for _again in range(2):  # a slot is slow where it is slow twice
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
        for _look in range(500):  # one of the mistakes is that it never ends
            panel._timer.timeout.emit()
            if panel.run is None:
                return
            time.sleep(0.01)  # whatever is done aside goes on
        raise AssertionError("the run does not end")


class ErrorWithKey(RuntimeError):
    """An error of the core, as the panel sees it."""

    key = "slicer.died"
    parameters: ClassVar[dict] = {}
