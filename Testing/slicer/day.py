"""What a day with MMGL needs: both panels with the core itself behind them, every click counted, pictures at will."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar
from unittest import mock

import numpy as np
import slicer
from bench import REPOSITORY, BenchTest, popups
from panels import open_module
from train_panels import beside

from mmgl.jobs import queue as queue_module
from MMGLLib import errand, setup, training, worker

HIPPOCAMPI = Path(os.environ.get("MMGL_DATA", REPOSITORY.parent / "shared" / "data")) / "hippocampus"
LABELLED = ("001", "004", "006", "007", "015")
UNLABELLED = ("017", "020")
LATER = ("024", "025")
TODAY, WARD = "033", ("034", "035")
"""Scans by their number, and what each is in the story."""


class DayTest(BenchTest):
    """The module as the user opens it. Every click goes through ``click``, so that none is forgotten.

    Attributes:
        pictures: folder for a picture of each step; none are taken where it is None.
        taken: the pictures of the panel by their names.
        clicks: made so far.
    """

    pictures: ClassVar[Path | None] = None
    taken: ClassVar[dict[str, np.ndarray]] = {}
    steps: ClassVar[int] = 12
    """Of each training that runs to its end: enough for a model, not for a good one."""

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.folder, self.clicks, self.views = Path(folder.name), 0, []
        self.documents = self.folder / "Documents ü"
        self.documents.mkdir()
        slicer.app.settings().clear()
        import qt

        for patch in (
            mock.patch.object(errand, "start_alone", beside),
            mock.patch.object(setup, "missing", lambda: []),  # torch is hidden from this process
            mock.patch.object(queue_module, "usual_folder", lambda: self.folder / "queue"),
            mock.patch.object(qt.QStandardPaths, "writableLocation", staticmethod(lambda *_: str(self.documents))),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.addCleanup(worker.close)
        self.addCleanup(self.end_all)
        self.open()

    def open(self) -> None:
        """Open the module, as after a start of Slicer."""
        self.widget = open_module("MMGLTrain")
        self.addCleanup(self.widget.cleanup)
        self.panel, self.ui, self.desk = self.widget.panel, self.widget.panel.ui, self.widget.panel.desk
        self.scans, self.labels, self.train, self.models = (
            self.panel.sections[name] for name in ("scans", "labels", "train", "models")
        )
        self.begin = self.widget.logic.startTraining
        self.widget.logic.startTraining = self.start_training

    def start_training(self, study, **asked):
        """Begin a training as the panel asks for it, but of few steps."""
        return self.begin(study, **asked, steps=self.steps)

    def end_all(self) -> None:
        """Leave no training and nothing in the queue behind."""
        for document in self.documents.glob("MMGL/*/study.json"):
            for one in training.trainings(document.parent):
                one.stop()
                one.kill()
        queue = queue_module.Queue(self.folder / "queue")
        for turn in queue.turns():
            if turn.state != "over":
                queue.cancel(turn)
        self.until(lambda: all(turn.state == "over" for turn in queue.turns()), "the end of the queue")

    def settle(self) -> None:
        """Let errands end, rows be filled, and cases be loaded and saved."""
        self.until(lambda: not self.labels.busy, "the end of loading or saving")  # an errand may follow
        self.until(lambda: not self.desk.errands.busy and not self.scans.table.filling, "the end of the errands")

    def click(self, button, answer: str | Path | tuple = "") -> None:
        """Click what can be clicked, and answer the dialog it opens; one for a file answers with its kind, too."""
        slicer.app.processEvents()  # what was just made is shown by the next event
        self.assertTrue(button.enabled and not button.isHidden(), button.text)
        if answer:
            popups.answers.append(answer if isinstance(answer, tuple) else str(answer))
            self.clicks += 1
        self.clicks += 1
        button.click()
        self.assertEqual(popups.answers, [])

    def turn_to(self, name: str) -> None:
        """Open a section by its title."""
        self.clicks += 1
        getattr(self.ui, f"{name}Section").collapsed = False

    def answer(self, question, words: str, name: str = "") -> None:
        """Answer a question of the panel, with a name that is typed where one is given."""
        if name:
            next(widget for widget in question._buttons if widget.className() == "QLineEdit").text = name
        buttons = {button.text: button for button in question._buttons if button.className() == "QPushButton"}
        self.assertIn(words, buttons)
        self.click(buttons[words])
        self.settle()

    def said(self) -> str:
        """Return the message of the panel."""
        return self.ui.messageLabel.text if not self.ui.messageFrame.isHidden() else ""

    def trained(self) -> str:
        """Wait for the end of the training, and return what is said of it."""
        self.until(lambda: not self.train.training.works, "the end of the training")
        return self.train.ui.noticeLabel.text

    def edit(self, segmentation, volume, segment: str, mask: np.ndarray, *, remove: bool = False) -> None:
        """Paint or erase as the effects of the Segment Editor do: with its logic, on its own node."""
        editor_node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        editor = slicer.vtkSlicerSegmentEditorLogic()
        editor.SetMRMLScene(slicer.mrmlScene)
        editor.SetSegmentEditorNode(editor_node)
        editor.SetSegmentationNode(segmentation)
        editor.SetSourceVolumeNode(volume)
        editor.SaveStateForUndo()
        editor.ResetModifierLabelmapToDefault()
        brush = editor.GetModifierLabelmap()
        array = _array(brush)
        array[...] = mask
        brush.Modified()
        mode = editor.ModificationModeRemove if remove else editor.ModificationModeAdd
        editor.ModifySegmentByLabelmap(segmentation, segment, brush, mode, False, True)
        slicer.mrmlScene.RemoveNode(editor_node)

    def copies(self, folder, *names, labels=()):
        """Copy scans into a folder of the clinic, and return it."""
        for kind, wanted in (("images", (*names, *labels)), ("labels", labels)):
            for name in wanted:
                file = f"hippocampus_{name}.nii.gz"
                (self.folder / folder / kind).mkdir(parents=True, exist_ok=True)
                shutil.copy(HIPPOCAMPI / kind / file, self.folder / folder / kind / f"patient {name}.nii.gz")
        return self.folder / folder

    @staticmethod
    def truth(name):
        """Return the true labelmap (z, y, x) of a scan."""
        import SimpleITK as sitk

        return sitk.GetArrayFromImage(sitk.ReadImage(str(HIPPOCAMPI / "labels" / f"hippocampus_{name}.nii.gz")))

    def picture(self, name: str, panel=None, volume=None) -> None:
        """Take a picture of a panel, with the three slice views of a volume beside it where one is given."""
        if self.pictures is None:
            return
        from bench.pictures import SliceView, of_widget, save

        picture = of_widget((panel or self.panel).form, 480)
        parts = [picture]
        if volume is not None:
            if not self.views:
                orientations = ("Axial", "Coronal", "Sagittal")
                self.views += [SliceView(volume, way, size=(300, 300)) for way in orientations]
            for view in self.views:
                view.show(volume)
                parts.append(view.picture())
        height = max(len(part) for part in parts)
        parts = [np.pad(p, ((0, height - len(p)), (0, 12), (0, 0)), constant_values=255) for p in parts]
        self.taken[name] = picture
        save(self.pictures / f"{len(self.taken):02d} {name}.png", *parts)
        print(f"{name}: {self.ui.statusLabel.text}", flush=True)


def _array(image) -> np.ndarray:
    """Return the voxels (z, y, x) of an image of VTK, to be written to."""
    from vtk.util.numpy_support import vtk_to_numpy

    width, height, depth = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(depth, height, width)
