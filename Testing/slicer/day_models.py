"""The day from the first training on: watched, kept, used, corrected, trained again overnight, given away."""

from __future__ import annotations

import json
from unittest import mock

import slicer
from day import TODAY, WARD
from panels import open_module

from mmgl.jobs.queue import Queue
from mmgl.study import Study
from MMGLLib import chosen_model


class ModelsChapters:
    """Chapters of ``WholeDayTest``; each goes on where the one before ended."""

    def train_stop_and_keep(self):
        """10:30: watched for a moment, then stopped; what it has learned is kept."""
        self.turn_to("train")
        self.assertEqual(self.said(), "")  # the message about the broken file was read
        self.assertIn("Learns from 6 labelled and 2 unlabelled scans", self.train.ui.checksLabel.text)
        self.assertEqual(self.ui.statusLabel.text, "Click Train.")
        self.picture("10-30 before training")
        self.ui.advancedSection.collapsed = False
        method = self.ui.methodSelector  # one without pre-training, so that there is something to keep after a moment
        method.setCurrentIndex(method.findData("supervised"))
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
        self.assertIn("Then the folder images is segmented", self.train.ui.thenLabel.text)
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
        self.until(lambda: "The results are in" in self.train.ui.thenLabel.text, "the word about them")
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
