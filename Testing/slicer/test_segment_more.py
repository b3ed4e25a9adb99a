"""Doubt, regions, sequences, folders, temporary files and training cases, as the panel of MMGLSegment has them."""

import time
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from bench import on_bench_only
from panels import PanelTest, card_only
from pretend import PretendRequest
from scenes import STRUCTURES, to_ras, transform_of, turned, volume_of

from mmgl.files import write_json
from mmgl.jobs import Record
from mmgl.study import Study
from MMGLLib import cache, folders


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
        table = node.GetDisplayNode().GetColorNode()
        see = [table.GetLookupTable().GetTableValue(round(255 * doubt))[3] for doubt in (0.1, 0.95)]
        self.assertEqual(see[0], 0)
        self.assertGreater(see[1], 0.9)
        self.assertEqual(tuple(node.GetDisplayNode().GetWindowLevelMin() for _ in "1"), (0.0,))

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


@on_bench_only
class FolderTest(PanelTest):
    """The job itself is that of the core, and is tested there and in ``test_segment_end_to_end``."""

    def begin_folder(self):
        from bench import popups

        self.ready()
        (self.folder / "scans").mkdir(exist_ok=True)
        popups.answers.append(str(self.folder / "scans"))
        self.jobs = []
        with mock.patch.object(folders.Job, "start", side_effect=self.job):
            self.ui.folderButton.click()

    def job(self, folder, arguments, **_process):
        self.jobs.append((folder, arguments))
        folder.mkdir(parents=True)
        write_json(folder / "job.json", {"arguments": arguments, "pid": 1})
        self.record = Record(folder)
        self.record.__enter__()
        return folders.Job(folder)

    def test_a_folder_is_followed_to_its_end(self):
        self.begin_folder()
        (folder, arguments) = self.jobs[0]
        self.assertEqual(arguments[0], "segment")
        self.assertEqual(arguments[3:5], ["--output", str(self.folder / "scans segmented")])
        self.record.tell("segmented", done=1, of=2, scan="a.nii.gz")
        self.until(lambda: "1 of 2 scans are done" in self.ui.statusLabel.text, "progress")
        self.assertEqual(self.ui.progressBar.value, 50)
        self.record.tell("segmented", done=2, of=2, scan="b.nii.gz", key="scan.unreadable", words="b is damaged.")
        self.record.__exit__(None, None, None)
        self.ended()
        self.assertEqual(self.shown(), "1 scans are segmented.\n1 were skipped:\nb.nii.gz: b is damaged.")
        self.assertEqual(self.action(), "Open the results")
        self.assertFalse(folder.exists())

    def test_it_goes_on_when_slicer_is_closed_and_is_found_again(self):
        self.begin_folder()
        self.widget.cleanup()
        self.assertFalse((self.jobs[0][0] / "STOP").exists())
        self.record.tell("segmented", done=1, of=2, scan="a.nii.gz")
        self.open()
        self.assertEqual(self.ui.segmentButton.text, "Cancel")
        self.until(lambda: "1 of 2 scans are done" in self.ui.statusLabel.text, "progress")
        slicer.mrmlScene.Clear(0)
        self.assertIsNotNone(self.panel.run)
        self.ui.segmentButton.click()
        self.assertTrue((self.jobs[0][0] / "STOP").exists())

    def test_a_folder_without_scans(self):
        from mmgl.messages import MMGLError

        self.begin_folder()
        error = MMGLError("scan.no_image_in_folder", path=str(self.folder / "scans"))
        self.record.__exit__(MMGLError, error, None)
        self.ended()
        self.assertIn("No image was found in the folder scans.", self.said())
        self.assertEqual(self.action(), "Choose another folder")

    def test_temporary_files_are_counted_and_cleared_but_not_those_of_a_job_at_work(self):
        self.begin_folder()
        old = cache.folder() / "folders" / "1"
        old.mkdir()
        (old / "log.txt").write_bytes(b"x" * 2_000_000)
        self.ui.advancedSection.collapsed = False
        self.assertEqual(self.ui.cacheSizeLabel.text, "2.0 MB")
        self.panel.advanced.onClearCache()
        self.assertEqual(self.ui.cacheSizeLabel.text, "0.0 MB")
        self.assertTrue(self.jobs[0][0].exists())
        self.assertFalse(old.exists())
        self.record.__exit__(None, None, None)
        self.ended()


@on_bench_only
class TrainingTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.ready()
        self.ui.segmentButton.click()
        self.ended()
        self.study = Study.create(self.folder / "study")

    def add(self, folder=None):
        from bench import popups

        popups.answers.append(str(folder or self.study.folder))
        self.ui.addToTrainingButton.click()
        self.ended()

    def answers(self):
        box = self.ui.answerSelector
        return [] if box.isHidden() else [box.itemText(row) for row in range(box.count)]

    def answer(self, text):
        self.ui.answerSelector.setCurrentIndex(self.answers().index(text))
        self.ui.actionButton.click()
        self.ended()

    def test_what_the_study_does_not_know_is_asked_for_one_by_one(self):
        self.study.add_structure("Aorta")
        self.study.save()
        self.add()
        self.assertEqual(self.shown(), f"The study does not know '{STRUCTURES[0].name}'. What is it?")
        self.assertEqual(self.answers(), ["The same as Aorta", "A new structure", "Not for training"])
        self.answer("The same as Aorta")
        self.assertIn(STRUCTURES[1].name, self.shown())
        self.answer("Not for training")
        self.assertIn("Scan is now a labelled case of the study", self.shown())
        self.assertIn("1 corrected or new since its latest model", self.shown())
        study = Study.open(self.study.folder)
        labelmap = study.read_labelmap(study.case("Scan"))
        array = slicer.util.arrayFromVolume(self.volume)
        self.assertTrue(((labelmap > 0) == ((array > 500) & (array <= 900))).all())

    def test_a_second_correction_is_its_new_label_or_another_scan(self):
        self.study.save()
        self.add()
        self.assertIn("labelled case", self.shown())
        self.add()
        self.assertIn("has a case called Scan already", self.shown())
        self.answer("It is its corrected label")
        self.assertEqual(len(Study.open(self.study.folder).cases), 1)
        self.add()
        self.answer("It is another scan")
        self.assertEqual([case.name for case in Study.open(self.study.folder).cases], ["Scan", "Scan-2"])
        labels = sorted(file.name for file in (self.study.folder / "labels").iterdir())
        self.assertEqual(len(labels), 3)  # the first one is still there

    def test_a_folder_that_is_no_study(self):
        self.add(self.folder)
        self.assertIn("holds no study", self.said())
        self.assertEqual(self.action(), "Choose another folder")

    def test_the_panel_is_free_meanwhile(self):
        import threading

        self.study.save()
        held = threading.Event()
        from MMGLLib import training_cases

        write = training_cases._write

        def slowly(*arguments):
            held.wait(60)
            write(*arguments)

        from bench import popups

        popups.answers.append(str(self.study.folder))
        with mock.patch.object(training_cases, "_write", slowly):
            self.ui.addToTrainingButton.click()
            for _look in range(5):
                slicer.app.processEvents()
                time.sleep(0.02)
            self.assertIsNotNone(self.panel.run)
            held.set()
            self.ended()
        self.assertEqual(len(Study.open(self.study.folder).cases), 1)
