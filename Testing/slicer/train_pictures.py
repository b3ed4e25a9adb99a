"""Makes the pictures of MMGLTrain: its panel at each step of a day, and a case in the slice views.

python Testing/slicer/train_pictures.py FOLDER [SCANS]

SCANS is a folder with scans and labels; without it the sample is made.
"""

import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

import bench  # noqa: F401
import numpy as np
import slicer
from bench import popups
from bench.pictures import SliceView, of_widget, save
from panels import open_module

WIDTH = 480


class Day:
    """The panel, and the pictures taken of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.states = folder, []
        self.widget = open_module("MMGLTrain")
        self.panel, self.ui, self.desk = self.widget.panel, self.widget.panel.ui, self.widget.panel.desk
        self.sections = self.panel.sections

    def settle(self) -> None:
        """Let errands end."""
        while self.desk.errands.busy or self.sections["scans"].table.filling:
            self.wait()

    def wait(self, seconds: float = 0.02) -> None:
        """Let events run."""
        slicer.app.processEvents()
        time.sleep(seconds)

    def picture(self, name: str) -> None:
        """Take a picture of the panel."""
        self.states.append(of_widget(self.panel.form, WIDTH))
        save(self.folder / f"train {len(self.states)} {name}.png", self.states[-1])
        print(f"{name}: {self.ui.statusLabel.text}")

    def paint(self, name: str, box) -> None:
        """Paint a box into a segment."""
        shown = self.sections["labels"].shown
        segmentation = shown.segmentation.GetSegmentation()
        identity = segmentation.GetSegmentIdBySegmentName(name) or segmentation.AddEmptySegment(
            "", name, [0.9, 0.6, 0.2]
        )
        mask = np.zeros(slicer.util.arrayFromVolume(shown.volume).shape, np.uint8)
        mask[box] = 1
        slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, identity, shown.volume)

    def label(self) -> None:
        """Label a case with a name that is not in the list, on some slices only."""
        labels, scans = self.sections["labels"], self.sections["scans"]
        scans.table.choose(self.desk.study.unlabelled[0].name)
        scans.ui.labelButton.click()
        size = slicer.util.arrayFromVolume(labels.shown.volume).shape
        box = tuple(slice(n // 3, 2 * n // 3) for n in size[1:])
        self.paint("Left ventrikel", (slice(1, size[0], 4), *box))
        self.picture("labels")
        labels.ui.doneButton.click()
        self.settle()
        self.picture("which structure")
        labels._question._buttons[0].click()
        self.settle()
        self.picture("partly painted")
        labels._question._buttons[0].click()
        self.settle()
        views = [SliceView(labels.shown.volume, orientation) for orientation in ("Axial", "Coronal", "Sagittal")]
        save(self.folder / "train views.png", *(view.picture() for view in views))


def main(folder: Path, scans: str = "") -> None:
    """Go through a day as a user does, and take a picture at each step."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as documents:
        import qt

        with mock.patch.object(qt.QStandardPaths, "writableLocation", staticmethod(lambda *_: documents)):
            day = Day(folder)
            day.picture("welcome")
            if scans:
                day.ui.nameEdit.text = Path(scans).name
                day.ui.startButton.click()
                day.picture("new study")
                popups.answers.append(scans)
                day.sections["scans"].ui.addFolderButton.click()
            else:
                day.ui.sampleButton.click()
            day.picture("filling")
            day.settle()
            while day.desk.asked:
                day.picture("whose paint")
                day.sections["scans"].findings._question._buttons[0].click()
            day.settle()
            day.panel.turn_to("scans")
            day.picture("scans")
            day.label()
            day.panel.turn_to("train")
            day.picture("train")
            day.ui.advancedSection.collapsed = False
            day.picture("advanced")
            day.widget.cleanup()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
