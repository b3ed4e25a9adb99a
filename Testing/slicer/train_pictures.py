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
"""Panels that are put side by side."""


def main(folder: Path, steps: int = 100) -> int:
    """Run the stories with pictures, and return an exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    DayTest.pictures, WholeDayTest.steps, WholeDayTest.watched = folder, steps, 3
    stories = unittest.TestSuite(map(unittest.defaultTestLoader.loadTestsFromTestCase, (SampleTest, WholeDayTest)))
    outcome = unittest.TextTestRunner(verbosity=2).run(stories)
    for file, names in TOGETHER.items():
        pictures = [DayTest.taken[name] for name in names if name in DayTest.taken]
        height = max((len(picture) for picture in pictures), default=0)
        if pictures:
            save(folder / file, *(np.pad(p, ((0, height - len(p)), (0, 12), (0, 0)), constant_values=255)
                                  for p in pictures))  # fmt: skip
    return int(not outcome.wasSuccessful())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:3])))
