"""MMGL from Slicer's Python console: a study, a training, and a segmentation, without a click.

Paste it cell by cell, or run the whole of it without a window: Slicer --no-main-window --python-script
console_tutorial.py. It takes a few minutes and writes into a folder of its own. The tests run it as it stands.
"""

# %% A folder to work in, with six hearts that are made up: four with labels, two without
import tempfile
import time
from pathlib import Path

import slicer

from mmgl.demo.hearts import make_hearts
from mmgl.study import Use, add_folder
from MMGLSegment import MMGLSegmentLogic
from MMGLTrain import MMGLTrainLogic

folder = Path(tempfile.mkdtemp(prefix="mmgl-tutorial-"))
make_hearts(folder, labelled=4, unlabelled=2, unseen=1)

# %% A study of them. Your files are only read; the study is a folder with a small file that names them
logic = MMGLTrainLogic()
study = logic.newStudy(folder / "Hearts")
add_folder(study, folder / "labelled", folder / "labels")
add_folder(study, folder / "unlabelled")
study.set_use("heart-04", Use.CHECK)  # held out, to see how good the model is
study.save()

# %% What is in it, and what the checks say. A finding with choices is a question: study.answer(finding, choice)
for case in study.cases:
    print(f"{case.name}: {'labelled' if case.label else 'unlabelled'}, used to {case.use.value}")
for finding in study.check():
    print(f"{finding.severity.value}: {finding.words}")

# %% Train, in a process of its own: Slicer stays free, and may even be closed. Leave steps out for budget="quick"
run = logic.startTraining(study, method="supervised", device="cpu", steps=20)
while run.works:
    status = run.status()
    print(f"{status['state']}, {100 * status['share']:.0f}% done: {status['words']}")
    slicer.app.processEvents()
    time.sleep(2)
print(run.status()["words"], run.model)

# %% How good it is, as its training found on the scan that was held out
for model in logic.models(study):
    for row in model.rows():
        agreement = "not checked" if row.dice is None else f"{row.dice:.2f}"
        print(f"{model.name}, {row.structure}: {agreement}")

# %% Segment a scan it has never seen; the result is a segmentation like any other
(file,) = (folder / "unseen").glob("*.nii.gz")
scan = slicer.util.loadVolume(str(file))
segmentation = MMGLSegmentLogic().segment(scan, str(run.model), device="cpu")
for index in range(segmentation.GetSegmentation().GetNumberOfSegments()):
    segment = segmentation.GetSegmentation().GetNthSegmentID(index)
    voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, scan)
    name = segmentation.GetSegmentation().GetSegment(segment).GetName()
    print(f"{name}: {(voxels > 0).sum()} voxels")

# %% Correct it in Segment Editor, then let the study learn from it
name = MMGLSegmentLogic().addToTraining(segmentation, scan, study.folder)
study = logic.openStudy(study.folder)
print(f"{name} is the {len(study.cases)}th case, labelled: {study.case(name).label is not None}")

# %% Train again from what the model knows, and stop early: what it has learned until then is kept
again = logic.startTraining(study, again=run.model, device="cpu", steps=2000)
while again.works and again.status()["share"] == 0:
    time.sleep(1)
again.stop()
while again.works:
    again.poll()
    time.sleep(1)
print(again.words(), again.status()["model"])
logic.closeStudy()
