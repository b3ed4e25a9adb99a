"""The panel of MMGLSegment from an empty scene to a result, and what it knows of models."""

import threading
from unittest import mock

import numpy as np
import qt
import slicer
from panels import PanelTest, card_only
from pretend import PretendRequest
from scenes import STRUCTURES, volume_of

from mmgl.finding import Finding
from mmgl.study import Study
from MMGLLib import worker


class PathTest(PanelTest):
    def test_the_status_line_says_what_to_do_next(self):
        self.assertEqual(self.ui.statusLabel.text, "Choose a scan.")
        self.assertFalse(self.ui.segmentButton.enabled)
        self.assertEqual(self.ui.segmentButton.toolTip, "Choose a scan.")
        self.ui.scanSelector.setCurrentNode(volume_of())
        self.assertEqual(self.ui.statusLabel.text, "Add a model.")
        worker.prepare.assert_not_called()
        self.panel.add_model(card_only(self.folder))
        self.assertEqual(self.ui.statusLabel.text, "Click Segment.")
        worker.prepare.assert_called_with(str(self.folder / "heart.mmgl"), "auto")
        self.assertTrue(self.ui.segmentButton.enabled)
        self.assertTrue(self.ui.resultSection.isHidden())
        self.assertTrue(self.ui.progressBar.isHidden())
        self.assertTrue(self.ui.advancedSection.collapsed)

    def test_a_click_segments_and_opens_the_editor(self):
        self.begin()
        self.assertFalse(self.ui.progressBar.isHidden())
        self.assertEqual(self.ui.statusLabel.text, "Starting")
        self.will("both")
        self.ended()
        (node,) = self.segmentations()
        self.assertIsNot(PretendRequest.made[0].read_by, threading.main_thread())  # a large result takes long to read
        self.assertEqual(self.shown(), "")
        self.assertEqual(self.ui.segmentButton.text, "Segment")
        self.assertTrue(self.ui.progressBar.isHidden())
        self.assertEqual(self.ui.segmentEditor.segmentationNode(), node)
        self.assertFalse(self.ui.segmentEditor.show3DButtonVisible)  # the panel has one
        self.assertFalse(self.ui.resultSection.isHidden())
        self.assertTrue(node.GetSegmentation().ContainsRepresentation("Closed surface"))
        array = slicer.util.arrayFromVolume(self.volume)
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_2", self.volume)
        self.assertTrue(((mask > 0) == (array > 900)).all())
        self.assertIn("Check: Left ventricle.", self.ui.checkLabel.text)
        self.assertIn("the processor segments it", self.ui.checkLabel.text)

    def test_what_may_spoil_the_result_is_shown_while_it_works(self):
        with mock.patch.object(PretendRequest, "fit", (Finding("fit.intensity", {"channel": 1}),)):
            self.begin()
            words = Finding("fit.intensity", {"channel": 1}).words
            self.until(lambda: self.ui.fitLabel.text == words, "the words")
        self.assertFalse(self.ui.fitLabel.isHidden())
        self.assertFalse(self.ui.progressBar.isHidden())

    def test_a_scan_may_have_colours(self):
        colours = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Photo")
        self.ui.scanSelector.setCurrentNode(colours)
        self.assertEqual((self.ui.scanSelector.currentNode(), self.panel.parameters.scan), (colours, colours))
        labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Labels")
        self.ui.scanSelector.setCurrentNode(labels)
        self.assertNotEqual(self.ui.scanSelector.currentNode(), labels)

    def test_nothing_is_made_ready_while_the_user_is_elsewhere(self):
        self.panel.add_model(card_only(self.folder))
        with mock.patch.object(worker, "rest") as rest:
            self.widget.exit()
            rest.assert_called_once_with()
        self.ui.scanSelector.setCurrentNode(volume_of())
        worker.prepare.assert_not_called()
        self.widget.enter()
        worker.prepare.assert_called_with(str(self.folder / "heart.mmgl"), "auto")

    def test_progress_is_told_in_words(self):
        self.begin()
        for share, seconds, words in ((0.1, None, "Segmenting"), (0.4, 200.0, "3 min left"), (0.9, 4.0, "a few sec")):
            PretendRequest.told = [{"stage": "progress.segmenting", "share": share, "seconds_left": seconds}]
            self.until(lambda: not PretendRequest.told, "the event being read")
            self.until(lambda w=words: w in self.ui.statusLabel.text, words)
            self.assertEqual(self.ui.progressBar.value, round(100 * share))
        self.assertEqual(self.ui.statusLabel.text, "Segmenting · a few seconds left")

    def test_cancel_and_segment_again(self):
        self.begin()
        self.ui.segmentButton.click()
        self.ended()
        self.assertIn("cancelled", self.shown())
        self.assertTrue(self.ui.copyButton.isHidden())
        self.assertEqual(self.segmentations(), [])
        self.will("both")
        for _again in range(2):
            self.ui.segmentButton.click()
            self.ended()
        self.assertEqual(len(self.segmentations()), 2)  # a result never takes the place of another
        self.assertTrue(all(request.closed for request in PretendRequest.made))

    def test_the_settings_of_a_request_are_those_of_the_panel(self):
        self.ready()
        self.ui.structuresList.item(0).setCheckState(qt.Qt.Unchecked)
        for box in (self.ui.finerCheckBox, self.ui.tidyCheckBox):
            box.checked = True
        self.ui.doubtCheckBox.checked = False
        self.ui.deviceSelector.setCurrentIndex(1)
        self.ui.segmentButton.click()
        self.ended()
        name = STRUCTURES[1].name
        (request,) = PretendRequest.made
        asked = {"structures": [name], "finer": True, "largest": [name], "filled": [name]}
        self.assertEqual((request.settings, request.device), (asked, "cpu"))
        segmentation = self.segmentations()[0].GetSegmentation()
        self.assertEqual([segmentation.GetNthSegment(0).GetName()], [name])
        self.assertEqual(segmentation.GetNumberOfSegments(), 1)

    def test_one_click_takes_the_largest_pieces_that_the_model_suggests(self):
        self.ready()
        self.assertTrue(self.ui.largestCheckBox.isHidden() and self.ui.largestLabel.isHidden())
        self.ui.largestCheckBox.checked = True  # a scene may remember it from another model
        name = STRUCTURES[1].name
        self.assertNotIn("largest", self.panel.advanced.asked())
        self.ui.largestCheckBox.checked = False
        self.panel.add_model(card_only(self.folder, "one", one_piece={name: 0.021}))
        self.assertFalse(self.ui.largestCheckBox.isHidden() or self.ui.largestCheckBox.checked)
        self.assertEqual(self.ui.largestLabel.text, f"This model suggests it for: {name} (Dice +0.021)")
        self.assertIn("only the largest piece", self.ui.modelSelector.toolTip)
        self.ui.doubtCheckBox.checked = False
        for checked, asked in ((False, {}), (True, {"largest": [name]})):
            self.ui.largestCheckBox.checked = checked
            self.ui.segmentButton.click()
            self.ended()
            self.assertEqual(PretendRequest.made[-1].settings, asked)
        self.ui.structuresList.item(1).setCheckState(qt.Qt.Unchecked)
        self.ui.segmentButton.click()
        self.ended()
        self.assertEqual(PretendRequest.made[-1].settings, {"structures": [STRUCTURES[0].name]})
        self.widget.cleanup()
        self.open()
        self.assertTrue(self.ui.largestCheckBox.checked)  # kept in the scene

    def test_without_a_structure_there_is_nothing_to_do(self):
        self.ready()
        for row in range(2):
            self.ui.structuresList.item(row).setCheckState(qt.Qt.Unchecked)
        self.assertEqual(self.ui.statusLabel.text, "Choose a structure.")
        self.assertFalse(self.ui.segmentButton.enabled)

    def test_settings_are_kept_in_the_scene(self):
        self.ready()
        self.ui.deviceSelector.setCurrentIndex(1)
        self.ui.finerCheckBox.checked = True
        self.ui.doubtCheckBox.checked = False
        self.ui.structuresList.item(1).setCheckState(qt.Qt.Unchecked)
        self.widget.cleanup()
        self.open()
        self.assertEqual(self.ui.deviceSelector.currentData, "cpu")
        self.assertEqual(self.ui.scanSelector.currentNode(), self.volume)
        self.assertTrue(self.ui.finerCheckBox.checked)
        self.assertFalse(self.ui.doubtCheckBox.checked)
        self.assertEqual(self.panel.advanced.wanted(), [STRUCTURES[0].name])


class ModelTest(PanelTest):
    def test_the_model_says_what_it_is_and_whether_it_fits(self):
        self.ui.scanSelector.setCurrentNode(volume_of(np.diag([-0.4, -0.4, 8, 1])))
        self.panel.add_model(card_only(self.folder))
        for words in ("Left ventricle", "3 labelled, 20 unlabelled", "0.91"):
            self.assertIn(words, self.ui.modelSelector.toolTip)
            self.assertIn(words, self.ui.modelSelector.itemData(0, qt.Qt.ToolTipRole))
        self.assertIn("thicker slices", self.ui.fitLabel.text)
        self.ui.scanSelector.setCurrentNode(volume_of(np.diag([-1, -1, 1, 1])))
        self.assertEqual(self.ui.fitLabel.text, "")

    def test_a_model_that_knows_its_scans_names_what_differs(self):
        from dataclasses import replace

        import panels

        from mmgl.data.facts import Ranges

        ranges = Ranges(((1.0, 1.5),) * 3, ((5.0, 40.0),) * 3, ("CT",), ((0.1, 0.9),), ((-100, 900),))
        with mock.patch.object(panels, "PLAN", replace(panels.PLAN, scans=ranges)):
            self.panel.add_model(card_only(self.folder))
        self.ui.scanSelector.setCurrentNode(volume_of(np.diag([-1, -1, 8, 1])))
        self.assertIn(
            "Voxels across axial slices are 8 mm and the model learned from 1 to 1.5 mm", self.ui.fitLabel.text
        )

    def test_models_are_kept_on_this_computer(self):
        self.ready()
        self.panel.add_model(card_only(self.folder, "liver"))
        self.widget.cleanup()
        self.open()
        self.assertEqual(self.ui.modelSelector.count, 2)
        self.assertEqual(self.ui.modelSelector.currentText, "liver")

    def test_a_study_brings_all_its_models_the_latest_first(self):
        import os

        study = Study.create(self.folder / "hearts")
        study.save()
        self.panel.add_model(str(study.folder))
        self.assertIn("has no model yet", self.said())
        self.assertEqual(self.action(), "Choose another study")
        (study.folder / "models").mkdir(exist_ok=True)
        for age, name in ((200, "model-1"), (100, "model-2")):
            file = card_only(study.folder / "models", name)
            time = os.stat(file).st_mtime - age
            os.utime(file, (time, time))
        self.panel.add_model(str(study.folder))
        self.assertEqual(self.shown(), "")
        shown = [self.ui.modelSelector.itemText(row) for row in range(self.ui.modelSelector.count)]
        self.assertEqual(shown, ["hearts · model-2", "hearts · model-1"])
        self.assertEqual(self.ui.modelSelector.currentText, "hearts · model-2")
        card_only(study.folder / "models", "model-3")
        self.widget.cleanup()
        self.open()
        self.assertEqual(self.ui.modelSelector.count, 3)  # one that was trained since is there, too
