"""Let everything happen to a study that is open in MMGL Train, and measure when it is said and what is lost.

    mount -t tmpfs -o size=8m tmpfs /mnt/small
    python benchmarks/reliability/panel_faults.py --disk /mnt/small

Each fault is real but the graphics card that is taken away, of which the trainer only tells: processes are killed as
SIGKILL does, folders deleted and moved, and a small disk is filled to the last byte (without ``--disk`` those two are
left out). The panel is the one of `Testing/slicer`, with its trainer that learns nothing but writes all that a training
writes. Prints a table: the fault, the first words that are shown, the seconds from the fault to the words, and what is
lost of what was there before, after all that the panel offers to put it right. Ends with status 1 where a fault is not
said, or more is lost than is said here.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Testing" / "slicer"))

import bench  # noqa: F401
import numpy as np
from test_train_faults import TwoSlicersTest

from mmgl.study import Study

BOX = np.s_[2:5, 3:9, 3:9]
KEPT, LATER = 3 * 6 * 6, 2 * 6 * 6
"""Voxels that the other Slicer paints before and after its painting is kept, as it is once a minute."""


class Faults(TwoSlicersTest):
    """One method a fault. Each begins with a study of six scans of which four are labelled."""

    rows: ClassVar[list[tuple[str, str, float, str]]] = []
    disk: ClassVar[Path | None] = None

    def measured(self, fault: str, act: Callable[[], object], said: Callable[[], str], words: str) -> None:
        """Do something, wait until words are shown, and keep how long that took; ``lost`` says the rest."""
        begun = time.monotonic()
        act()
        self.until(lambda: words in said(), words)
        self.rows.append((fault, said().split(". ")[0].splitlines()[0].rstrip("."), time.monotonic() - begun, ""))

    def lost(self, what: str) -> None:
        """Say what the fault measured last has lost."""
        self.rows[-1] = (*self.rows[-1][:3], what)

    def kept(self, folder: Path) -> None:
        """Fail where the study has not all that it had."""
        study = Study.open(folder)
        voxels = [int((study.read_labelmap(study.case(f"scan {n}")) > 0).sum()) for n in range(4)]
        self.assertEqual((len(study.cases), voxels), (6, [384] * 4))

    def train(self):
        """Train until there are pictures, and return the section."""
        self.open()
        section = self.panel.sections["train"]
        self.panel.turn_to("train")
        self.will("wait")
        section.ui.trainButton.click()
        self.until(lambda: section.training is not None and len(section.training.story.previews) == 5, "pictures")
        return section

    def goes_on(self, section, button) -> None:
        """Go on by a button of the notice, to a model, with all that was told before the fault."""
        self.will("finish")
        button.click()
        self.until(lambda: not section.training.works, "the end of the training")
        self.assertIn("model-1 is ready", section.ui.noticeLabel.text)
        self.assertGreaterEqual(len(section.training.story.checks), 5)

    def fault_1_the_trainer_is_killed(self) -> None:
        section = self.train()
        pid = section.training.job.look().status["pid"]
        kill = lambda: os.kill(pid, signal.SIGKILL)  # noqa: E731
        self.measured("the trainer is killed", kill, lambda: section.ui.noticeLabel.text, "memory was full")
        self.goes_on(section, section.ui.firstButton)
        self.kept(self.study.folder)
        self.lost("nothing it had saved; the core saves once a minute (`kill_often.py`)")

    def fault_2_slicer_is_killed(self) -> None:
        self.will("wait")
        other = self.second_slicer()
        self.open()
        other.kill()
        other.wait()
        line, look = lambda: self.ui.statusLabel.text, self.ui.noticeButton.click
        self.measured("Slicer is killed while it trains and somebody paints", look, line, "It is training")
        self.settle()
        self.assertEqual(len(self.panel.sections["train"].training.story.previews), 5)
        labels = self.panel.sections["labels"]
        labels.open_case("scan 5")
        self.settle()
        self.assertEqual(self.voxels(labels.shown), KEPT)
        self.kept(self.study.folder)
        self.lost(
            f"the strokes since the last minute ({LATER} of {KEPT + LATER} voxels here); labels and training: none"
        )

    def fault_3_the_study_is_opened_twice(self) -> None:
        self.will("wait")
        self.second_slicer()
        before = (self.study.folder / "study.json").read_bytes()
        self.measured(
            "the study is opened twice", self.open, lambda: self.ui.noticeLabel.text, "open in another Slicer"
        )
        self.assertFalse(self.desk.change(lambda study: study.remove_case("scan 1")))
        self.assertEqual((self.study.folder / "study.json").read_bytes(), before)
        self.lost("nothing; the second one only reads")

    def fault_4_the_study_is_moved_while_it_trains_and_somebody_paints(self) -> None:
        section = self.train()
        self.begin_to_paint()
        moved = self.folder / "moved"
        notice = lambda: "" if self.ui.noticeFrame.isHidden() else self.ui.noticeLabel.text  # noqa: E731
        move = lambda: self.study.folder.rename(moved)  # noqa: E731
        self.measured("the study is moved while it trains", move, notice, "is not there any more")
        self.until(lambda: not section.training.works, "the end of the training")
        shown = self.labels.shown
        self.panel.open(lambda: self.widget.logic.openStudy(moved))
        self.settle()
        self.assertTrue(shown.there)
        self.assertEqual(self.voxels(shown), KEPT)
        self.until(lambda: not section.ui.firstButton.isHidden(), "a way to go on")
        self.goes_on(section, section.ui.firstButton)
        self.kept(moved)
        self.lost("nothing; the training goes on from its last save, what is painted stays in the scene")

    def fault_5_the_study_is_deleted_while_somebody_paints(self) -> None:
        self.open()
        self.begin_to_paint()
        notice = lambda: "" if self.ui.noticeFrame.isHidden() else self.ui.noticeLabel.text  # noqa: E731
        delete = lambda: shutil.rmtree(self.study.folder)  # noqa: E731
        self.measured("the study is deleted while somebody paints", delete, notice, "is not there any more")
        self.labels.ui.doneButton.click()
        self.assertFalse(self.study.folder.exists())
        self.assertEqual(self.voxels(self.labels.shown), KEPT)
        self.assertEqual(len(list(self.study.folder.parent.glob("scan ?.nrrd"))), 6)
        self.lost("what was in the folder; the scans, and what is painted in the open one, are there")

    def fault_6_the_disk_is_full_when_a_label_is_done(self) -> None:
        self.move_to_disk()
        self.open()
        self.begin_to_paint()
        filler = self.fill_disk()
        done = self.labels.ui.doneButton.click
        self.measured("the disk is full when a label is done", done, self.said, "the disk may be full")
        filler.unlink()
        self.labels.ui.doneButton.click()
        self.settle()
        self.assertIsNotNone(Study.open(self.study.folder).case("scan 4").label)
        self.kept(self.study.folder)
        self.lost("nothing; *Done* once more saves it")

    def fault_7_the_disk_is_full_while_it_trains(self) -> None:
        self.move_to_disk()
        section, filler = self.train(), []
        fill = lambda: filler.append(self.fill_disk())  # noqa: E731
        self.measured("the disk is full while it trains", fill, lambda: section.ui.noticeLabel.text, "is full")
        filler[0].unlink()
        self.goes_on(section, section.ui.firstButton)
        self.kept(self.study.folder)
        self.lost("nothing it had saved")

    def fault_8_the_graphics_card_goes(self) -> None:
        section = self.train()
        said = lambda: section.ui.noticeLabel.text  # noqa: E731
        self.measured("the graphics card goes", lambda: self.will("card"), said, "graphics card stopped working")
        self.goes_on(section, section.ui.secondButton)
        self.lost("nothing it had saved; it goes on on the processor")

    def begin_to_paint(self) -> None:
        self.labels.open_case("scan 4")
        self.settle()
        self.paint("Left ventricle", BOX)

    def voxels(self, shown) -> int:
        import slicer

        node = shown.segmentation
        identity = node.GetSegmentation().GetSegmentIdBySegmentName("Left ventricle")
        return int((slicer.util.arrayFromSegmentBinaryLabelmap(node, identity, shown.volume) > 0).sum())

    def move_to_disk(self) -> None:
        """Have the study on the small disk."""
        if self.disk is None:
            self.skipTest("no small disk was given")
        target = self.disk / self.study.folder.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.study.folder, target)
        self.addCleanup(shutil.rmtree, target)
        self.study = Study.open(target)

    def fill_disk(self) -> Path:
        """Write until there is no room for a byte more."""
        filler = self.disk / "filler"
        self.addCleanup(filler.unlink, missing_ok=True)
        with filler.open("wb", buffering=0) as file:
            for size in (1 << 16, 1 << 8, 1):
                try:
                    while file.write(b"x" * size):
                        pass
                except OSError:
                    continue
        return filler


def main() -> int:
    """Run all, print the table, and return an exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disk", type=Path, help="folder on a disk of a few MB, which is filled")
    Faults.disk = parser.parse_args().disk
    loader = unittest.TestLoader()
    loader.testMethodPrefix = "fault_"
    outcome = unittest.TextTestRunner(verbosity=0).run(loader.loadTestsFromTestCase(Faults))
    print("| fault | first words | seconds | lost |\n|---|---|---|---|")
    for fault, words, seconds, lost in Faults.rows:
        print(f"| {fault} | {words} | {seconds:.1f} | {lost} |")
    return int(not outcome.wasSuccessful())


if __name__ == "__main__":
    sys.exit(main())
