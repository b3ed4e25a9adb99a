"""Makes the pictures of a day with both modules: the same story as `test_day.py`, with a picture of each step.

python Testing/slicer/train_pictures.py FOLDER [STEPS]

STEPS are those of the trainings of the day, 100 unless given; the more, the better what the pictures show. In the order
of their names the pictures tell the day. ``train.png`` and ``training.png`` in FOLDER are those of ``Resources``.
"""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bench  # noqa: F401
import numpy as np
from bench.pictures import save
from day import DayTest
from test_day import SampleTest, WholeDayTest

TOGETHER = {
    "train.png": (
        "08-00 the module is opened",
        "08-22 the scans",
        "08-45 only some slices are painted",
        "10-30 before training",
    ),
    "training.png": (
        "10-31 it is training",
        "next day 08-00 what came of the night",
        "next day 08-01 compared with the model before",
    ),
}
"""Panels that are shown together, two in a row."""

SPACE = 12
"""White pixels around each panel."""


def main(folder: Path, steps: int = 100) -> int:
    """Run the stories with pictures, and return an exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    DayTest.pictures, WholeDayTest.steps, WholeDayTest.watched = folder, steps, 3
    stories = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (SampleTest, WholeDayTest)))
    outcome = unittest.TextTestRunner(verbosity=2).run(stories)
    for file, names in TOGETHER.items():
        pictures = [DayTest.taken[name] for name in names if name in DayTest.taken]
        if pictures:
            save(folder / file, two_by_two(pictures))
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
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:3])))
