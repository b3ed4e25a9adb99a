"""From a scan to a case of a study and a saved scene, with a real model and the real process."""

from __future__ import annotations

from unittest import mock

import numpy as np
import slicer
from bench import BenchTest, popups
from panels import open_module
from trained import run, trained

from mmgl.study import Study
from MMGLLib import setup, worker


class EndToEndTest(BenchTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(worker.close)
        patch = mock.patch.object(setup, "missing", lambda: [])  # torch is hidden from this process
        patch.start()
        self.addCleanup(patch.stop)
        self.study, self.scan = trained()
        self.folder = self.study.parent

    def test_load_segment_cancel_segment_edit_undo_add_save_and_load(self):
        import SimpleITK as sitk

        widget = open_module()
        self.addCleanup(widget.cleanup)
        panel, ui = widget.panel, widget.panel.ui
        volume = slicer.util.loadVolume(str(self.scan))
        ui.scanSelector.setCurrentNode(volume)
        panel.add_model(str(self.study))
        self.assertTrue(ui.modelSelector.currentText.startswith("study · model-1"))

        ui.segmentButton.click()
        self.until(lambda: panel.progress.words() != "Starting", "a sign of life", 240)
        ui.segmentButton.click()
        self.until(lambda: panel.run is None, "the end of the cancelled run", 240)
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), [])
        ui.segmentButton.click()
        self.until(lambda: panel.run is None, "the result", 240)
        node = panel.parameters.result
        self.assertIsNotNone(node, ui.messageLabel.text)

        model = panel.models.current()
        if not (self.folder / "alone").exists():
            arguments = ["--output", str(self.folder / "alone"), "--format", "nrrd", "--device", "cpu"]
            run(["-m", "mmgl", "segment", model, str(self.scan), *arguments])
        (alone,) = (self.folder / "alone").glob("*.nrrd")
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(alone)))
        found = self.labelmap(node, volume, panel.models.card(model).structures)
        self.assertGreater((expected > 0).sum(), 50)
        self.assertEqual(int((found != expected).sum()), 0)  # NIfTI by itself and through Slicer: the same voxels
        doubt = slicer.util.arrayFromVolume(node.GetNodeReference("MMGLDoubt"))
        self.assertTrue(doubt.min() >= 0 and 0.5 < doubt.max() <= np.log2(3) + 1e-4)  # bits, of three outputs

        self.edit_and_undo(node, volume, expected)
        name = panel.logic.addToTraining(node, volume, self.study)
        study = Study.open(self.study)
        self.assertTrue((study.read_labelmap(study.case(name)) > 0).sum() > 50)

        before = self.labelmap(node, volume, panel.models.card(model).structures)
        self.assertTrue(slicer.util.saveScene(str(self.folder / "scene.mrb")))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(self.folder / "scene.mrb"))
        node, volume = panel.parameters.result, panel.parameters.scan
        after = self.labelmap(node, volume, panel.models.card(model).structures)
        self.assertTrue((after == before).all())
        self.assertEqual(ui.segmentEditor.segmentationNode(), node)
        self.assertEqual(popups.seen, [])

    def edit_and_undo(self, node, volume, expected):
        """Take a segment away with the logic of the Segment Editor, bring it back, and paint one voxel."""
        editor_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        editor = slicer.vtkSlicerSegmentEditorLogic()
        editor.SetMRMLScene(slicer.mrmlScene)
        editor.SetSegmentEditorNode(editor_node)
        editor.SetSegmentationNode(node)
        editor.SetSourceVolumeNode(volume)
        segment = node.GetSegmentation().GetNthSegmentID(0)
        self.assertEqual(self.count(node, segment, volume), int((expected == 1).sum()))
        editor.SaveStateForUndo()
        editor.ResetModifierLabelmapToDefault()
        eraser = editor.GetModifierLabelmap()
        eraser.GetPointData().GetScalars().Fill(1)
        editor.ModifySegmentByLabelmap(node, segment, eraser, editor.ModificationModeRemove, False, True)
        self.assertEqual(self.count(node, segment, volume), 0)
        editor.Undo()
        self.assertEqual(self.count(node, segment, volume), int((expected == 1).sum()))

    @staticmethod
    def count(node, segment, volume):
        return int((slicer.util.arrayFromSegmentBinaryLabelmap(node, segment, volume) > 0).sum())

    @staticmethod
    def labelmap(node, volume, structures):
        found = np.zeros(volume.GetImageData().GetDimensions()[::-1], np.uint8)
        for value, structure in enumerate(structures, start=1):
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, f"Segment_{structure.id}", volume)
            found[mask > 0] = value
        return found

    def test_a_folder_and_the_console(self):
        from MMGLSegment import MMGLSegmentLogic

        heard = []
        scans = self.folder / "scans"
        scans.mkdir(exist_ok=True)
        copy = scans / self.scan.name
        copy.write_bytes(self.scan.read_bytes())
        (scans / "broken.nii.gz").write_bytes(b"no image")
        model = str(next((self.study / "models").glob("*.mmgl")))
        results = MMGLSegmentLogic().segmentFolder(
            scans, self.folder / "results", model, device="cpu", onEvent=heard.append
        )
        self.assertEqual(results, str((self.folder / "results").resolve()))
        self.assertEqual(heard[-1]["event"], "done")
        self.assertTrue((self.folder / "results" / f"{self.scan.name.split('.')[0]}.seg.nrrd").exists())
        self.assertTrue((self.folder / "results" / "results.csv").exists())
        with self.assertRaises(TypeError):
            MMGLSegmentLogic().segmentFolder(scans, self.folder / "other", model, sharpen=True)
