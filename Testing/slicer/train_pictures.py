"""Makes the pictures of MMGLTrain in ``Resources``: its panel at each step from the sample to a model.

python Testing/slicer/train_pictures.py FOLDER [STEPS]

STEPS are those of the training, 100 unless given; the more, the better what the pictures show. Only phantom hearts
are seen, as nobody's scans belong into a picture that is given away. In the order of their names the pictures tell the
story; ``train.png`` and ``training.png`` in FOLDER are those of ``Resources``. With ``--day`` the day of `test_day.py`
is pictured too, which has real scans in it.
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bench  # noqa: F401
import numpy as np
import slicer
from bench.pictures import save
from day import DayTest
from test_day import WholeDayTest

TOGETHER = {
    "train.png": ("the module is opened", "the scans", "which structure is that", "before training"),
    "training.png": ("it is training", "what came of it", "the model"),
}
"""Panels that are shown together, two in a row."""

SPACE = 12
"""White pixels around each panel."""


class HeartsTest(DayTest):
    """The sample, a heart that is labelled under another name, and what is learned from all of them."""

    def test_from_the_sample_to_a_model(self):
        self.picture("the module is opened")
        self.click(self.ui.sampleButton)
        self.settle()
        self.turn_to("scans")
        self.picture("the scans")
        self.label_some_slices()
        self.turn_to("train")
        self.picture("before training")
        self.click(self.train.ui.trainButton)
        self.until(lambda: self.train.training.story.share > 0.7, "most of the training")
        self.until(lambda: not self.train.training.behind, "the news")
        self.train.live.show()
        self.picture("it is training")
        self.assertIn("is ready", self.trained())
        self.picture("what came of it")
        self.turn_to("models")
        self.picture("the model")

    def label_some_slices(self) -> None:
        """Paint every fourth slice of a heart, and answer what is asked about it."""
        self.scans.table.choose(self.desk.study.unlabelled[0].name)
        self.click(self.scans.ui.labelButton)
        self.settle()
        shown = self.labels.shown
        painted = np.zeros(slicer.util.arrayFromVolume(shown.volume).shape, bool)
        _, height, width = painted.shape
        painted[1::4, height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = True
        segment = shown.segmentation.GetSegmentation().AddEmptySegment("", "Left ventrikel", [0.9, 0.6, 0.2])
        self.edit(shown.segmentation, shown.volume, segment, painted)
        self.click(self.labels.ui.doneButton)
        self.settle()
        self.picture("which structure is that")
        self.answer(self.labels._question, "The same as Left ventricle")
        self.answer(self.labels._question, "The other slices are not labelled")


def main(folder: Path, steps: int = 100, day: bool = False) -> int:
    """Run the story with pictures, and return an exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    DayTest.pictures, DayTest.steps, WholeDayTest.watched = folder, steps, 3
    stories = [HeartsTest, WholeDayTest] if day else [HeartsTest]
    suite = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, stories))
    outcome = unittest.TextTestRunner(verbosity=2).run(suite)
    for file, names in TOGETHER.items():
        save(folder / file, two_by_two([DayTest.taken[name] for name in names if name in DayTest.taken]))
    return int(not outcome.wasSuccessful())


def two_by_two(pictures: list[np.ndarray]) -> np.ndarray:
    """Return panels (y, x, 3) as one picture, two in a row, so that it can be read on a page."""
    wide, rows = max(picture.shape[1] for picture in pictures) + SPACE, []
    for left in range(0, len(pictures), 2):
        pair = pictures[left : left + 2]
        row = np.full((max(map(len, pair)) + SPACE, 2 * wide, 3), 255, np.uint8)
        for place, picture in enumerate(pair):
            row[: len(picture), place * wide : place * wide + picture.shape[1]] = picture
        rows.append(row)
    return np.concatenate(rows)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--day"]
    sys.exit(main(Path(arguments[0]), *map(int, arguments[1:2]), day="--day" in sys.argv))
