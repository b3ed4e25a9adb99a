"""What makes a module at home in Slicer: its description, samples, self-test, temporary files, and undo."""

import re
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import qt
import slicer
from bench import REPOSITORY, on_bench_only
from panels import PanelTest
from scenes import STRUCTURES, painted, volume_of

from MMGLLib import cache, results


class HomeTest(PanelTest):
    @on_bench_only
    def test_the_module_describes_itself_and_offers_samples_once_slicer_has_started(self):
        import SampleData

        parent = slicer.modules.mmglsegment
        self.assertEqual((parent.title, parent.categories), ("MMGL Segment", ["Segmentation"]))
        self.assertIn("nothing leaves this computer", parent.helpText)
        self.assertIn("Not a medical device", parent.acknowledgementText)
        cmake = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
        (page,) = re.findall(r'href="([^"#]+)#in-3d-slicer"', parent.helpText)
        self.assertIn(f'set(EXTENSION_HOMEPAGE "{page}")', cmake)
        self.assertIn("\n## In 3D Slicer\n", (REPOSITORY / "README.md").read_text(encoding="utf-8"))
        self.assertEqual(parent.dependencies, ["Segmentations", "Sequences", "Markups"])
        SampleData.sources.clear()
        slicer.app.startupCompleted.emit()
        ours = [source for source in SampleData.sources if source["category"] == "MMGL"]
        # copies of the module, in which other tests planted mistakes, may still listen; their pictures are gone
        shown = {source["sampleName"] for source in ours if Path(source["thumbnailFileName"]).is_file()}
        self.assertEqual(shown, {"MMGLHeart", "MMGLBeatingHeart"})

    def test_reload_and_test_runs_these_files_and_all_can_be_imported(self):
        folder = REPOSITORY / "Testing" / "slicer"
        with mock.patch.object(unittest.TextTestRunner, "run") as run:
            run.return_value.wasSuccessful.return_value = True
            from MMGLSegment import MMGLSegmentTest

            MMGLSegmentTest().runTest()
        (suite,) = run.call_args.args
        names = {type(test).__module__ for group in suite for tests in group for test in tests}
        self.assertEqual(names, {file.stem for file in folder.glob("test_segment*.py")})

    def test_temporary_files_are_shown(self):
        with mock.patch.object(qt.QDesktopServices, "openUrl") as opened:
            self.ui.openCacheButton.click()
        self.assertTrue(cache.folder().is_dir())
        self.assertEqual(Path(opened.call_args.args[0].toLocalFile()), cache.folder())

    def test_a_result_is_one_step_of_undo_and_no_larger_than_what_was_found(self):
        scene = slicer.mrmlScene
        scene.SetUndoOn()
        self.addCleanup(scene.SetUndoOff)
        labelmap = np.zeros((40, 50, 60), np.uint8)
        labelmap[10:17, 20:31, 30:43] = painted()
        volume = volume_of(size=labelmap.shape)
        before = scene.GetNumberOfUndoLevels()
        node = results.new_segmentation(volume, labelmap, STRUCTURES, "Result")
        self.assertEqual(scene.GetNumberOfUndoLevels(), before + 1)
        layer = node.GetSegmentation().GetNthSegment(0).GetRepresentation(results.BINARY)
        self.assertEqual(np.prod(layer.GetDimensions()), np.prod([np.ptp(axis) + 1 for axis in labelmap.nonzero()]))
        scene.Undo()
        self.assertEqual(self.segmentations(), [])
        self.assertEqual(volume.GetScene(), scene)
