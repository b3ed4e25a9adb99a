"""The messages of scans, labels and training, row by row: which words say it, and which test provokes it."""

import importlib
import unittest
from unittest import mock

import numpy as np
import SimpleITK as sitk
import slicer
from bench import on_bench_only
from scenes import volume_of, write_series
from train_panels import PanelTest
from trainings import TrainTest

from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.messages import CATALOGUE
from mmgl.structures import Structure
from MMGLLib import setup

HERE = "test_train_messages"
ENDS, SCANS, LABELS = "test_train_ends.EndTest", "test_train_scans.FindingTest", "test_train_labels.QuestionsTest"

ROWS = {
    "torch missing, first use": ("slicer.no_torch", f"{HERE}.InstallTest.test_the_first_click_offers_it"),
    "pip failed: certificate or proxy": ("slicer.network", f"{HERE}.InstallTest.test_what_stands_in_the_way"),
    "pip failed: disk full": ("slicer.disk", f"{HERE}.InstallTest.test_what_stands_in_the_way"),
    "torch present but broken": ("slicer.broken_torch", f"{ENDS}.test_torch_is_missing_or_broken"),
    "Slicer older than supported": ("slicer.old", f"{HERE}.OldTest.test_an_old_slicer_is_told_once"),
    "graphics card there, cannot be used": (
        "machine.unusable",
        "test_train_runs.PathTest.test_the_device_in_words",
    ),
    "memory of the graphics card": ("memory.too_small", f"{ENDS}.test_memory"),
    "the graphics card goes": ("device.lost", f"{ENDS}.test_the_graphics_card_goes"),
    "training process died": ("train.lost", "test_train_ends.AgainTest.test_power_went_while_it_trained"),
    "names do not match": (
        "slicer.unknown_segment",
        f"{LABELS}.test_a_new_name_is_asked_once_with_the_likeliest_first",
    ),
    "slices only partly painted": (
        "check.gaps",
        f"{LABELS}.test_slices_and_missing_structures_are_asked_in_plain_words",
    ),
    "structure absent in some cases": (
        "check.missing",
        f"{LABELS}.test_slices_and_missing_structures_are_asked_in_plain_words",
    ),
    "label outside the image": ("label.outside", f"{HERE}.ScanTest.test_a_label_that_lies_elsewhere"),
    "transform on the volume": ("slicer.bent", f"{HERE}.ScanTest.test_a_volume_under_a_transform"),
    "uneven or missing slices": ("scan.uneven_slices", f"{HERE}.ScanTest.test_missing_slices"),
    "too few labels": ("train.one_label", "test_train_runs.PathTest.test_what_stands_in_the_way"),
    "overlapping segments": ("check.overlap", f"{HERE}.ScanTest.test_segments_that_overlap"),
    "training learned nothing": (
        "verdict.self",
        "test_train_models.VerdictTest.test_one_that_cannot_even_reproduce_its_training_scans",
    ),
    "model for other structures": (
        "models.other",
        "test_train_models.FileTest.test_import_of_a_model_with_other_structures",
    ),
    "folder has no readable image": ("scan.no_image_in_folder", f"{HERE}.ScanTest.test_a_folder_without_an_image"),
    "study moved or drive missing": ("slicer.files_gone", f"{SCANS}.test_moved_files_are_found_with_one_pick"),
    "power or Slicer lost during training": (
        "train.lost",
        "test_train_ends.AgainTest.test_power_went_while_it_trained",
    ),
    "planes that do not fit": ("train.planes", f"{ENDS}.test_what_is_said_before_the_first_event"),
}
"""What happens: the key of its words, and the test that provokes it and reads them."""

GRID = Grid((6, 16, 16), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))


class RowsTest(unittest.TestCase):
    def test_every_row_has_its_words_and_its_test(self):
        for row, (key, test) in ROWS.items():
            module, name, method = test.split(".")
            self.assertIn(key, CATALOGUE, row)
            self.assertTrue(hasattr(getattr(importlib.import_module(module), name), method), row)


class ScanTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.open()

    def ward(self, *origins):
        """Write scans into a folder, each with its label, and that of the last one moved by so many mm."""
        folder = self.folder / "ward"
        (folder / "labels").mkdir(parents=True)
        labelmap = np.zeros(GRID.size, np.uint16)
        labelmap[2:4, 4:9, 4:9] = 1
        for number, origin in enumerate(origins):
            voxels = np.random.default_rng(number).normal(100, 20, GRID.size).astype(np.int16)
            sitk.WriteImage(sitk.GetImageFromArray(voxels), str(folder / f"ward {number}.nrrd"))
            moved = Grid(GRID.size, GRID.spacing, (origin, 0.0, 0.0), np.eye(3))
            structure = [Structure(1, "Left ventricle", (200, 0, 0))]
            write_segmentation(folder / "labels" / f"ward {number}.seg.nrrd", labelmap, moved, structure)
        return folder

    def add(self, folder):
        self.scans.add_folders([str(folder)])
        self.settle()

    def tick(self, volume):
        """Add a volume of the scene, as a user does."""
        import qt

        self.scans.ui.addSlicerButton.click()
        listed = self.scans.ui.sourceList
        for row in range(listed.count):
            on = listed.item(row).text() == volume.GetName()
            listed.item(row).setCheckState(qt.Qt.Checked if on else qt.Qt.Unchecked)
        self.scans.ui.addTickedButton.click()
        self.until(lambda: not self.scans._adding and self.scans._joining is None, "the scan")
        self.settle()

    def test_a_label_that_lies_elsewhere(self):
        self.add(self.ward(0.0, 500.0))
        self.assertIn("1 file could not be used and was left out. The first one: ", self.said())
        self.assertIn("ward 1.seg.nrrd does not lie on its image (different position in space)", self.said())
        names = [case.name for case in self.desk.study.cases]
        self.assertIn("ward 0", names)

    def test_a_folder_without_an_image(self):
        folder = self.folder / "empty"
        folder.mkdir()
        (folder / "letter.pdf").write_bytes(b"%PDF")
        self.add(folder)
        self.assertIn("No image was found in the folder empty", self.said())
        self.assertEqual(len(self.desk.study.cases), 6)

    def test_missing_slices(self):
        folder = write_series(self.folder / "series", (0.0, 2.0, 4.0, 10.0, 12.0))
        self.add(folder)
        self.assertIn("1 file could not be used and was left out. The first one: ", self.said())
        self.assertIn("has missing or unevenly spaced slices (gaps from 2.00 to 6.00 mm)", self.said())
        self.assertIn("leave it out", self.said())
        self.assertEqual(len(self.desk.study.cases), 6)

    def test_a_volume_under_a_transform(self):
        import vtk

        moved = volume_of(name="Moved")
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, 25.0)
        linear = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        linear.SetMatrixTransformToParent(matrix)
        before = np.array(moved.GetOrigin())
        moved.SetAndObserveTransformNodeID(linear.GetID())
        self.tick(moved)
        scan = self.desk.study.read_scan(self.desk.study.case("Moved"))
        shown = np.add(before, (25.0, 0.0, 0.0)) * (-1, -1, 1)  # as it is shown, in LPS
        self.assertTrue(np.allclose(scan.grid.origin[::-1], shown))
        bent = volume_of(name="Bent", seed=3)
        grid = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "Warp")
        grid.SetAndObserveTransformToParent(vtk.vtkThinPlateSplineTransform())
        bent.SetAndObserveTransformNodeID(grid.GetID())
        self.tick(bent)
        self.assertIn("Bent is bent by the transform Warp", self.said())
        self.assertIn("Harden the transform on a copy", self.said())

    def test_segments_that_overlap(self):
        self.labels.open_case("scan 4")
        self.paint("Myocard (ä/ß)", np.s_[2:5, 3:9, 3:9])
        segmentation = self.labels.shown.segmentation.GetSegmentation()
        segmentation.SeparateSegmentLabelmap("Segment_1")
        self.paint("Left ventricle", np.s_[2:5, 5:7, 5:7])
        self.labels.ui.doneButton.click()
        self.settle()
        self.assertIn("Left ventricle and Myocard (ä/ß) overlap in scan 4 (12 voxels)", self.labels.ui.chipLabel.text)
        self.assertIn("higher in the list of segments, wins there", self.labels.ui.chipLabel.text)


@on_bench_only
class InstallTest(TrainTest):
    def setUp(self):
        super().setUp()
        from bench import packaging

        packaging.asked.clear()
        self.asked, self.lacking = packaging.asked, ["torch", "safetensors"]
        for patch in (
            mock.patch.object(setup, "missing", lambda: list(self.lacking)),
            mock.patch.object(type(slicer.app), "testingEnabled", lambda _app: False),
            mock.patch.object(setup.shutil, "disk_usage", lambda _path: mock.Mock(free=20e9)),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def end(self, code=0, *lines):
        """Have pip end."""
        for line in lines:
            self.asked[-1]["logCallback"](line)
        if not code:
            self.lacking.clear()
        self.asked[-1]["completedCallback"](code)

    def test_the_first_click_offers_it(self):
        self.ui.trainButton.click()
        self.assertIn("needs PyTorch (about 3 GB, once)", self.said())
        self.assertEqual(self.asked, [])
        self.ui.firstButton.click()
        self.assertEqual(self.asked[0]["requirements"], ["torch>=2.2,!=2.9.*", "safetensors>=0.4"])
        self.assertIn("go on working", self.said())
        self.assertFalse(self.ui.trainButton.enabled)
        self.end()
        self.assertEqual(self.said(), "PyTorch is installed. Click Train.")
        self.assertTrue(self.ui.trainButton.enabled)

    def test_what_stands_in_the_way(self):
        rows = {
            "SSLError(SSLCertVerificationError(1, 'CERTIFICATE_VERIFY_FAILED'))": (
                "blocked the download (its security certificate is not known)",
                ["Try again", "Install from a folder…"],
            ),
            "ProxyError('Cannot connect to proxy.')": (
                "blocked the download (no connection)",
                ["Try again", "Install from a folder…"],
            ),
            "OSError: [Errno 28] No space left on device": ("not enough disk space", ["Try again"]),
            "OSError: [Errno 13] Permission denied": ("Slicer's own folder cannot be written", []),
            "Segmentation fault": ("could not be installed", ["Try again"]),
        }
        self.ui.trainButton.click()
        for line, (words, buttons) in rows.items():
            self.section.installing.onInstall()
            self.end(1, line)
            self.assertIn(words, self.said())
            self.assertEqual(self.buttons(), buttons)
            for machine in ("Traceback", "exit", "Error:", "Errno"):
                self.assertNotIn(machine, self.said())
            self.ui.copyButton.click()
            self.assertIn(line, slicer.app.clipboard().text())

    def test_from_a_folder_of_wheels(self):
        from bench import popups

        self.ui.trainButton.click()
        popups.answers.append(str(self.folder))
        self.ui.secondButton.click()
        self.assertEqual(self.asked[0]["requirements"][:3], ["--no-index", "-f", str(self.folder)])
        self.end(1, "ERROR: No matching distribution found for torch")
        self.assertIn("holds no PyTorch for this Slicer", self.said())
        self.assertEqual(self.buttons(), ["Choose another folder…"])

    def test_it_goes_on_after_slicer_was_closed(self):
        self.section.installing.onInstall()
        self.section.close()
        self.open()
        self.assertIn("was not finished last time", self.said())
        self.ui.firstButton.click()
        self.assertEqual(len(self.asked), 2)
        self.end()

    def test_repair_takes_the_broken_one_away(self):
        self.lacking = []
        self.begin("say ImportError: libtorch_cpu.so: undefined symbol")
        self.ended()
        self.assertEqual(self.buttons(), ["Repair"])
        with mock.patch.object(slicer.util, "pip_uninstall") as uninstall:
            self.ui.firstButton.click()
        uninstall.assert_called_once_with("torch")
        self.end()
        self.assertIn("Restart Slicer", self.said())


class OldTest(PanelTest):
    @on_bench_only
    def test_an_old_slicer_is_told_once(self):
        from panels import open_module

        with mock.patch.object(type(slicer.app), "minorVersion", 6):
            self.widget = open_module("MMGLTrain")
            self.addCleanup(self.widget.cleanup)
        ui = self.widget.panel.ui
        self.assertIn("MMGL needs Slicer 5.10 or newer, and this is 5.6", ui.messageLabel.text)
        self.assertFalse(ui.messageFrame.isHidden())


if __name__ == "__main__":
    unittest.main()
