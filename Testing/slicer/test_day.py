"""A clinician's day with both modules, step by step, with the core itself on real scans; and the first five minutes."""

import json
import os
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from bench import REPOSITORY, on_bench_only, popups
from day import DayTest, needs
from panels import open_module

from mmgl.jobs.queue import Queue
from mmgl.study import Study
from MMGLLib import chosen_model, errands, results

HIPPOCAMPI = Path(os.environ.get("MMGL_DATA", REPOSITORY.parent / "shared" / "data")) / "hippocampus"
LABELLED = ("001", "004", "006", "007", "015")
UNLABELLED = ("017", "020")
LATER = ("024", "025")
TODAY, WARD = "033", ("034", "035")


@on_bench_only
class SampleTest(DayTest):
    steps = 6

    def test_from_opening_the_module_to_a_model_in_at_most_eight_clicks(self):
        self.picture("08-00 the module is opened")
        with mock.patch.object(errands, "SAMPLE", (4, 2)):
            self.click(self.ui.sampleButton)
            self.picture("08-03 the sample is made")
            self.settle()
        self.until(lambda: not self.ui.trainSection.collapsed, "handing over")
        self.assertEqual(self.ui.statusLabel.text, "Click Train.")
        self.picture("08-03 the sample is ready to train")
        self.click(self.train.ui.trainButton)
        self.assertIn("model-1 is ready.", self.trained())
        self.assertEqual(self.models.best.name, "model-1")
        self.assertLessEqual(self.clicks, 8)
        self.assertEqual(self.clicks, 2)


@on_bench_only
@needs(HIPPOCAMPI)
class WholeDayTest(DayTest):
    """Each chapter goes on where the one before ended."""

    watched = 1
    """Pictures of the result that are waited for before the first training is stopped."""

    def test_the_whole_day(self):
        self.morning()
        self.paint_some_slices()
        self.correct_a_draft()
        self.add_unlabelled_scans()
        self.train_stop_and_keep()
        self.look_at_the_model()
        self.segment_and_correct()
        self.train_again_overnight()
        self.next_day()
        self.friday()
        self.assertEqual(popups.seen, ["QFileDialog.getExistingDirectory"] * 5 + ["QFileDialog.getSaveFileName"]
                         + ["QFileDialog.getOpenFileName"])  # fmt: skip
        for name, voxels in self.originals.items():
            self.assertEqual(Path(name).read_bytes(), voxels)

    def copies(self, folder, *names, labels=()):
        """Copy scans into a folder of the clinic, and return it."""
        for kind, wanted in (("images", (*names, *labels)), ("labels", labels)):
            for name in wanted:
                file = f"hippocampus_{name}.nii.gz"
                (self.folder / folder / kind).mkdir(parents=True, exist_ok=True)
                shutil.copy(HIPPOCAMPI / kind / file, self.folder / folder / kind / f"patient {name}.nii.gz")
        return self.folder / folder

    @staticmethod
    def truth(name):
        """Return the true labelmap (z, y, x) of a scan."""
        import SimpleITK as sitk

        return sitk.GetArrayFromImage(sitk.ReadImage(str(HIPPOCAMPI / "labels" / f"hippocampus_{name}.nii.gz")))

    def morning(self):
        """08:20: a study of her own, from a folder in which some scans have labels."""
        self.picture("08-20 the module is opened")
        self.ui.nameEdit.text = "Hippocampus"
        self.click(self.ui.startButton)
        self.picture("08-20 a study of her own")
        clinic = self.copies("clinic", *UNLABELLED, labels=LABELLED)
        self.originals = {str(file): file.read_bytes() for file in clinic.rglob("*.nii.gz")}
        self.click(self.scans.ui.addFolderButton, clinic)
        self.settle()
        self.assertEqual(self.ui.statusLabel.text, "Answer the question below.")
        self.picture("08-22 whose paint is this")
        question = self.scans.findings._question
        self.answer(question, "A new structure", "Anterior part")
        self.answer(question, "A new structure", "Posterior part")
        study = Study.open(self.desk.study.folder)
        self.assertEqual([s.name for s in study.structures], ["Anterior part", "Posterior part"])
        self.assertEqual([len(study.labelled), len(study.checks), len(study.unlabelled)], [4, 1, 2])
        self.panel.turn_to("scans")
        self.picture("08-22 the scans")

    def paint_some_slices(self):
        """08:30: every fourth slice of a scan, one structure under a name that the study does not know."""
        labels = self.labels
        self.scans.table.choose(f"patient {UNLABELLED[0]}")
        self.click(self.scans.ui.labelButton)
        self.settle()
        shown, truth = labels.shown, self.truth(UNLABELLED[0])
        some = np.zeros_like(truth, bool)
        some[::4] = True
        segmentation = shown.segmentation.GetSegmentation()
        first = segmentation.GetSegmentIdBySegmentName("Anterior part")
        self.edit(shown.segmentation, shown.volume, first, (truth == 1) & some)
        tail = segmentation.AddEmptySegment("", "posterior", [0.9, 0.6, 0.2])
        self.edit(shown.segmentation, shown.volume, tail, (truth == 2) & some)
        self.assertIn("Done with this case", self.ui.statusLabel.text)
        self.picture("08-30 painting", volume=shown.volume)
        self.click(labels.ui.doneButton)
        self.settle()
        self.assertIn("'posterior'", labels.ui.questionLabel.text)
        self.picture("08-45 which structure is that")
        self.answer(labels._question, "The same as Posterior part")
        self.assertIn("only some slices are painted", labels.ui.questionLabel.text)
        self.picture("08-45 only some slices are painted")
        self.answer(labels._question, "The other slices are not labelled")
        case = Study.open(self.desk.study.folder).case(f"patient {UNLABELLED[0]}")
        self.assertEqual({extent.value for extent in case.label.extents.values()}, {"slices"})

    def correct_a_draft(self):
        """09:00: the next scan begins with what another tool found."""
        labels = self.labels
        self.click(labels.ui.nextButton)
        self.settle()
        shown, truth = labels.shown, self.truth(UNLABELLED[1])
        self.assertEqual(shown.name, f"patient {UNLABELLED[1]}")
        draft = results.new_segmentation(shown.volume, truth.astype(np.uint8), self.desk.study.structures, "Draft")
        labels.ui.draftSelector.setCurrentNode(draft)
        self.click(labels.ui.draftButton)
        self.settle()
        self.assertFalse(labels.ui.doneButton.enabled)
        self.picture("09-00 a draft of another tool", volume=shown.volume)
        first = shown.segmentation.GetSegmentation().GetNthSegmentID(0)
        lowest = np.flatnonzero((truth == 1).any(axis=(1, 2)))[0]
        wrong = np.zeros_like(truth)
        wrong[lowest] = truth[lowest] == 1
        self.edit(shown.segmentation, shown.volume, first, wrong, remove=True)
        self.click(labels.ui.draftButton)
        self.click(labels.ui.doneButton)
        self.settle()
        study = Study.open(self.desk.study.folder)
        found = study.read_labelmap(study.case(shown.name))
        self.assertEqual(int((found == 1).sum()), int((truth == 1).sum() - wrong.sum()))
        self.assertEqual(len(study.labelled), 6)

    def add_unlabelled_scans(self):
        """10:20: a folder with two more, one of them a second time, and a file that is broken."""
        more = self.copies("more", *LATER)
        shutil.copy(more / "images" / f"patient {LATER[0]}.nii.gz", more / "images" / "copy of it.nii.gz")
        (more / "images" / "broken.nii.gz").write_bytes(b"no image")
        self.turn_to("scans")
        self.click(self.scans.ui.addFolderButton, more / "images")
        self.settle()
        self.assertIn("could not be used", self.said())
        keys = [finding["key"] for finding in self.desk.open_findings()]
        self.scans.ui.findingList.setCurrentRow(keys.index("check.duplicate"))
        self.picture("10-20 what the checks found")
        self.click(self.scans.ui.fixButton)
        self.settle()
        self.assertEqual(len(Study.open(self.desk.study.folder).unlabelled), 2)

    def train_stop_and_keep(self):
        """10:30: watched for a moment, then stopped; what it has learned is kept."""
        self.turn_to("train")
        self.assertIn("Learns from 6 labelled and 2 unlabelled scans", self.train.ui.checksLabel.text)
        self.assertEqual(self.ui.statusLabel.text, "Click Train.")
        self.picture("10-30 before training")
        self.ui.advancedSection.collapsed = False
        self.widget.logic.getParameterNode().method = "supervised"
        self.picture("10-30 Advanced, which nobody needs")
        self.ui.advancedSection.collapsed = True
        with mock.patch.object(type(self), "steps", 160):
            self.click(self.train.ui.trainButton)
        self.until(lambda: len(self.train.training.story.previews) >= self.watched, "a picture of the result")
        self.until(lambda: not self.train.training.behind, "the news")
        self.train.live.show()
        self.assertFalse(self.train.ui.pictureLabel.pixmap.isNull())
        self.assertIn("left, ready at about", self.train.ui.timeLabel.text)
        self.picture("10-31 it is training")
        self.click(self.train.ui.trainButton)
        self.assertIn("kept as model-1-stopped", self.trained())
        self.picture("10-46 stopped, and kept")

    def look_at_the_model(self):
        """10:46: words first, numbers second."""
        self.turn_to("models")
        self.assertEqual(self.models.current.name, "model-1-stopped")
        self.assertEqual(self.models.ui.scoreTable.rowCount, 2)
        self.picture("10-46 the verdict")
        self.click(self.models.ui.useButton)
        self.assertIn("MMGL Segment now takes model-1-stopped", self.models.ui.noticeLabel.text)

    def segment_and_correct(self):
        """10:50: today's patient, in the other module; the corrected result goes back to the study."""
        scan = self.copies("today", TODAY) / "images" / f"patient {TODAY}.nii.gz"
        widget = open_module("MMGLSegment")
        self.addCleanup(widget.cleanup)
        panel, ui = widget.panel, widget.panel.ui
        volume = slicer.util.loadVolume(str(scan))
        ui.scanSelector.setCurrentNode(volume)
        self.assertIn("model-1-stopped", ui.modelSelector.currentText)
        self.picture("10-50 MMGL Segment", panel)
        self.click(ui.segmentButton)
        self.until(lambda: panel.run is None, "the result")
        node, truth = panel.parameters.result, self.truth(TODAY)
        self.assertIsNotNone(node, ui.messageLabel.text)
        self.picture("10-51 the result", panel, volume)
        for value in (1, 2):
            segment = node.GetSegmentation().GetNthSegmentID(value - 1)
            self.edit(node, volume, segment, truth != value, remove=True)
            self.edit(node, volume, segment, truth == value)
        self.picture("10-55 corrected", panel, volume)
        self.click(ui.addToTrainingButton, self.desk.study.folder)
        self.until(lambda: panel.run is None, "the new case")
        self.assertIn("is now a labelled case of the study. 1 corrected or new", ui.messageLabel.text)
        self.picture("10-55 added to training", panel)
        study = Study.open(self.desk.study.folder)
        self.assertTrue((study.read_labelmap(study.labelled[-1]) == truth).all())
        self.assertEqual(len(study.labelled), 7)

    def train_again_overnight(self):
        """17:30: from what the model has learned, then a folder; Slicer is closed meanwhile."""
        self.widget.enter()
        self.panel.onTimeout()
        self.settle()
        self.turn_to("train")
        self.assertIn("Learns from 7 labelled", self.train.ui.checksLabel.text)
        if not self.train.ui.againBox.checked:
            self.click(self.train.ui.againBox)
        self.click(self.train.ui.overnightButton)
        self.picture("17-30 train again, overnight")
        ward = self.copies("ward", *WARD)
        (ward / "images" / "broken.nii.gz").write_bytes(b"no image")
        self.click(self.train.ui.trainButton)
        self.click(self.train.ui.thenButton, ward / "images")
        self.assertIn("Then images is segmented", self.train.ui.thenLabel.text)
        asked = json.loads((self.train.training.folder / "job.json").read_text(encoding="utf-8"))["arguments"]
        self.assertTrue(asked[asked.index("--again") + 1].endswith("model-1-stopped.mmgl"))
        self.picture("17-30 two things in the queue")
        self.widget.cleanup()
        slicer.mrmlScene.Clear(0)

    def next_day(self):
        """08:00: the module is opened again, and says what came of the night."""
        queue = Queue(self.folder / "queue")
        self.until(lambda: all(turn.state == "over" for turn in queue.turns()), "the night")
        self.open()
        self.assertEqual(self.ui.recentButton.text, "Go on with Hippocampus")
        self.picture("next day 08-00 the module is opened")
        self.click(self.ui.recentButton)
        self.settle()
        self.assertIn("model-2 is ready.", self.trained())
        self.turn_to("train")
        self.until(lambda: "is segmented. The results are in" in self.train.ui.thenLabel.text, "the word about them")
        self.picture("next day 08-00 what came of the night")
        found = self.folder / "ward" / "images model-2"
        self.assertEqual(len(list(found.glob("patient*.seg.nrrd"))), 2)
        self.assertTrue((found / "results.csv").is_file())
        self.turn_to("models")
        newest = next(model for model in self.models.models if model.name == "model-2")
        self.choose("model-2")
        self.assertTrue(newest.said("compare."))
        self.assertFalse(self.models.ui.compareLabel.isHidden())
        self.picture("next day 08-01 compared with the model before")
        self.click(self.models.ui.useButton)
        self.assertEqual(chosen_model.chosen(), str(newest.file))
        self.choose("model-1-stopped")
        self.click(self.models.ui.useButton)  # one click back
        self.assertTrue(chosen_model.chosen().endswith("model-1-stopped.mmgl"))

    def choose(self, model):
        """Choose a model in the list."""
        self.clicks += 1
        row = [other.name for other in self.models.models].index(model)
        self.models.ui.modelTree.setCurrentItem(self.models.ui.modelTree.topLevelItem(row))

    def friday(self):
        """One file for a colleague, whose study takes it."""
        self.choose("model-2")
        letter = self.folder / "hippocampus.mmgl"
        self.click(self.models.ui.exportButton, (str(letter), ""))
        self.assertIn("no images and no patient data", self.models.ui.noticeLabel.text)
        self.picture("Friday, one file for a colleague")
        self.assertNotIn(b"patient", letter.read_bytes())
        self.click(self.ui.changeButton)
        self.ui.nameEdit.text = "Colleague"
        self.click(self.ui.startButton)
        self.turn_to("models")
        self.click(self.models.ui.importButton, (str(letter), ""))
        self.assertIn("hippocampus was added", self.models.ui.noticeLabel.text)
        self.assertEqual([model.name for model in self.models.models], ["hippocampus"])
        self.picture("Friday, at the colleague's")


if __name__ == "__main__":
    import unittest

    unittest.main()
