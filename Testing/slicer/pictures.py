"""Makes the pictures of MMGLSegment: its panel in each state, and a result in slice views and in 3-D.

python Testing/slicer/pictures.py MODEL.mmgl SCAN FOLDER
"""

import sys
import time
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).parent))

import bench  # noqa: F401
import numpy as np
import slicer
from bench.pictures import SliceView, SpaceView, of_widget, save
from panels import open_module


def main(model: str, scan: str, folder: Path) -> None:
    """Open the module, go through it as a user does, and take a picture at each step."""
    from MMGLLib import setup

    folder.mkdir(parents=True, exist_ok=True)
    widget = open_module()
    panel = widget.panel
    slicer.app.settings().clear()

    states = []

    def panel_picture(name: str) -> None:
        states.append(of_widget(panel.form))
        save(folder / f"panel {name}.png", states[-1])

    panel_picture("1 empty")
    volume = slicer.util.loadVolume(scan)
    panel.ui.scanSelector.setCurrentNode(volume)
    with mock.patch.object(setup, "missing", lambda: ["torch"]):
        panel.add_model(model)
        panel_picture("2 ready")
        panel.ui.segmentButton.click()
        panel_picture("3 set-up")
    panel.ui.segmentButton.click()
    panel_picture("4 segmenting")
    while panel.run is not None:
        slicer.app.processEvents()
        time.sleep(0.02)
    panel_picture("5 result")
    node = panel.parameters.result
    print(f"{node.GetName()}: {node.GetSegmentation().GetNumberOfSegments()} segments")
    panel.ui.advancedSection.collapsed = False
    panel_picture("6 advanced")
    views = [SliceView(volume, orientation) for orientation in ("Axial", "Coronal", "Sagittal")]
    space = SpaceView()
    save(folder / "views.png", *(view.picture() for view in (*views, space)))
    chosen = [states[i] for i in (0, 1, 3, 4)]
    height = max(len(state) for state in chosen)
    padded = [np.pad(s, ((0, height - len(s)), (0, 10), (0, 0)), constant_values=255) for s in chosen]
    save(folder / "panel.png", *padded)
    widget.cleanup()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
