"""Where to look twice, as the panel of MMGLSegment shows it."""

import numpy as np
import slicer
from panels import PanelTest
from scenes import STRUCTURES, to_ras, transform_of, turned, volume_of

from MMGLLib import doubt, results


class DoubtTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.ready()
        for name in ("Red", "Green", "Yellow"):
            slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode").SetLayoutName(name)
            view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", name)
            view.SetOrientation({"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}[name])

    def segment(self):
        self.ui.segmentButton.click()
        self.ended()
        return self.segmentations()[-1].GetNodeReference("MMGLDoubt")

    def fronts(self):
        layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        return {layer.GetForegroundVolumeID() for layer in layers}

    def test_doubt_lies_on_the_scan_and_is_seen_only_where_there_is_some(self):
        self.volume.SetAndObserveTransformNodeID(transform_of(to_ras(turned(30))).GetID())
        node = self.segment()
        array = slicer.util.arrayFromVolume(self.volume)
        self.assertTrue((slicer.util.arrayFromVolume(node) == np.where(array > 900, 0.95, 0.1).astype("f4")).all())
        self.assertEqual(node.GetTransformNodeID(), self.volume.GetTransformNodeID())
        self.assertEqual(self.seen(node, 0.1), 0)
        self.assertGreater(self.seen(node, 0.95), 0.9)
        self.assertEqual(node.GetDisplayNode().GetWindowLevelMin(), doubt.SURE)

    @staticmethod
    def seen(node, bits):
        """Return how much of so much doubt is seen, 0 to 1."""
        display = node.GetDisplayNode()
        low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
        index = min(255, max(0, int(256 * (bits - low) / (high - low))))
        return display.GetColorNode().GetLookupTable().GetTableValue(index)[3]

    def test_a_model_that_is_unsure_nearly_everywhere_does_not_paint_the_whole_slice(self):
        labelmap = np.zeros((20, 30, 30), np.uint8)
        labelmap[5:15, 5:15, 5:15] = 1
        volume = volume_of(size=labelmap.shape)
        node = results.new_segmentation(volume, labelmap, STRUCTURES, "Weak")
        faces = sum(results.finished(results.making_faces(node)))
        self.assertEqual(faces, 600)
        torn = np.random.default_rng(0).uniform(0.9, 1.5, labelmap.shape).astype("f4")  # more than it can be of two
        made = results.finished(doubt.making_doubt(node, volume, torn, faces))
        self.assertTrue((slicer.util.arrayFromVolume(made) == torn).all())
        low = made.GetDisplayNode().GetWindowLevelMin()
        shown = int((torn > low).sum())
        self.assertTrue(300 < shown <= 600, shown)
        self.assertEqual(self.seen(made, low), 0)
        self.assertGreater(self.seen(made, float(torn.max())), 0.9)
        sure = results.finished(doubt.making_doubt(node, volume, np.full_like(torn, 0.5), faces))
        self.assertEqual(self.seen(sure, 0.5), 0)

    def test_where_nothing_was_found_the_most_doubtful_is_shown_all_the_same(self):
        volume = volume_of(size=(20, 30, 30))
        node = results.new_segmentation(volume, np.zeros((20, 30, 30), np.uint8), STRUCTURES, "Empty")
        torn = np.full((20, 30, 30), 0.9, "f4")
        torn[3, 4, :10] = 1.4
        made = results.finished(doubt.making_doubt(node, volume, torn, 0))
        self.assertEqual([self.seen(made, bits) > 0 for bits in (0.9, 1.4)], [False, True])

    def test_it_is_shown_hidden_and_removed_and_the_views_are_as_before(self):
        other = volume_of(name="Other")
        slicer.util.setSliceViewerLayers(foreground=other, foregroundOpacity=0.3)
        node = self.segment()
        self.assertEqual(self.fronts(), {other.GetID()})
        self.ui.overlayCheckBox.checked = True
        self.assertEqual(self.fronts(), {node.GetID()})
        self.ui.overlayCheckBox.checked = False
        self.assertEqual(self.fronts(), {other.GetID()})
        layer = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
        self.assertAlmostEqual(layer.GetForegroundOpacity(), 0.3)
        self.ui.overlayCheckBox.checked = True
        self.ui.removeDoubtButton.click()
        self.assertEqual(self.fronts(), {other.GetID()})
        self.assertIsNone(node.GetScene())
        self.assertTrue(self.ui.overlayCheckBox.isHidden())
        self.assertFalse(self.ui.nextDoubtButton.isHidden())

    def test_next_doubtful_slice_goes_from_the_worst_to_the_next_and_round(self):
        self.volume.SetAndObserveTransformNodeID(transform_of(to_ras(turned(0))).GetID())
        matrix = np.diag([-1.0, -1, 4, 1])
        self.volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
        self.segment()
        red = slicer.util.getNode("Red")
        seen = []
        for number in (1, 2, 1):
            self.ui.nextDoubtButton.click()
            self.assertEqual(self.ui.statusLabel.text, f"Doubtful slice {number} of 2: Left ventricle.")
            seen.append(red.GetSliceOffset())
        last = len(slicer.util.arrayFromVolume(self.volume)) - 1
        shift = 31.0  # of the transform
        np.testing.assert_allclose(seen, [4 * last + shift, 4 + shift, 4 * last + shift])

    def test_without_a_map_there_are_doubtful_slices_all_the_same(self):
        self.ui.doubtCheckBox.checked = False
        self.assertIsNone(self.segment())
        self.assertTrue(self.ui.overlayCheckBox.isHidden())
        self.ui.nextDoubtButton.click()
        self.assertIn("Doubtful slice 1 of 2", self.ui.statusLabel.text)

    def test_a_new_result_without_doubt_does_not_show_that_of_the_one_before(self):
        self.segment()
        self.ui.overlayCheckBox.checked = True
        self.ui.doubtCheckBox.checked = False
        self.segment()
        self.assertTrue(self.ui.overlayCheckBox.isHidden())
        self.assertEqual(self.fronts(), {None})
