"""The console interface of MMGLSegment with the real core behind it, and what is done with a result afterwards."""

import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from bench import BenchTest
from panels import card_only, open_module, segmented_by_core
from pretend_process import PretendProcess
from scenes import STRUCTURES, painted, to_ras, transform_of, turned, volume_of

from mmgl.imaging.conversion import image_of
from mmgl.messages import MMGLError
from mmgl.study import Study
from MMGLLib import nodes, results, worker


class LogicTest(BenchTest):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(worker.close)
        widget = open_module()  # in the application this is what makes the module importable
        widget.cleanup()
        from MMGLSegment import MMGLSegmentLogic

        self.logic = MMGLSegmentLogic()

    def pretend(self, behaviour):
        process = PretendProcess(self.folder)
        process.will(behaviour)
        patch = mock.patch.object(worker, "command", process.launcher)
        patch.start()
        self.addCleanup(patch.stop)


class SegmentTest(LogicTest):
    def test_the_real_core_gives_the_same_with_and_without_slicer(self):
        import SimpleITK as sitk

        volume = volume_of(size=(9, 20, 24))
        volume.SetAndObserveTransformNodeID(transform_of(to_ras(turned(90))).GetID())
        scan, file = nodes.scan_of(volume), self.folder / "scans" / "scan.nrrd"
        file.parent.mkdir()
        sitk.WriteImage(image_of(scan.array[0], scan.grid), str(file))
        model, result = segmented_by_core(self.folder, file)
        node = self.logic.segment(volume, model, device="cpu")
        expected = sitk.GetArrayFromImage(sitk.ReadImage(str(result)))
        self.assertEqual(list(np.unique(expected)), [0, 1, 2])
        found = np.zeros_like(expected)
        for value, structure in enumerate(STRUCTURES, start=1):
            mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, f"Segment_{structure.id}", volume)
            found[mask > 0] = value
        self.assertTrue((found == expected).all())

    def test_without_waiting_there_are_events(self):
        self.pretend("both")
        heard = []
        run = self.logic.segment(volume_of(), card_only(self.folder), wait=False, onEvent=heard.append)
        self.assertFalse(run.ended)
        self.until(run.poll, "the end of segmenting")
        self.assertEqual({event["event"] for event in heard[:-1]}, {"progress"})
        self.assertEqual(heard[-1]["event"], "done")
        self.assertEqual(heard[-1]["node"], run.node)

    def test_what_is_wrong_is_raised_in_words_and_nothing_is_made(self):
        self.pretend("constant")
        model = card_only(self.folder)
        wrong = {
            "No scan is chosen": (None, model, None),
            "No model is chosen": (volume_of(), "", None),
            "is not there": (volume_of(), str(self.folder / "gone.mmgl"), None),
            "no structure called Liver": (volume_of(), model, ["Liver"]),
            "Scan has the same value": (volume_of(), model, None),
        }
        for words, (volume, file, structures) in wrong.items():
            with self.subTest(words), self.assertRaisesRegex(MMGLError, words):
                self.logic.segment(volume, file, structures=structures)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode"), 0)

    def test_no_file_is_left_behind(self):
        self.pretend("both")
        own = self.folder / "temporary"
        own.mkdir()
        with mock.patch.object(tempfile, "tempdir", str(own)):
            self.logic.segment(volume_of(), card_only(self.folder))
            self.assertEqual(list(own.rglob("*.raw")), [])
            worker.close()
        self.assertEqual(list(own.iterdir()), [])


class RequestTest(LogicTest):
    def test_it_tells_how_far_it_is_and_what_was_found(self):
        self.pretend("both")
        scan, model = nodes.scan_of(volume_of()), Path(card_only(self.folder))
        worker.prepare(model, "cpu")
        request = worker.Request(scan, model, "Scan", "cpu", finer=False)
        self.until(lambda: request.ended, "the end of segmenting")
        events = request.events()
        self.assertEqual([e["stage"] for e in events], ["progress.starting", "progress.segmenting"])
        self.assertEqual([(e["share"], e["seconds_left"]) for e in events], [(0.0, None), (0.5, 7.0)])
        self.assertEqual(request.events(), [])
        self.assertEqual(request.result().shape, scan.grid.size)
        self.assertTrue(request.grid.same_as(scan.grid))
        self.assertIsNone(request.doubt())
        self.assertEqual((request.flags, request.doubts, request.slices), ([], [], []))
        self.assertEqual((request.fit, request.findings), ([], []))
        request.close()

    def test_what_is_no_setting_is_refused_at_once(self):
        scan, model = nodes.scan_of(volume_of()), Path(card_only(self.folder))
        with self.assertRaisesRegex(MMGLError, "the setting colour"):
            worker.Request(scan, model, "Scan", "cpu", colour="red")


class AfterwardsTest(LogicTest):
    def test_a_result_is_edited_and_the_edit_undone(self):
        volume = volume_of()
        node = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        editor_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        editor = slicer.vtkSlicerSegmentEditorLogic()
        editor.SetMRMLScene(slicer.mrmlScene)
        editor.SetSegmentEditorNode(editor_node)
        editor.SetSegmentationNode(node)
        editor.SetSourceVolumeNode(volume)
        editor.SaveStateForUndo()
        mask = np.zeros(painted().shape, np.uint8)
        mask[0, 0, 0] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, "Segment_4", volume)
        self.assertEqual(self.voxels(node, volume), 1)
        editor.Undo()
        self.assertEqual(self.voxels(node, volume), int((painted() == 1).sum()))

    @staticmethod
    def voxels(node, volume):
        return int((slicer.util.arrayFromSegmentBinaryLabelmap(node, "Segment_4", volume) > 0).sum())

    def test_a_corrected_result_becomes_a_case_of_the_study(self):
        study = Study.create(self.folder / "study")
        for structure in STRUCTURES:
            study.add_structure(structure.name, structure.colour, structure.terminology)
        study.save()
        volume = volume_of(name="Patient 7")
        node = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        name = self.logic.addToTraining(node, volume, study.folder)
        again = Study.open(study.folder)
        case = again.case(name)
        self.assertTrue((again.read_scan(case).array[0] == slicer.util.arrayFromVolume(volume)).all())
        self.assertTrue((again.read_labelmap(case) == painted()).all())
        status = slicer.vtkSlicerSegmentationsModuleLogic
        self.assertEqual(status.GetSegmentStatus(node.GetSegmentation().GetSegment("Segment_4")), status.Completed)
        with self.assertRaisesRegex(MMGLError, "already"):
            self.logic.addToTraining(node, volume, study.folder)

    def test_a_segment_the_study_does_not_know_is_asked_for_and_leaves_nothing(self):
        study = Study.create(self.folder / "study")
        study.add_structure("Aorta")
        study.save()
        volume = volume_of()
        node = results.new_segmentation(volume, painted(), STRUCTURES, "Result")
        with self.assertRaises(MMGLError) as raised:
            self.logic.addToTraining(node, volume, study.folder)
        self.assertEqual(raised.exception.key, "label.unknown_structure")
        self.assertEqual(list(study.folder.rglob("*.nrrd")), [])
        said = {STRUCTURES[0].name: "Aorta", STRUCTURES[1].name: ""}
        self.logic.addToTraining(node, volume, study.folder, meanings=said)
        self.assertEqual(len(Study.open(study.folder).labelled), 1)
