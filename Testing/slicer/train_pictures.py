"""Makes the pictures of MMGLTrain: its panel at each step of a day, and a case in the slice views.

python Testing/slicer/train_pictures.py FOLDER [SCANS]

SCANS is a folder with scans and labels; without it the sample is made. The training is a real one, of a minute or two.
``train.png`` and ``training.png`` in FOLDER are those of ``Resources``; beside them lies each step.
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

WIDTH, STEPS = 480, 90


class Day:
    """The panel, and the pictures taken of it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.states = folder, {}
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
        self.states[name] = of_widget(self.panel.form, WIDTH)
        save(self.folder / f"train {len(self.states)} {name}.png", self.states[name])
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

    def together(self, file: str, *names: str) -> None:
        """Put some pictures side by side."""
        height = max(self.states[name].shape[0] for name in names)
        pictures = [self.states[name] for name in names]
        edge = [((0, height - len(picture)), (0, 12), (0, 0)) for picture in pictures]
        save(self.folder / file, *(np.pad(p, e, constant_values=255) for p, e in zip(pictures, edge, strict=True)))

    def train(self) -> None:
        """Train for a moment, and look at what came of it."""
        section, begin = self.sections["train"], self.widget.logic.startTraining
        briefly = mock.patch.object(self.widget.logic, "startTraining", lambda *a, **n: begin(*a, **n, steps=STEPS))
        with briefly:
            section.ui.trainButton.click()
        while section.busy and section.training.look.status.get("share", 0) < 0.7:
            self.wait()
        self.picture("training")
        while section.busy:
            self.wait()
        self.wait()
        self.picture("done")
        self.panel.turn_to("models")
        self.picture("models")

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
            day.ui.advancedSection.collapsed = True
            day.train()
            day.together("train.png", "welcome", "scans", "which structure", "train")
            day.together("training.png", "training", "done", "models")
            day.widget.cleanup()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
