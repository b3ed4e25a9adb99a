"""A folder of scans and the temporary files, as the panel of MMGLSegment has them."""

from unittest import mock

import slicer
from bench import on_bench_only
from panels import PanelTest

from mmgl.files import write_json
from mmgl.jobs import Record
from MMGLLib import cache, folders


@on_bench_only
class FolderTest(PanelTest):
    """The job itself is that of the core, and is tested there and in ``test_segment_end_to_end``."""

    def begin_folder(self, **model):
        from bench import popups

        self.ready(**model)
        self.ui.largestCheckBox.checked = "one_piece" in model
        (self.folder / "scans").mkdir(exist_ok=True)
        popups.answers.append(str(self.folder / "scans"))
        self.jobs = []
        with mock.patch.object(folders.Job, "start", side_effect=self.job):
            self.ui.folderButton.click()

    def job(self, folder, arguments, **_process):
        self.jobs.append((folder, arguments))
        folder.mkdir(parents=True)
        write_json(folder / "job.json", {"arguments": arguments, "pid": 1})
        self.record = Record(folder)
        self.record.__enter__()
        return folders.Job(folder)

    def test_a_folder_is_followed_to_its_end(self):
        self.begin_folder()
        (folder, arguments) = self.jobs[0]
        self.assertEqual(arguments[0], "segment")
        self.assertEqual(arguments[3:5], ["--output", str(self.folder / "scans segmented")])
        self.record.tell("segmented", done=1, of=2, scan="a.nii.gz")
        self.until(lambda: "1 of 2 scans are done" in self.ui.statusLabel.text, "progress")
        self.assertEqual(self.ui.progressBar.value, 50)
        self.record.tell("segmented", done=2, of=2, scan="b.nii.gz", key="scan.unreadable", words="b is damaged.")
        self.record.__exit__(None, None, None)
        self.ended()
        self.assertEqual(self.shown(), "1 segmented, 1 left out.\nb.nii.gz: b is damaged.")
        self.assertEqual(self.action(), "Open the results")
        self.assertFalse(folder.exists())

    def test_a_folder_is_segmented_as_the_panel_says(self):
        self.begin_folder(one_piece={"Left ventricle": 0.02})
        (_, arguments) = self.jobs[0]
        place = arguments.index("--largest-piece")
        self.assertEqual(arguments[place : place + 2], ["--largest-piece", "suggested"])
        self.record.__exit__(None, None, None)
        self.ended()

    def test_it_goes_on_when_slicer_is_closed_and_is_found_again(self):
        self.begin_folder()
        self.widget.cleanup()
        self.assertFalse((self.jobs[0][0] / "STOP").exists())
        self.record.tell("segmented", done=1, of=2, scan="a.nii.gz")
        self.open()
        self.assertEqual(self.ui.segmentButton.text, "Cancel")
        self.until(lambda: "1 of 2 scans are done" in self.ui.statusLabel.text, "progress")
        slicer.mrmlScene.Clear(0)
        self.assertIsNotNone(self.panel.run)
        self.ui.segmentButton.click()
        self.assertTrue((self.jobs[0][0] / "STOP").exists())

    def test_a_folder_without_scans(self):
        from mmgl.messages import MMGLError

        self.begin_folder()
        error = MMGLError("scan.no_image_in_folder", path=str(self.folder / "scans"))
        self.record.__exit__(MMGLError, error, None)
        self.ended()
        self.assertIn("No image was found in the folder scans.", self.said())
        self.assertEqual(self.action(), "Choose another folder")

    def test_temporary_files_are_counted_and_cleared_but_not_those_of_a_job_at_work(self):
        self.begin_folder()
        old = cache.folder() / "folders" / "1"
        old.mkdir()
        (old / "log.txt").write_bytes(b"x" * 2_000_000)
        self.ui.advancedSection.collapsed = False
        self.assertEqual(self.ui.cacheSizeLabel.text, "2.0 MB")
        self.panel.advanced.onClearCache()
        self.assertEqual(self.ui.cacheSizeLabel.text, "0.0 MB")
        self.assertTrue(self.jobs[0][0].exists())
        self.assertFalse(old.exists())
        self.record.__exit__(None, None, None)
        self.ended()
