"""The panel of MMGLSegment, from an empty scene to a corrected result, and everything that can happen on the way."""

import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import qt
import slicer
from bench import BenchTest, on_bench_only
from panels import card_only, open_module
from pretend import PretendRequest
from scenes import STRUCTURES, volume_of

from mmgl.messages import MMGLError
from MMGLLib import segmenting, sequences, setup, worker


class PanelTest(BenchTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        PretendRequest.fresh()
        for patch in (
            mock.patch.object(segmenting, "Request", PretendRequest),
            mock.patch.object(sequences, "Request", PretendRequest),
            mock.patch.object(worker, "prepare"),
            mock.patch.object(setup, "missing", lambda: []),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.widget = open_module()
        self.addCleanup(self.widget.cleanup)
        self.panel, self.ui = self.widget.panel, self.widget.panel.ui

    def ready(self):
        """Choose a scan and a model."""
        self.volume = volume_of()
        self.ui.scanSelector.setCurrentNode(self.volume)
        self.panel.add_model(card_only(self.folder))

    def begin(self):
        """Click Segment, and have it go on until the test says otherwise."""
        self.ready()
        self.will("wait")
        self.ui.segmentButton.click()
        self.assertEqual(self.ui.segmentButton.text, "Cancel")

    def will(self, outcome):
        """Say what comes of the scan that is being segmented."""
        PretendRequest.outcome = outcome

    def ended(self):
        self.until(lambda: self.panel.run is None, "the end of segmenting")

    def segmentations(self):
        return list(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))

    def shown(self):
        return self.ui.messageLabel.text if not self.ui.messageFrame.isHidden() else ""


class PathTest(PanelTest):
    def test_the_status_line_says_what_to_do_next(self):
        self.assertEqual(self.ui.statusLabel.text, "Choose a scan.")
        self.assertFalse(self.ui.segmentButton.enabled)
        self.assertEqual(self.ui.segmentButton.toolTip, "Choose a scan.")
        self.ui.scanSelector.setCurrentNode(volume_of())
        self.assertEqual(self.ui.statusLabel.text, "Add a model.")
        self.panel.add_model(card_only(self.folder))
        self.assertEqual(self.ui.statusLabel.text, "Click Segment.")
        self.assertTrue(self.ui.segmentButton.enabled)
        self.assertTrue(self.ui.resultSection.isHidden())
        self.assertTrue(self.ui.advancedSection.collapsed)

    def test_a_click_segments_and_opens_the_editor(self):
        self.begin()
        self.assertFalse(self.ui.progressBar.isHidden())
        self.assertIn("Segmenting", self.ui.statusLabel.text)
        self.will("both")
        self.ended()
        (node,) = self.segmentations()
        self.assertEqual(self.shown(), "")
        self.assertEqual(self.ui.segmentButton.text, "Segment")
        self.assertTrue(self.ui.progressBar.isHidden())
        self.assertEqual(self.ui.segmentEditor.segmentationNode(), node)
        self.assertFalse(self.ui.resultSection.isHidden())
        self.assertTrue(node.GetSegmentation().ContainsRepresentation("Closed surface"))
        array = slicer.util.arrayFromVolume(self.volume)
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_2", self.volume)
        self.assertTrue(((mask > 0) == (array > 900)).all())

    def test_cancel_and_segment_again(self):
        self.begin()
        self.ui.segmentButton.click()
        self.ended()
        self.assertIn("cancelled", self.shown())
        self.assertTrue(self.ui.copyButton.isHidden())
        self.assertEqual(self.segmentations(), [])
        self.will("both")
        self.ui.segmentButton.click()
        self.ended()
        self.ui.segmentButton.click()
        self.ended()
        self.assertEqual(len(self.segmentations()), 2)  # a result never takes the place of another

    def test_only_some_structures(self):
        self.ready()
        self.ui.structuresList.item(0).setCheckState(qt.Qt.Unchecked)
        self.ui.segmentButton.click()
        self.ended()
        segmentation = self.segmentations()[0].GetSegmentation()
        self.assertEqual([segmentation.GetNthSegment(0).GetName()], [STRUCTURES[1].name])
        self.assertEqual(segmentation.GetNumberOfSegments(), 1)

    def test_the_model_says_what_it_is_and_whether_it_fits(self):
        self.ui.scanSelector.setCurrentNode(volume_of(np.diag([-0.4, -0.4, 8, 1])))
        self.panel.add_model(card_only(self.folder))
        for words in ("Left ventricle", "3 labelled, 20 unlabelled", "0.91"):
            self.assertIn(words, self.ui.modelSelector.toolTip)
        self.assertIn("thicker slices", self.ui.fitLabel.text)
        self.ui.scanSelector.setCurrentNode(volume_of(np.diag([-1, -1, 1, 1])))
        self.assertEqual(self.ui.fitLabel.text, "")

    def test_models_are_kept_on_this_computer_and_settings_in_the_scene(self):
        self.ready()
        self.panel.add_model(card_only(self.folder, "liver"))
        self.ui.deviceSelector.setCurrentIndex(1)
        self.widget.cleanup()
        self.widget = open_module()
        ui = self.widget.panel.ui
        self.assertEqual(ui.modelSelector.count, 2)
        self.assertEqual(ui.modelSelector.currentText, "liver")
        self.assertEqual(ui.deviceSelector.currentData, "cpu")
        self.assertEqual(ui.scanSelector.currentNode(), self.volume)


class MessageTest(PanelTest):
    def test_what_the_process_says_is_shown_with_the_name_of_the_scan(self):
        self.begin()
        self.will("say mmgl: SCAN has the same value 3 everywhere. Leave it out.")
        self.ended()
        self.assertEqual(self.shown(), "Scan has the same value 3 everywhere. Leave it out.")
        self.ui.copyButton.click()
        self.assertIn("Loading", slicer.app.clipboard().text())
        self.assertEqual(self.segmentations(), [])

    @on_bench_only
    def test_a_process_that_dies_is_told_without_numbers_or_tracebacks(self):
        self.begin()
        self.will("die")
        self.ended()
        self.assertIn("stopped unexpectedly", self.shown())
        self.assertEqual(self.ui.actionButton.text, "Try again")
        self.will("both")
        self.ui.actionButton.click()
        self.ended()
        self.assertEqual(len(self.segmentations()), 1)

    def test_broken_torch(self):
        self.begin()
        self.will("say Traceback\\n  import torch\\nImportError: libtorch_cpu.so: undefined symbol")
        self.ended()
        self.assertIn("does not start", self.shown())
        self.assertEqual(self.ui.actionButton.text, "Repair")
        with (
            mock.patch.object(slicer.util, "pip_uninstall") as uninstall,
            mock.patch.object(setup, "install") as install,
        ):
            self.ui.actionButton.click()
        uninstall.assert_called_once_with("torch")
        install.assert_called_once_with()
        self.assertIn("Restart Slicer", self.shown())

    def test_nothing_found(self):
        self.begin()
        self.will("one")
        self.ended()
        self.assertIn(f"Nothing of {STRUCTURES[1].name} was found", self.shown())

    @on_bench_only
    def test_setup_is_offered_at_the_first_click_and_changes_nothing_else(self):
        from bench import packaging

        self.ready()
        with mock.patch.object(setup, "missing", lambda: ["torch", "safetensors"]):
            self.ui.segmentButton.click()
            self.assertIn("needs PyTorch", self.shown())
            self.assertEqual(packaging.asked, [])
            self.assertEqual(self.ui.actionButton.text, "Install")
            self.panel.message.onAction()  # installing waits, behind a dialog of Slicer's own, so no click here
        wishes = [str(wish) for asked in packaging.asked for wish in asked["requirements"]]
        self.assertEqual(wishes, ["torch!=2.9.*,>=2.2", "safetensors>=0.4"])
        self.assertTrue(all(asked["constraints"] for asked in packaging.asked))

    def test_a_file_that_is_no_model(self):
        file = self.folder / "other.mmgl"
        file.write_text("no model", encoding="utf-8")
        self.panel.add_model(str(file))
        self.assertIn("not a valid MMGL model", self.shown())
        self.assertEqual(self.ui.modelSelector.count, 0)


class SceneOperationTest(PanelTest):
    """What users do while a scan is being segmented."""

    def test_close_the_scene(self):
        self.begin()
        request = self.panel.run._request
        slicer.mrmlScene.Clear(0)
        self.assertIsNone(self.panel.run)
        self.until(lambda: request.ended, "the end of the process")
        self.assertEqual(self.ui.statusLabel.text, "Choose a scan.")

    def test_delete_the_scan(self):
        self.begin()
        slicer.mrmlScene.RemoveNode(self.volume)
        self.will("both")
        self.ended()
        self.assertIn("was removed", self.shown())

    def test_delete_the_result_and_segment_again(self):
        self.begin()
        self.will("both")
        self.ended()
        slicer.mrmlScene.RemoveNode(self.segmentations()[0])
        self.ui.segmentButton.click()
        self.ended()
        self.assertEqual(len(self.segmentations()), 1)

    def test_change_the_module_and_come_back(self):
        self.begin()
        self.widget.exit()
        self.will("both")
        self.ended()
        self.widget.enter()
        self.assertEqual(self.ui.segmentEditor.segmentationNode(), self.segmentations()[0])

    def test_rename_and_transform_the_scan(self):
        from scenes import to_ras, transform_of, turned

        self.begin()
        self.volume.SetName("Renamed")
        transform = transform_of(to_ras(turned(40)))
        self.volume.SetAndObserveTransformNodeID(transform.GetID())
        self.will("both")
        self.ended()
        node = self.segmentations()[0]
        self.assertTrue(node.GetName().startswith("Renamed"))
        self.assertEqual(node.GetTransformNodeID(), transform.GetID())

    def test_change_the_voxels_of_the_scan(self):
        self.begin()
        slicer.util.updateVolumeFromArray(self.volume, np.zeros((3, 4, 5), np.int16))
        self.will("both")
        self.ended()
        self.assertIn("other voxels", self.shown())

    def test_reload_the_module(self):
        self.begin()
        request = self.panel.run._request
        self.widget.cleanup()
        self.until(lambda: request.ended, "the end of the process")
        self.widget = open_module()
        self.widget.panel.ui.segmentButton.click()
        self.will("both")
        self.until(lambda: self.widget.panel.run is None, "the end of segmenting")
        self.assertEqual(len(self.segmentations()), 1)

    def test_save_the_scene_and_load_it_again(self):
        self.begin()
        slicer.util.saveScene(str(self.folder / "during.mrb"))
        self.will("both")
        self.ended()
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(self.segmentations()[0], "Segment_2", self.volume)
        self.assertTrue(slicer.util.saveScene(str(self.folder / "after.mrb")))
        slicer.mrmlScene.Clear(0)
        slicer.util.loadScene(str(self.folder / "after.mrb"))
        (node,), volume = self.segmentations(), slicer.util.getNode("Scan")
        again = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_2", volume)
        self.assertTrue((again == mask).all())
        self.assertEqual(self.ui.scanSelector.currentNode(), volume)
        self.assertEqual(self.ui.segmentEditor.segmentationNode(), node)
