"""Studies to train on, a training that only pretends, and the sections Train and Models as the panel opens them."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import lru_cache
from pathlib import Path
from unittest import mock

import numpy as np
import SimpleITK as sitk
import slicer
from bench import REPOSITORY, BenchTest
from panels import card_only
from scenes import STRUCTURES

from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation_files import write_picture, write_segmentation
from mmgl.jobs import job as job_module
from mmgl.jobs import queue as queue_module
from mmgl.study import Study
from mmgl.study.cases import Use

STUDY = "Herz ♥"
UI = REPOSITORY / "MMGLTrain" / "Resources" / "UI"
MACHINE = {"event": "machine", "card": "", "card_free_gb": 0, "card_gb": 0, "card_unusable": False, "cores": 4}


class Parameters:
    """The settings of the scene."""

    method, seed, device, planes = "", 0, "auto", ""


class Logic:
    """As much of MMGLTrainLogic as the sections need."""

    def __init__(self) -> None:
        self.parameters = Parameters()

    def getParameterNode(self):
        return self.parameters

    def startTraining(self, study, **asked):
        from MMGLLib.training import start_training

        return start_training(study, **asked)

    def models(self, study):
        from MMGLLib.training import models

        return models(study)


class PretendAsking:
    """Answers at once what this computer has."""

    answer = MACHINE

    def __init__(self, *arguments: str) -> None:
        self.ended = False

    def poll(self) -> list:
        self.ended = True
        return [self.answer]

    def close(self) -> None:
        pass


def make_study(folder: Path, labelled: int = 4, unlabelled: int = 2, size=(6, 24, 24)) -> Study:
    """Return a study of small scans with two boxes in them, of which one labelled case is held out."""
    study = Study.create(folder / STUDY)
    for number in range(labelled + unlabelled):
        random = np.random.default_rng(number)
        labelmap = np.zeros(size, np.uint16)
        labelmap[1:5, 4:12, 5:14], labelmap[2:4, 14:20, 8:16] = 1, 2
        array = random.normal(100, 10, size) + 80 * (labelmap == 1) + 160 * (labelmap == 2)
        file = folder / f"scan {number}.nrrd"
        sitk.WriteImage(sitk.GetImageFromArray(array.astype(np.int16)), str(file))
        label = None
        if number < labelled:
            label = folder / f"scan {number} label.seg.nrrd"
            write_segmentation(label, labelmap, Grid(size, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3)), STRUCTURES)
        study.add_case(file, label=label, use=Use.CHECK if number == 3 else Use.TRAIN)
    study.save()
    return study


@lru_cache
def template() -> Path:
    """Return a folder with a study that is made once and copied for every test."""
    folder = Path(tempfile.mkdtemp(prefix="mmgl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_study(folder)
    return folder


def open_section(name: str, logic):
    """Return one of the sections, in the form that its file describes."""
    from MMGLTrainLib.models_section import ModelsSection
    from MMGLTrainLib.train_section import TrainSection

    form = slicer.util.loadUI(str(UI / f"{name}.ui"))
    return {"TrainSection": TrainSection, "ModelsSection": ModelsSection}[name](form, logic)


class TrainingTest(BenchTest):
    """A test with a study and the fake trainer; whatever still trains at the end is ended."""

    def setUp(self) -> None:
        super().setUp()
        from MMGLLib import setup

        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "trainer").mkdir()
        script = Path(shutil.copy(Path(__file__).with_name("fake_training.py"), self.folder / "trainer"))
        for number in range(2):
            picture = np.full((40, 60, 3), 60 + 90 * number, np.uint8)
            write_picture(script.with_name(f"picture-{number}.png"), picture)
        Path(card_only(script.parent, "model"))
        self.will("finish")
        self.answer = dict(MACHINE)
        asking = type("Asking", (PretendAsking,), {"answer": self.answer})
        for patch in (
            mock.patch.object(job_module, "PROGRAM", (str(script),)),
            mock.patch.object(queue_module, "usual_folder", lambda: self.folder / "queue"),
            mock.patch.object(setup, "missing", lambda: []),
            mock.patch("MMGLTrainLib.ready.Asking", asking),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        shutil.copytree(template(), self.folder / "data")
        document = self.folder / "data" / STUDY / "study.json"
        text = document.read_text(encoding="utf-8").replace(template().as_posix(), (self.folder / "data").as_posix())
        document.write_text(text, encoding="utf-8")  # its scans lie beside the study, not in it
        self.study = Study.open(document.parent)
        self.addCleanup(self._end_all)

    def will(self, act: str) -> None:
        """Say what the trainer does once it has begun well: ``finish``, ``wait``, or one of its ends."""
        temporary = self.folder / "trainer" / "act.new"
        temporary.write_text(act, encoding="utf-8")
        temporary.replace(temporary.with_suffix(".txt"))

    def _end_all(self) -> None:
        from MMGLLib.training import trainings

        for folder in (self.study.folder, self.folder / "moved"):
            for one in trainings(folder):
                one.kill()


class TrainTest(TrainingTest):
    def setUp(self):
        super().setUp()
        self.open()

    def open(self):
        """Open the section, as after a start of Slicer."""
        self.logic = Logic()
        self.section = open_section("TrainSection", self.logic)
        self.addCleanup(self.section.close)
        self.ui = self.section.ui
        self.section.follow(self.study)

    def begin(self, act="wait"):
        """Click Train and wait until it learns to segment."""
        self.will(act)
        self.ui.trainButton.click()
        self.assertEqual(self.said(), "")
        if act == "wait":
            self.until(self.caught_up, "five pictures")

    def caught_up(self):
        run = self.section.training
        return len(run.story.previews) == 5 and not run.behind

    def ended(self):
        self.until(lambda: not self.section.training.works, "the end of the training")

    def said(self):
        return "" if self.ui.noticeFrame.isHidden() else self.ui.noticeLabel.text

    def buttons(self):
        return [b.text for b in (self.ui.firstButton, self.ui.secondButton) if not b.isHidden()]
