"""The tutorial for the console is run as it stands, with the core itself."""

import contextlib
import io
import runpy
import tempfile
from pathlib import Path
from unittest import mock

import slicer
from bench import REPOSITORY, BenchTest, popups

from MMGLLib import setup, training, worker


class ConsoleTutorialTest(BenchTest):
    def test_every_cell_does_what_it_says(self):
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.addCleanup(worker.close)
        printed = io.StringIO()
        with (
            mock.patch.object(setup, "missing", lambda: []),  # torch is hidden from this process
            mock.patch.object(tempfile, "tempdir", folder.name),
            contextlib.redirect_stdout(printed),
        ):
            left = runpy.run_path(str(REPOSITORY / "docs" / "console_tutorial.py"))
        said = printed.getvalue()
        self.assertIn("heart-04: labelled, used to check", said)
        self.assertIn("heart-05: unlabelled, used to train", said)
        self.assertEqual(left["run"].status()["state"], "finished")
        self.assertEqual(left["run"].model.name, "model-1.mmgl")
        self.assertIn("model-1, Left ventricle: 0.", said)
        self.assertRegex(said, r"Left ventricle: \d+ voxels")
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), [left["segmentation"]])
        self.assertIn("is the 7th case, labelled: True", said)
        self.assertEqual(left["again"].status()["state"], "stopped")
        self.assertTrue((Path(left["study"].folder) / "models" / "model-2-stopped.mmgl").is_file())
        self.assertIsNone(training.working(left["study"].folder))
        self.assertEqual(popups.seen, [])
