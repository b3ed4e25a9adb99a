"""What is painted is never lost, and neither loading nor saving holds Slicer up."""

import threading
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
import slicer
from bench import on_bench_only
from scenes import volume_of, write_series
from train_panels import PanelTest

from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.study import Study
from MMGLLib.messages import MMGLError

BOX = np.s_[1:5, 3:9, 3:9]


class KeepingTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.open()

    def open_case(self, name):
        self.labels.open_case(name)
        self.settle()

    def again(self):
        """Open the module as after another start of Slicer: with an empty scene."""
        from panels import open_module

        slicer.mrmlScene.Clear(0)
        self.widget = open_module("MMGLTrain")
        self.addCleanup(self.widget.cleanup)
        self.panel, self.ui, self.desk = self.widget.panel, self.widget.panel.ui, self.widget.panel.desk
        self.scans, self.labels = self.panel.sections["scans"], self.panel.sections["labels"]
        self.open()

    def painted(self, name="Left ventricle"):
        """Return the voxels of a segment of the case that is open."""
        segmentation = self.labels.shown.segmentation
        identity = segmentation.GetSegmentation().GetSegmentIdBySegmentName(name)
        return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, identity, self.labels.shown.volume) > 0


class EndTest(KeepingTest):
    """Slicer is closed, or dies."""

    def test_what_is_painted_and_not_done_is_there_again(self):
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        self.paint("Aorta ☤", np.s_[2:4, 12:15, 12:15])
        slicer.app.aboutToQuit.emit()
        self.assertIsNone(Study.open(self.study.folder).case("scan 4").label)  # nobody said that it is done
        self.again()
        self.open_case("scan 4")
        self.assertEqual(self.labels.shown.state, "drafting")
        self.assertEqual(int(self.painted().sum()), 4 * 6 * 6)
        self.assertEqual(int(self.painted("Aorta ☤").sum()), 2 * 3 * 3)
        self.labels.ui.doneButton.click()
        self.settle()
        self.choices(self.labels._question)["Not for training"].click()
        self.settle()
        self.assertIsNotNone(Study.open(self.study.folder).case("scan 4").label)
        self.assertEqual(list((self.study.folder / "labels").rglob("unfinished/*")), [])

    def test_a_draft_that_nobody_accepted_is_a_draft_again(self):
        from MMGLLib import results

        self.open_case("scan 4")
        labelmap = np.zeros(slicer.util.arrayFromVolume(self.labels.shown.volume).shape, np.uint8)
        labelmap[BOX] = 2
        source = results.new_segmentation(self.labels.shown.volume, labelmap, self.desk.study.structures, "Total")
        self.labels.ui.draftSelector.setCurrentNode(source)
        self.labels.ui.draftButton.click()
        self.settle()
        slicer.app.aboutToQuit.emit()
        self.again()
        self.open_case("scan 4")
        self.assertEqual(self.labels.shown.state, "draft")
        self.assertFalse(self.labels.ui.doneButton.enabled)
        self.assertEqual(int(self.painted("Myocard (ä/ß)").sum()), 4 * 6 * 6)

    def test_a_label_that_was_being_saved_is_saved_and_understood_the_next_time(self):
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        self.labels.ui.doneButton.click()
        slicer.app.aboutToQuit.emit()
        self.assertIsNone(Study.open(self.study.folder).case("scan 4").label)
        self.again()
        label = Study.open(self.study.folder).case("scan 4").label
        self.assertEqual(int((read_segmentation(label.path).layers[0] > 0).sum()), 4 * 6 * 6)

    def test_a_question_that_was_not_answered_is_asked_again(self):
        self.open_case("scan 4")
        self.paint("left ventricel", BOX)
        self.labels.ui.doneButton.click()
        self.settle()
        slicer.app.aboutToQuit.emit()
        self.again()
        self.assertEqual(self.ui.statusLabel.text, "A label waits for your answer: open Labels.")
        self.panel.turn_to("labels")
        self.assertEqual(self.ui.statusLabel.text, "Answer the question under the editor.")
        self.choices(self.labels._question)["The same as Left ventricle"].click()
        self.settle()
        self.assertIsNotNone(Study.open(self.study.folder).case("scan 4").label)

    def test_painting_is_kept_now_and_then_so_that_a_crash_costs_a_minute(self):
        from MMGLTrainLib import keeping

        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        kept = self.study.folder / "labels" / "unfinished" / "scan 4.seg.nrrd"
        with mock.patch.object(keeping, "EVERY", -1.0):
            self.panel.onTimeout()
            self.until(kept.is_file, "the file")
            self.settle()
            before = kept.stat().st_mtime_ns
            self.panel.onTimeout()
            self.assertFalse(self.labels.busy)  # nothing was painted since
        self.assertEqual(kept.stat().st_mtime_ns, before)
        self.again()  # without a word from the one before
        self.open_case("scan 4")
        self.assertEqual(int(self.painted().sum()), 4 * 6 * 6)

    def test_what_is_erased_again_is_not_kept(self):
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        slicer.mrmlScene.Clear(0)
        self.open_case("scan 4")
        self.assertEqual(int(self.painted().sum()), 4 * 6 * 6)
        self.paint("Left ventricle", np.s_[0:0, 0:0, 0:0])
        slicer.mrmlScene.Clear(0)
        self.settle()
        self.assertEqual(list((self.study.folder / "labels").rglob("*.seg.nrrd")), [])

    def test_what_is_painted_after_done_is_not_thrown_away_with_the_next_case(self):
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        self.labels.ui.doneButton.click()
        self.settle()
        before = self.labels.shown
        self.paint("Left ventricle", np.s_[1:5, 3:12, 3:12])
        self.open_case("scan 5")
        self.assertTrue(before.there)
        slicer.mrmlScene.Clear(0)
        self.open_case("scan 4")
        self.assertEqual((self.labels.shown.state, int(self.painted().sum())), ("drafting", 4 * 9 * 9))

    def test_slicer_itself_asks_whether_to_save_before_it_is_closed(self):
        """Its main window asks where the scene has data that no file has; a case is such data."""
        self.assertFalse(slicer.mrmlScene.GetStorableNodesModifiedSinceRead())
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        self.assertTrue(slicer.mrmlScene.GetStorableNodesModifiedSinceRead())

    def test_a_study_that_may_not_be_changed_is_not_written_to(self):
        self.desk.opened.read_only = True
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        slicer.app.aboutToQuit.emit()
        self.assertFalse((self.study.folder / "labels").exists())


class BesideTest(KeepingTest):
    """Reading and writing are done beside the GUI thread."""

    @on_bench_only
    def test_files_are_read_and_written_in_threads(self):
        from MMGLLib import opening_case, saving_label

        threads = []

        def noted(original):
            def call(*arguments, **named):
                threads.append(threading.current_thread())
                return original(*arguments, **named)

            return call

        with (
            mock.patch.object(opening_case, "_read", noted(opening_case._read)),
            mock.patch.object(saving_label, "write_segmentation", noted(saving_label.write_segmentation)),
        ):
            self.labels.open_case("scan 4")
            self.panel.onTimeout()
            self.assertEqual(self.ui.busyLabel.text, "Loading scan 4")
            self.settle()
            self.paint("Left ventricle", BOX)
            self.labels.ui.doneButton.click()
            self.panel.onTimeout()
            self.assertEqual(self.ui.busyLabel.text, "Saving what is painted in scan 4")
            self.settle()
        self.assertEqual(len(threads), 2)
        self.assertNotIn(threading.main_thread(), threads)

    def test_a_large_scan_is_copied_slab_by_slab(self):
        from MMGLLib import results
        from MMGLLib.opening_case import OpeningCase
        from MMGLLib.saving_label import SavingLabel

        voxels = np.arange(12 * 64 * 64, dtype=np.uint16).reshape(12, 64, 64)
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(self.folder / "large.nrrd"))
        self.desk.change(lambda study: study.add_case(self.folder / "large.nrrd"))
        self.settle()
        with mock.patch.object(results, "SLAB", 64 * 64):  # one slice a step
            opening = OpeningCase(self.desk.study, self.desk.study.case("large"))
            self.assertGreater(sum(1 for _ in opening.work()), 12)
            shown = OpeningCase(self.desk.study, self.desk.study.case("large")).finish()["shown"]
            self.assertTrue((slicer.util.arrayFromVolume(shown.volume) == voxels).all())
            mask = (voxels > 1000).astype(np.uint8)
            identity = shown.segmentation.GetSegmentation().GetNthSegmentID(0)
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, identity, shown.volume)
            saving = SavingLabel(shown, self.folder / "large.seg.nrrd", self.study.structures)
            self.assertGreater(sum(1 for _ in saving.work()), 11)
        painted = read_segmentation(self.folder / "large.seg.nrrd")
        self.assertTrue(((painted.layers[0] > 0) == (mask > 0)).all())

    def test_who_paints_while_it_is_copied_gets_all_or_nothing_of_a_stroke(self):
        from MMGLLib import results
        from MMGLLib.painted import copying

        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        node = self.labels.shown.segmentation
        with mock.patch.object(results, "SLAB", 1):
            steps = copying(node)
            next(steps)
            next(steps)
            self.paint("Left ventricle", np.s_[0:6, 0:20, 0:20])
            painted, _when = results.finished(steps)
        self.assertEqual(int((painted.layers[0][0] > 0).sum()), 6 * 20 * 20)

    def test_a_dicom_series_and_a_volume_of_the_scene_join_beside_the_gui_thread(self):
        from mmgl.study import Image
        from MMGLLib import sources

        folder = write_series(self.folder / "series", (0.0, 2.0, 4.0))
        source = sources.Source("a series", "knee", image=Image(folder, "1.2.5"), patient="anon-1")
        self.assertIsNone(self.desk.add_source(source))
        self.settle()
        self.assertEqual(self.desk.study.case("knee").patient, "anon-1")
        self.assertEqual(self.desk.study.read_scan(self.desk.study.case("knee")).grid.size, (3, 8, 8))
        run = self.desk.add_source(sources.Source("Mine", "Mine", volume=volume_of(name="Mine")))
        self.until(run.poll, "the volume")
        self.assertEqual(self.desk.study.case("Mine").images[0].path.parent, self.study.folder / "scans")
        for name in ("knee", "Mine"):
            self.assertRaises(MMGLError, self.desk.add_source, sources.Source("", name, volume=volume_of()))

    def test_the_table_says_what_was_begun(self):
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        slicer.mrmlScene.Clear(0)
        self.desk.survey()
        self.settle()
        row = next(row for row in self.rows() if row[0] == "scan 4")
        self.assertEqual((row[1], row[3]), ("begun", "Go on painting"))

    def test_what_was_begun_while_all_cases_are_looked_at_is_not_forgotten(self):
        self.open_case("scan 4")
        self.paint("Left ventricle", BOX)
        self.desk.survey()
        with mock.patch.object(self.desk.errands, "poll"):  # nobody listens until it is kept
            said = Path(self.desk.errands._row[0]._alone.home.name) / "events.jsonl"
            self.until(lambda: said.is_file() and "missing" in said.read_text(), "what the errand says")
            self.labels.keeping.leave(self.labels.shown)
            self.until(lambda: not self.labels.busy, "the end of saving")
        self.settle()
        row = next(row for row in self.rows() if row[0] == "scan 4")
        self.assertEqual((row[1], row[3]), ("begun", "Go on painting"))

    def test_another_case_is_opened_while_one_is_loading(self):
        from MMGLLib import opening_case

        read, asked = opening_case._read, threading.Event()

        def slowly(study, case):
            if case.name == "scan 4":
                asked.wait()  # a small file may be there at the first look
            return read(study, case)

        self.addCleanup(asked.set)
        with mock.patch.object(opening_case, "_read", slowly):
            self.labels.open_case("scan 4")
            self.labels.open_case("scan 5")
            asked.set()
            self.settle()
        self.assertEqual(self.labels.shown.name, "scan 5")
        names = [node.GetName() for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")]
        self.assertEqual(names, ["scan 5"])

    def test_a_scan_that_cannot_be_read_says_so(self):
        (self.study.folder.parent / "scan 4.nrrd").write_bytes(b"NRRD0004\nbroken")
        self.open_case("scan 4")
        self.assertIn("scan 4.nrrd", self.said())
        self.assertFalse(self.labels.open_now)


if __name__ == "__main__":
    import unittest

    unittest.main()
