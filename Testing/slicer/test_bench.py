"""The bench itself: as strict as the application, or stricter."""

import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import qt
import slicer
from bench import BenchTest, on_bench_only
from slicer.parameterNodeWrapper import Choice, parameterNodeWrapper

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Form</class>
<widget class="qMRMLWidget" name="Form"><layout class="QVBoxLayout" name="box">
<item><widget class="{kind}" name="volumes"><property name="nodeTypes"><stringlist>
<string>vtkMRMLScalarVolumeNode</string>
</stringlist></property><property name="{property}"><bool>true</bool></property></widget></item>
</layout></widget>
<connections><connection><sender>Form</sender><signal>{signal}</signal>
<receiver>volumes</receiver><slot>{slot}</slot></connection></connections></ui>"""

RIGHT = {
    "kind": "qMRMLNodeComboBox",
    "property": "noneEnabled",
    "signal": "mrmlSceneChanged(vtkMRMLScene*)",
    "slot": "setMRMLScene(vtkMRMLScene*)",
}


def load_ui(**wrong):
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "form.ui"
        file.write_text(UI.format(**{**RIGHT, **wrong}), encoding="utf-8")
        return slicer.util.loadUI(str(file))


@parameterNodeWrapper
class Parameters:
    """A node, a switch and a choice."""

    volume: slicer.vtkMRMLScalarVolumeNode
    quick: bool
    device: Annotated[str, Choice(["auto", "cpu"])]


@on_bench_only
class StrictnessTest(BenchTest):
    """What PythonQt and the application refuse, and what they let pass to the harm of the user."""

    def fault(self, words):
        from bench import faults

        with self.assertRaisesRegex(AssertionError, words):
            faults.raise_first()

    def test_attributes(self):
        button = qt.QPushButton("Segment")
        button.text = "Cancel"
        self.assertEqual(button.text, "Cancel")
        for name, value in {"tooltip": "no such property", "click": "a slot", "width": 3}.items():
            with self.assertRaises(AttributeError):
                setattr(button, name, value)
        with self.assertRaises(TypeError):
            button.text()

    def test_signals_have_their_exact_signature(self):
        button = qt.QPushButton()
        for signature in ("cliked()", "clicked(int)", "clicked"):
            with self.assertRaises((ValueError, TypeError)):
                button.connect(signature, print)
        heard = []
        button.connect("clicked(bool)", lambda: heard.append(1))  # as many arguments as the slot takes
        button.click()
        self.assertEqual(heard, [1])

    def test_names_that_only_the_wheel_has(self):
        for name in ("loadVolume", "arrayFromVolume", "getNode"):
            self.assertFalse(hasattr(slicer, name))
            self.assertTrue(hasattr(slicer.util, name))

    def test_enums_are_no_numbers(self):
        with self.assertRaises(TypeError):
            _ = qt.Qt.Checked == 2
        self.assertTrue(qt.Qt.Checked == qt.Qt.Checked)
        self.assertFalse(qt.Qt.Checked == qt.Qt.Unchecked)

    def test_an_exception_in_a_slot_or_an_observer_fails_the_test(self):
        button = qt.QPushButton()
        button.connect("clicked()", lambda: 1 / 0)
        button.click()
        self.fault("ZeroDivisionError")
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        node.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
        node.Modified()
        self.fault("ZeroDivisionError")

    def test_what_keeps_the_gui_thread_fails_the_test(self):
        from bench import faults

        def busy():
            end = time.thread_time() + 1.5 * faults.MARGIN * faults.LIMIT * faults.slowness()
            while time.thread_time() < end:
                pass

        def pump():
            slicer.app.processEvents()

        thread = threading.Thread(target=lambda: None)
        thread.start()
        cases = {"busy": busy, "sleep": lambda: time.sleep(0.2), "processEvents": pump, "join": thread.join}
        for words, blocking in cases.items():
            button = qt.QPushButton()
            button.connect("clicked()", lambda call=blocking: call())
            button.click()
            if blocking is busy:  # which the computer itself may do once
                faults.raise_first()
                button.click()
            self.fault(words)

    def test_a_dialog_fails_the_test_unless_it_has_its_answer(self):
        from bench import popups

        qt.QMessageBox.question(None, "Title", "Sure?")
        self.fault("opened a dialog")
        popups.answers.append("/folder")
        self.assertEqual(qt.QFileDialog.getExistingDirectory(None, "Folder"), "/folder")

    def test_ui_files_are_checked(self):
        self.assertEqual(load_ui().volumes.noneEnabled, True)
        wrong = {"property": "noneAllowed", "signal": "sceneChanged(vtkMRMLScene*)", "slot": "setScene()"}
        for key, value in {**wrong, "kind": "qMRMLNodeComboBoxx"}.items():
            with self.assertRaises(ValueError, msg=key):
                load_ui(**{key: value})
        with self.assertRaisesRegex(ValueError, "qMRMLPlotView"):  # the class is there, a plug-in for forms is not
            load_ui(kind="qMRMLPlotView")
        self.assertIsNotNone(slicer.qMRMLPlotView())

    def test_samples_need_lists_and_packaging_its_import(self):
        import SampleData

        register = SampleData.SampleDataLogic.registerCustomSampleDataSource
        with self.assertRaises(TypeError):
            register(category="Test", sampleName="one", uris=None, fileNames=None, nodeNames=None)
        with self.assertRaises(ValueError):
            register(category="Test", sampleName="one", uris=[], fileNames=["one"], nodeNames=[])
        self.assertFalse(hasattr(slicer, "packaging"))


class LikenessTest(BenchTest):
    """What holds on the bench and in the application alike."""

    def test_a_connection_in_a_file_gives_the_scene_on(self):
        form = load_ui()
        volume = slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), np.int16))
        form.setMRMLScene(slicer.mrmlScene)
        form.volumes.setCurrentNode(volume)
        self.assertEqual(form.volumes.currentNodeID, volume.GetID())
        slicer.mrmlScene.RemoveNode(volume)
        self.assertNotEqual(form.volumes.currentNodeID, "vtkMRMLScalarVolumeNode1")

    def test_parameters_are_kept_in_the_scene(self):
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        parameters = Parameters(node)
        self.assertEqual((parameters.volume, parameters.quick, parameters.device), (None, False, "auto"))
        volume = slicer.util.addVolumeFromArray(np.zeros((3, 4, 5), np.int16))
        parameters.volume, parameters.quick, parameters.device = volume, True, "cpu"
        again = Parameters(node)
        self.assertEqual((again.volume, again.quick, again.device), (volume, True, "cpu"))
        with self.assertRaises(ValueError):
            parameters.device = "gpu"

    def test_files_come_back_as_they_were_saved(self):
        matrix = np.array([[-0.9, 0.3, 0, 5], [-0.3, -0.9, 0, 6], [0, 0, 2.5, 7], [0, 0, 0, 1.0]])
        array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
        volume = slicer.util.addVolumeFromArray(array, matrix)
        with tempfile.TemporaryDirectory() as folder:
            slicer.util.saveNode(volume, f"{folder}/scan.nrrd")
            again = slicer.util.loadVolume(f"{folder}/scan.nrrd")
        self.assertTrue((slicer.util.arrayFromVolume(again) == array).all())
