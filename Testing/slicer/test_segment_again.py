"""Errors whose button segments once more, in another way: at a lower threshold, in pieces, as the scan was stored."""

from collections import Counter
from unittest import mock

import slicer
from panels import PanelTest
from pretend import PretendRequest
from scenes import STRUCTURES
from vtk.util.numpy_support import vtk_to_numpy

from mmgl.finding import Finding
from mmgl.messages import MMGLError
from MMGLLib import results

MYOCARD = STRUCTURES[1].name


class AgainTest(PanelTest):
    def failed(self, error):
        """Have segmenting fail, and return what is said."""
        self.will(error)
        self.ended()
        return self.said()

    def click(self):
        """Click the button, and return what was asked for then, besides the map of doubt."""
        self.ui.actionButton.click()
        asked = dict(PretendRequest.made[-1].settings)
        asked.pop("doubt_map", None)
        return asked

    def test_nothing_found_then_at_a_lower_threshold(self):
        self.begin()
        self.will("one")
        self.ended()
        self.assertIn(f"Nothing of {MYOCARD} was found in Scan", self.said())
        self.assertEqual(self.action(), "Look at a lower threshold")
        self.assertEqual(self.click(), {"lower": [MYOCARD]})
        self.ended()
        self.assertIn("at a lower threshold either", self.said())
        self.assertEqual(self.action(), "Choose another model")
        self.assertEqual(len(self.segmentations()), 2)  # a result never takes the place of another
        self.ui.segmentButton.click()
        self.assertNotIn("lower", PretendRequest.made[-1].settings)
        self.ended()

    def test_too_large_for_the_memory_then_in_pieces(self):
        self.begin()
        words = self.failed(MMGLError("memory.segment", case="Scan", pieces=4))
        self.assertIn("too large for the memory of this computer. Try again in pieces", words)
        self.assertEqual(self.action(), "Try again in pieces")
        self.will("both")
        self.assertEqual(self.click(), {"pieces": 4})
        self.assertNotIn("doubt_map", PretendRequest.made[-1].settings)
        self.ended()
        self.assertEqual(len(self.segmentations()), 1)
        self.assertFalse(self.ui.nextDoubtButton.isHidden())

    def test_a_process_that_died_is_asked_again_for_less_and_less_at_once(self):
        self.begin()
        for pieces in (4, 8, 16, 32, 64):
            self.assertIn("stopped unexpectedly", self.failed(MMGLError("slicer.died")))
            self.assertEqual(self.action(), "Try again in pieces")
            self.will("wait")
            self.assertEqual(self.click(), {"pieces": pieces})
        self.failed(MMGLError("slicer.died"))
        self.assertEqual(self.action(), "Choose a region")

    def test_a_bent_scan_then_as_it_was_stored(self):
        self.ready()
        bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Bend")
        self.volume.SetAndObserveTransformNodeID(bend.GetID())
        self.ui.segmentButton.click()
        self.assertIn("is bent by the transform Bend", self.said())
        self.assertEqual(self.action(), "Segment it as stored")
        self.will(MMGLError("memory.segment", case="Scan", pieces=4))
        self.ui.actionButton.click()
        self.ended()
        self.will("both")
        self.assertEqual(self.click(), {"pieces": 4})  # and still as it was stored
        self.ended()
        (node,) = self.segmentations()
        self.assertEqual(node.GetTransformNodeID(), bend.GetID())
        layer = node.GetSegmentation().GetNthSegment(1).GetRepresentation("Binary labelmap")
        found = vtk_to_numpy(layer.GetPointData().GetScalars())
        self.assertEqual((found == 2).sum(), (slicer.util.arrayFromVolume(self.volume) > 900).sum())
        self.ui.nextDoubtButton.click()
        self.assertIn("Doubtful slice 1", self.ui.statusLabel.text)

    def test_a_card_that_cannot_be_used_is_told_beside_the_result(self):
        self.ready()
        with mock.patch.object(PretendRequest, "fit", (Finding("device.unusable"),)):
            self.ui.segmentButton.click()
            self.ended()
        self.assertIn("Your NVIDIA card was found but cannot be used", self.ui.checkLabel.text)
        self.assertEqual(len(self.segmentations()), 1)

    def test_a_large_result_says_how_it_is_seen_in_3d(self):
        with mock.patch.object(results, "FACES", 10):
            self.ready()
            self.ui.segmentButton.click()
            self.ended()
        (node,) = self.segmentations()
        self.assertFalse(node.GetSegmentation().ContainsRepresentation("Closed surface"))
        self.assertIn("not in 3-D yet, which would make Slicer wait for about 1 s", self.ui.checkLabel.text)
        self.assertIn("Click Show 3D", self.ui.checkLabel.text)


class OnceMoreTest(PanelTest):
    def voxels(self, node):
        """Return the voxels of the segments of a node."""
        segments = (node.GetSegmentation().GetNthSegment(i) for i in range(2))
        layers = [segment.GetRepresentation(results.BINARY) for segment in segments]
        return [vtk_to_numpy(layer.GetPointData().GetScalars()) for layer in layers]

    def kinds(self):
        """Return how many nodes of each kind are in the scene."""
        nodes = (slicer.mrmlScene.GetNthNode(i) for i in range(slicer.mrmlScene.GetNumberOfNodes()))
        return Counter(node.GetClassName() for node in nodes)

    def test_a_second_result_leaves_the_first_as_it_was_corrected_and_finished(self):
        """Need 13: what is there is neither replaced nor filled in, and nothing but the result is added."""
        self.ready()
        self.ui.doubtCheckBox.checked = False
        self.ui.segmentButton.click()
        self.ended()
        (first,) = self.segmentations()
        before = self.kinds()
        first.GetSegmentation().GetNthSegment(0).SetTag("Segmentation.Status", "completed")
        first.GetSegmentation().GetNthSegment(1).SetName("corrected")
        for layer in self.voxels(first):
            layer[:40] = 0
        wanted = [layer.copy() for layer in self.voxels(first)]
        self.ui.segmentButton.click()
        self.ended()
        _, second = self.segmentations()
        self.assertEqual(self.panel.parameters.result, second)
        self.assertEqual(first.GetSegmentation().GetNthSegment(1).GetName(), "corrected")
        for layer, corrected, new in zip(self.voxels(first), wanted, self.voxels(second), strict=True):
            self.assertTrue((layer == corrected).all())
            self.assertGreater((new > 0).sum(), (corrected > 0).sum())
        added = self.kinds() - before
        self.assertEqual(added.pop("vtkMRMLSegmentationNode"), 1)
        self.assertTrue(set(added) <= {"vtkMRMLSegmentationDisplayNode", "vtkMRMLSegmentationStorageNode"}, added)
