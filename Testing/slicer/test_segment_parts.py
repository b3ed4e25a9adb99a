"""Regions of a scan and the frames of a sequence, as the panel of MMGLSegment has them."""

from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from panels import PanelTest, card_only
from pretend import PretendRequest
from scenes import to_ras, transform_of, turned

from mmgl.finding import Finding


class RegionTest(PanelTest):
    def box(self, centre, size):
        roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Box")
        roi.SetSize(*size)
        roi.SetCenter(*centre)
        return roi

    def test_the_voxels_that_a_region_touches(self):
        self.ready()
        self.volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.diag([-1.0, -1, 2, 1])))
        self.ui.regionSelector.setCurrentNode(self.box((-5, -4, 6), (4, 2, 4)))
        self.ui.segmentButton.click()
        self.ended()
        self.assertEqual(PretendRequest.made[0].settings["region"], ((2, 5), (3, 6), (3, 8)))

    def test_a_new_region_lies_around_the_scan(self):
        self.ready()
        roi = self.ui.regionSelector.addNode()
        self.assertEqual(roi.GetNumberOfDefinedControlPoints(), 1)  # without one it is not shown
        self.will("wait")
        self.ui.segmentButton.click()
        size = self.volume.GetImageData().GetDimensions()[::-1]
        self.assertEqual(PretendRequest.made[0].settings["region"], tuple((0, n) for n in size))

    def test_all_frames_also_where_the_inputs_are_folded_away(self):
        self.ready()
        self.ui.framesCheckBox.checked, self.ui.inputsSection.collapsed = True, True
        with mock.patch("MMGLLib.sequences.frames_of", lambda _volume: ("browser", "sequence")):
            self.panel.onInputs()
            with mock.patch.object(self.panel.logic, "segmentSequence") as segment:
                self.panel.one_scan._begin()
        segment.assert_called_once()

    def test_a_region_beside_the_scan(self):
        self.ready()
        self.ui.regionSelector.setCurrentNode(self.box((500, 500, 500), (4, 4, 4)))
        self.ui.segmentButton.click()
        self.assertIn("The region Box lies beside Scan", self.said())
        self.ui.actionButton.click()
        self.assertFalse(self.ui.advancedSection.collapsed)


class SequenceTest(PanelTest):
    def heartbeat(self):
        from MMGLSegmentLib import samples

        node = samples.beating_heart()
        PretendRequest.levels = tuple(np.quantile(slicer.util.arrayFromVolume(node), (0.5, 0.8)))
        browser = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0]
        return node, browser

    def test_all_frames_play_along(self):
        node, browser = self.heartbeat()
        node.SetAndObserveTransformNodeID(transform_of(to_ras(turned(90))).GetID())
        self.ui.scanSelector.setCurrentNode(node)
        self.panel.add_model(card_only(self.folder))
        self.assertFalse(self.ui.framesCheckBox.isHidden())
        self.ui.framesCheckBox.checked = True
        self.ui.segmentButton.click()
        self.ended()
        self.assertEqual(self.shown(), "")
        count = browser.GetMasterSequenceNode().GetNumberOfDataNodes()
        self.assertEqual(len(PretendRequest.made), count)
        result = self.panel.parameters.result
        sequence = browser.GetSequenceNode(result)
        self.assertEqual(sequence.GetNumberOfDataNodes(), count)
        self.assertEqual(result.GetTransformNodeID(), node.GetTransformNodeID())
        for number in (0, count - 1):
            browser.SetSelectedItemNumber(number)
            array = slicer.util.arrayFromVolume(node)
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(result, "Segment_2", node)
            self.assertTrue(((mask > 0) == (array > PretendRequest.levels[1])).all(), number)
            self.assertGreater(mask.sum(), 0)

    def test_a_frame_whose_volume_leaps_is_told(self):
        node, _browser = self.heartbeat()
        frame = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")[0].GetSequenceNode(node).GetNthDataNode(3)
        slicer.util.arrayFromVolume(frame)[:, :48] = PretendRequest.levels[1] + 1
        self.ui.scanSelector.setCurrentNode(node)
        self.panel.add_model(card_only(self.folder))
        self.ui.framesCheckBox.checked = True
        self.ui.segmentButton.click()
        self.ended()
        self.assertIn("in frame 4 its volume is more than 15 % off", self.ui.checkLabel.text)

    def test_what_was_taken_away_in_all_frames_is_told_together(self):
        node, _browser = self.heartbeat()
        changed = (
            Finding("tidy.largest", {"structure": "Left ventricle", "pieces": 2, "voxels": 30}),
            Finding("tidy.filled", {"structure": "Left ventricle", "voxels": 1}),
        )
        self.ui.scanSelector.setCurrentNode(node)
        self.panel.add_model(card_only(self.folder))
        self.ui.framesCheckBox.checked = self.ui.tidyCheckBox.checked = True
        with mock.patch.object(PretendRequest, "findings", changed):
            self.ui.segmentButton.click()
            self.ended()
        self.assertIn("Left ventricle: 12 smaller pieces taken away (180 voxels).", self.ui.checkLabel.text)
        self.assertIn("Left ventricle: holes filled (6 voxels).", self.ui.checkLabel.text)

    def test_a_cancelled_sequence_leaves_nothing(self):
        node, _browser = self.heartbeat()
        self.ui.scanSelector.setCurrentNode(node)
        self.panel.add_model(card_only(self.folder))
        self.ui.framesCheckBox.checked = True
        before = slicer.mrmlScene.GetNumberOfNodes()
        self.will("wait")
        self.ui.segmentButton.click()
        self.panel.onTimeout()
        self.ui.segmentButton.click()
        self.ended()
        self.assertIn("cancelled", self.shown())
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), before)

    def test_a_frame_that_cannot_be_segmented_is_named(self):
        from mmgl.messages import MMGLError

        node, _browser = self.heartbeat()
        self.ui.scanSelector.setCurrentNode(node)
        self.panel.add_model(card_only(self.folder))
        self.ui.framesCheckBox.checked = True
        self.will(MMGLError("scan.constant", path="it", value=3.0))
        self.ui.segmentButton.click()
        self.ended()
        self.assertIn("Frame 1 of 6 could not be segmented", self.said())

    def test_a_scan_that_is_no_sequence_has_no_frames(self):
        self.ready()
        self.assertTrue(self.ui.framesCheckBox.isHidden())

    def test_samples_are_offered(self):
        import SampleData
        from MMGLSegmentLib import samples

        SampleData.sources.clear()
        samples.register(SampleData, Path("Resources"))
        self.assertEqual([s["sampleName"] for s in SampleData.sources], ["MMGLHeart", "MMGLBeatingHeart"])
        node = SampleData.sources[0]["customDownloader"](None)
        self.assertEqual(node.GetImageData().GetDimensions()[:2], (96, 96))
