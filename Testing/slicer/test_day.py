"""A clinician's day with both modules, step by step, with the core itself on real scans; and the first five minutes."""

import unittest
from pathlib import Path
from unittest import mock

from bench import on_bench_only, popups
from day import HIPPOCAMPI, DayTest
from day_labels import LabelsChapters
from day_models import ModelsChapters

from MMGLLib import errands


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
@unittest.skipUnless(HIPPOCAMPI.is_dir(), "the real scans are not on this machine")
class WholeDayTest(LabelsChapters, ModelsChapters, DayTest):
    """The chapters in turn."""

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
        self.assertEqual(popups.seen, ["QFileDialog.getExistingDirectory"] * 4 + ["QFileDialog.getSaveFileName"]
                         + ["QFileDialog.getOpenFileName"])  # fmt: skip
        for name, voxels in self.originals.items():
            self.assertEqual(Path(name).read_bytes(), voxels)


if __name__ == "__main__":
    unittest.main()
