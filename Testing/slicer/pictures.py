"""Makes the pictures of MMGLSegment: its panel in each state, and a result in slice views and in 3-D.

python Testing/slicer/pictures.py MODEL SCAN FOLDER [STUDY]

MODEL is a ``.mmgl`` file or the folder of a study. With STUDY a question of *Add to training* is shown, too; the scan
becomes a case of it. ``panel.png`` and ``views.png`` in FOLDER are those of ``Resources``; beside them lies each state.
The views there are of the heart that `mmgl demo` draws, found by the model it trains with ``supervised``.
"""

import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

import bench  # noqa: F401
import numpy as np
import slicer
from bench import popups
from bench.pictures import SliceView, SpaceView, of_widget, save
from panels import open_module

GAP = 12
"""Pixels between two states."""


class States:
    """The pictures of a panel, one after the other.

    Args:
        panel: the panel.
        folder: of the pictures.
    """

    def __init__(self, panel, folder: Path) -> None:
        self.panel, self.folder, self.taken = panel, folder, {}

    def take(self, name: str) -> None:
        """Take a picture of how it is now."""
        self.taken[name] = of_widget(self.panel.form)
        save(self.folder / f"panel {len(self.taken)} {name}.png", self.taken[name])

    def wait(self, condition) -> None:
        """Let events run until a condition holds."""
        while not condition():
            slicer.app.processEvents()
            time.sleep(0.01)

    def together(self, *columns: tuple[str, ...]) -> np.ndarray:
        """Return those that were taken in columns, one state below the other in each."""
        stacked = [
            np.concatenate([_padded(self.taken[name], 0) for name in column if name in self.taken])
            for column in columns
        ]
        height = max(len(column) for column in stacked)
        return np.concatenate([_padded(column, height) for column in stacked], axis=1)[:-GAP, :-GAP]


def _padded(picture: np.ndarray, height: int) -> np.ndarray:
    """Return a picture with white on the right, and below it, up to a height where it is less."""
    below = height - len(picture) if height else GAP
    return np.pad(picture, ((0, below), (0, GAP), (0, 0)), constant_values=255)


def main(model: str, scan: str, folder: Path, study: str = "") -> None:
    """Open the module, go through it as a user does, and take a picture at each step."""
    from MMGLLib import setup

    folder.mkdir(parents=True, exist_ok=True)
    slicer.app.settings().clear()
    widget = open_module()
    panel, ui = widget.panel, widget.panel.ui
    states = States(panel, folder)
    states.take("empty")
    volume = slicer.util.loadVolume(scan)
    views = [SliceView(volume, orientation) for orientation in ("Axial", "Coronal", "Sagittal")]
    ui.scanSelector.setCurrentNode(volume)
    with mock.patch.object(setup, "missing", lambda: ["torch"]):
        panel.add_model(model)
        ui.segmentButton.click()
        states.take("set-up")
    panel.message.say("")
    states.take("ready")
    ui.segmentButton.click()
    states.wait(lambda: ui.progressBar.value > 20 or panel.run is None)
    states.take("segmenting")
    states.wait(lambda: panel.run is None)
    states.take("result")
    ui.advancedSection.collapsed = False
    states.take("advanced")
    ui.advancedSection.collapsed = True
    _views(panel, views, folder)
    if study:
        popups.answers.append(study)
        ui.addToTrainingButton.click()
        states.wait(lambda: panel.run is None)
        states.take("question")
    columns = ("ready", "segmenting", "set-up"), ("result", "question"), ("advanced",)
    save(folder / "panel.png", states.together(*columns))
    widget.cleanup()


def _views(panel, views: list, folder: Path) -> None:
    """Take a picture of the result in slices and in 3-D, and of the doubt over the worst slice."""
    plain = [view.picture() for view in (*views, SpaceView())]
    panel.ui.overlayCheckBox.checked = True
    panel.ui.nextDoubtButton.click()
    display = panel.parameters.result.GetDisplayNode()
    display.SetVisibility2DFill(False)
    doubtful = views[0].picture()
    display.SetVisibility2DFill(True)
    save(folder / "views.png", plain[0], plain[1], plain[3], doubtful)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:5])
