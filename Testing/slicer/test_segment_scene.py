"""What users do while a scan is being segmented: nothing of it may crash, and nothing may be lost."""

import numpy as np
import slicer
from bench import on_bench_only
from panels import PanelTest, put_the_brush_away
from pretend import PretendRequest
from scenes import to_ras, transform_of, turned, volume_of


class SceneOperationTest(PanelTest):
    def closed(self):
        self.assertTrue(all(request.closed for request in PretendRequest.made))

    def test_close_the_scene(self):
        self.begin()
        slicer.mrmlScene.Clear(0)
        self.assertIsNone(self.panel.run)
        self.closed()
        self.assertEqual(self.ui.statusLabel.text, "Choose a scan.")
        self.assertEqual(self.segmentations(), [])

    def test_delete_the_scan(self):
        self.begin()
        slicer.mrmlScene.RemoveNode(self.volume)
        self.will("both")
        self.ended()
        self.assertIn("was removed", self.said())
        self.closed()

    def test_delete_the_result_and_segment_again(self):
        self.begin()
        self.will("both")
        self.ended()
        self.will("wait")
        self.ui.segmentButton.click()
        slicer.mrmlScene.RemoveNode(self.segmentations()[0])
        self.assertTrue(self.ui.resultSection.isHidden())
        self.will("both")
        self.ended()
        self.assertEqual(len(self.segmentations()), 1)
        self.assertFalse(self.ui.resultSection.isHidden())

    def test_change_the_module_and_come_back(self):
        self.begin()
        self.widget.exit()
        self.will("both")
        self.ended()
        self.widget.enter()
        self.assertEqual(self.ui.segmentEditor.segmentationNode(), self.segmentations()[0])

    @on_bench_only
    def test_the_brush_is_put_away_with_the_module(self):
        self.begin()
        self.will("both")
        self.ended()
        editor = self.ui.segmentEditor
        put_the_brush_away(self, editor)
        editor.setActiveEffectByName("Paint")
        slicer.mrmlScene.AddObserver(slicer.mrmlScene.StartCloseEvent, lambda *_: self.assertFalse(editor.observes), -1)
        slicer.mrmlScene.Clear(0)
        self.assertFalse(editor.observes or editor.shortcuts)

    def test_a_second_click_cancels_and_a_third_does_nothing(self):
        self.begin()
        self.ui.segmentButton.click()
        self.ui.segmentButton.click()
        self.ended()
        self.assertEqual(len(PretendRequest.made), 1)
        self.assertIn("cancelled", self.shown())

    def test_rename_the_scan(self):
        self.begin()
        self.volume.SetName("Renamed")
        self.will("both")
        self.ended()
        self.assertTrue(self.segmentations()[0].GetName().startswith("Renamed"))

    def test_transform_the_scan(self):
        self.begin()
        transform = transform_of(to_ras(turned(40)))
        self.volume.SetAndObserveTransformNodeID(transform.GetID())
        self.will("both")
        self.ended()
        (node,) = self.segmentations()
        self.assertEqual(node.GetTransformNodeID(), transform.GetID())
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_2", self.volume)
        self.assertTrue(((mask > 0) == (slicer.util.arrayFromVolume(self.volume) > 900)).all())

    def test_reload_the_module(self):
        self.begin()
        self.widget.cleanup()
        self.closed()
        self.open()
        self.ui.segmentButton.click()
        self.will("both")
        self.ended()
        self.assertEqual(len(self.segmentations()), 1)

    def test_quit(self):
        self.begin()
        slicer.app.aboutToQuit.emit()
        self.closed()
        self.assertFalse(self.panel._timer.active)
        self.widget.cleanup()  # which follows in the application
        self.assertEqual(self.segmentations(), [])

    def test_save_the_scene_and_load_it_again(self):
        self.begin()
        self.assertTrue(slicer.util.saveScene(str(self.folder / "during.mrb")))
        self.will("both")
        self.ended()
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(self.segmentations()[0], "Segment_2", self.volume)
        self.assertTrue(slicer.util.saveScene(str(self.folder / "after.mrb")))
        for file, count in (("after", 1), ("during", 0)):
            slicer.mrmlScene.Clear(0)
            slicer.util.loadScene(str(self.folder / f"{file}.mrb"))
            self.assertEqual(len(self.segmentations()), count, file)
            self.assertEqual(self.ui.scanSelector.currentNode(), slicer.util.getNode("Scan"))
            if count:
                (node,), volume = self.segmentations(), slicer.util.getNode("Scan")
                again = slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_2", volume)
                self.assertTrue((again == mask).all())
                self.assertEqual(self.ui.segmentEditor.segmentationNode(), node)
                self.assertFalse(self.ui.nextDoubtButton.isHidden())
                self.assertFalse(self.ui.overlayCheckBox.isHidden())

    def test_change_the_voxels_of_the_scan(self):
        self.begin()
        slicer.util.updateVolumeFromArray(self.volume, np.zeros((3, 4, 5), np.int16))
        self.will("both")
        self.ended()
        self.assertIn("other voxels", self.said())
        self.assertEqual(self.action(), "Try again")

    def test_choose_another_scan(self):
        self.begin()
        other = volume_of(name="Other")
        self.ui.scanSelector.setCurrentNode(other)
        self.will("both")
        self.ended()
        self.assertTrue(self.segmentations()[0].GetName().startswith("Scan"))
        self.assertEqual(self.ui.scanSelector.currentNode(), other)

    @on_bench_only  # the application keeps singletons of the tests before
    def test_nothing_but_the_result_and_its_doubt_is_left_in_the_scene(self):
        self.ready()
        before = {node.GetID() for node in slicer.util.getNodes("*", useLists=True).values() for node in node}
        self.ui.segmentButton.click()
        self.ended()
        after = [node for nodes in slicer.util.getNodes("*", useLists=True).values() for node in nodes]
        new = sorted(node.GetClassName() for node in after if node.GetID() not in before)
        self.assertEqual(
            new,
            [
                "vtkMRMLColorTableNode",
                "vtkMRMLScalarVolumeDisplayNode",
                "vtkMRMLScalarVolumeNode",
                "vtkMRMLSegmentEditorNode",
                "vtkMRMLSegmentationDisplayNode",
                "vtkMRMLSegmentationNode",
            ],
        )
