"""What may happen to a study while it is worked on: a second Slicer, a killed one, a deleted folder, a full disk."""

import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from bench import on_bench_only
from train_panels import PanelTest

from mmgl.imaging import segmentation_files
from mmgl.study import Study
from MMGLLib.worker import environment

FULL = OSError(28, "No space left on device")


@on_bench_only
class TwoSlicersTest(PanelTest):
    def second_slicer(self):
        """Start another Slicer, which opens the study, trains, and labels a case; return when it paints the next."""
        trainer = self.folder / "trainer" / "fake_training.py"
        script = Path(__file__).with_name("second_slicer.py")
        log = (self.folder / "second.log").open("wb")
        self.addCleanup(log.close)
        command = [sys.executable, str(script), str(self.study.folder), str(trainer)]
        other = subprocess.Popen(command, env=environment(), stdout=log, stderr=log)
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        there = trainer.with_name("second.txt")
        self.until(lambda: there.exists() or other.poll() is not None, "the other Slicer")
        self.assertTrue(there.exists(), (self.folder / "second.log").read_text(encoding="utf-8", errors="replace"))
        return other

    def test_the_second_only_reads_and_takes_over_when_the_first_is_killed(self):
        self.will("wait")
        other = self.second_slicer()
        self.open()
        self.assertIn("open in another Slicer", self.ui.noticeLabel.text)
        self.assertFalse(self.scans.ui.addFolderButton.enabled)
        before = (self.study.folder / "study.json").read_bytes()
        self.assertFalse(self.desk.change(lambda study: study.remove_case("scan 1")))
        self.assertEqual((self.study.folder / "study.json").read_bytes(), before)
        train = self.panel.sections["train"]
        self.until(lambda: len(train.training.story.previews) == 5, "the pictures of its training")
        other.kill()
        other.wait()
        self.ui.noticeButton.click()
        self.settle()
        self.assertTrue(self.ui.noticeFrame.isHidden())
        self.assertTrue(self.desk.writable)
        study = Study.open(self.study.folder)
        self.assertEqual(int((study.read_labelmap(study.case("scan 4")) > 0).sum()), 3 * 6 * 6)  # what was done is kept
        self.assertEqual(len(study.cases), 6)
        self.labels.open_case("scan 5")  # painted and not done: what was kept is there, what came after it is not
        self.settle()
        shown = self.labels.shown
        painted = slicer.util.arrayFromSegmentBinaryLabelmap(shown.segmentation, "Segment_1", shown.volume)
        self.assertEqual((shown.state, int((painted > 0).sum())), ("drafting", 3 * 6 * 6))
        train.ui.trainButton.click()  # stop and keep
        self.until(lambda: not train.training.works, "the end of the training")
        self.assertIn("kept as model-1-stopped", train.ui.noticeLabel.text)

    def test_the_second_does_not_train(self):
        self.occupy()
        self.open()
        train = self.panel.sections["train"]
        train.ui.trainButton.click()
        self.assertIn("open in another Slicer", train.ui.noticeLabel.text)
        self.assertFalse((self.study.folder / "runs").exists())


@on_bench_only
class GoneTest(PanelTest):
    def test_done_after_the_study_was_deleted_makes_nothing_anew_and_loses_nothing(self):
        self.open()
        self.scans.table.choose("scan 4")
        self.scans.ui.labelButton.click()
        self.paint("Left ventricle", np.s_[2:5, 3:9, 3:9])
        moved = self.study.folder.rename(self.folder / "moved")
        self.labels.ui.doneButton.click()
        self.assertIn("is not there any more", self.said())
        self.assertFalse(self.study.folder.exists())
        moved.rename(self.study.folder)  # the drive is there again
        self.panel.onTimeout()
        self.labels.ui.doneButton.click()
        self.settle()
        study = Study.open(self.study.folder)
        self.assertEqual(int((study.read_labelmap(study.case("scan 4")) > 0).sum()), 3 * 6 * 6)

    def test_train_after_the_study_was_deleted(self):
        self.open()
        self.study.folder.rename(self.folder / "moved")
        train = self.panel.sections["train"]
        train.ui.trainButton.click()
        self.assertIn("is not there any more", train.ui.noticeLabel.text)
        self.assertFalse(self.study.folder.exists())


@on_bench_only
class FullDiskTest(PanelTest):
    """The disk has no room: what is there stays, words are said, and once there is room again all goes on."""

    def test_while_a_label_is_written(self):
        self.open()
        self.scans.table.choose("scan 4")
        self.scans.ui.labelButton.click()
        self.paint("Left ventricle", np.s_[2:5, 3:9, 3:9])
        with mock.patch.object(segmentation_files.sitk, "WriteImage", side_effect=FULL):
            self.labels.ui.doneButton.click()
            self.settle()
        self.assertIn("No space left", self.said())
        self.assertIsNone(Study.open(self.study.folder).case("scan 4").label)
        self.assertEqual(list((self.study.folder / "labels").rglob("*.nrrd")), [])
        self.labels.ui.doneButton.click()
        self.settle()
        self.assertIsNotNone(Study.open(self.study.folder).case("scan 4").label)

    def test_while_the_sample_is_made(self):
        with mock.patch("mmgl.demo.hearts._write_scan", side_effect=FULL):
            self.ui.sampleButton.click()
            self.settle()
        self.assertIn("No space left", self.said())
        self.assertEqual(self.desk.study.cases, ())
        self.assertTrue(self.scans.ui.addFolderButton.enabled)

    def test_while_a_folder_is_added(self):
        self.open()
        with mock.patch.object(Study, "save", side_effect=FULL):
            self.scans.add_folders([str(self.study.folder.parent)])
            self.settle()
        self.assertIn("No space left", self.said())
        self.assertEqual(len(Study.open(self.study.folder).cases), 6)

    def test_while_a_model_is_exported(self):
        import shutil

        models = self.panel.sections["models"]
        (self.study.folder / "models").mkdir()
        shutil.copy(self.folder / "trainer" / "model.mmgl", self.study.folder / "models")
        self.open()
        target = self.folder / "letter.mmgl"
        with mock.patch.object(shutil, "copyfile", side_effect=FULL):
            models.export_model(target)
        self.assertIn("No space left", models.notice.ui.noticeLabel.text)
        self.assertFalse(target.exists())


if __name__ == "__main__":
    import unittest

    unittest.main()
