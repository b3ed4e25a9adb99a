"""A second Slicer: opens a study in the panel, trains on it, paints in a case, and goes on until it is killed.

python Testing/slicer/second_slicer.py STUDY TRAINER
"""

import sys
import time
from pathlib import Path

import bench  # noqa: F401
import numpy as np
import slicer
from MMGLTrainLib import ready
from panels import open_module
from trainings import PretendAsking

from mmgl.jobs import job
from MMGLLib import setup

study, trainer = sys.argv[1:]
job.PROGRAM = (trainer,)
setup.missing = lambda: []
ready.Asking = PretendAsking
widget = open_module("MMGLTrain")
panel = widget.panel
panel.open(lambda: widget.logic.openStudy(study))


def settle():
    """Let errands end, rows be filled, and cases be loaded and saved."""
    while panel.sections["labels"].busy or panel.desk.errands.busy or panel.sections["scans"].table.filling:
        slicer.app.processEvents()
        time.sleep(0.01)


def paint(box):
    """Paint a box of the first structure of the case that is open."""
    shown = panel.sections["labels"].shown
    mask = np.zeros(slicer.util.arrayFromVolume(shown.volume).shape, np.uint8)
    mask[box] = 1
    segment = shown.segmentation.GetSegmentation().GetNthSegmentID(0)
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, shown.segmentation, segment, shown.volume)


settle()
panel.sections["train"].ui.trainButton.click()
panel.onLabel("scan 4")
settle()
paint(np.s_[2:5, 3:9, 3:9])
panel.sections["labels"].ui.doneButton.click()
settle()
panel.onLabel("scan 5")
settle()
paint(np.s_[2:5, 3:9, 3:9])
panel.sections["labels"].keeping.keep(panel.sections["labels"].shown)  # as now and then
settle()
paint(np.s_[1:6, 3:9, 3:9])
Path(trainer).with_name("second.txt").write_text("it paints", encoding="utf-8")
while True:
    slicer.app.processEvents()
    time.sleep(0.01)
