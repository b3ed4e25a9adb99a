"""The room that prepared scans take on the disk: said beforehand, shown, and given back at a click."""

from types import SimpleNamespace
from unittest import mock

from bench import on_bench_only
from train_panels import PanelTest

from MMGLLib.story import Story
from MMGLLib.training import Training


class RoomTest(PanelTest):
    @on_bench_only
    def test_prepared_scans_are_counted_and_deleted_and_nothing_else_is(self):
        self.open()
        kept = {file: file.read_bytes() for file in self.study.folder.rglob("*") if file.is_file()}
        folder = self.study.folder / "cache"
        folder.mkdir()
        for name in ("a.image.npy", "a.labelmap.npy", ".writing-b.image.npy"):
            (folder / name).write_bytes(b"x" * 500_000)
        (folder / "mine.txt").write_bytes(b"mine")
        self.ui.advancedSection.collapsed = False
        self.assertEqual(self.ui.preparedSizeLabel.text, "1.5 MB")
        with mock.patch("MMGLTrainLib.prepared.training.working", return_value=SimpleNamespace(name="model-1")):
            self.ui.removePreparedButton.click()
        self.assertIn("model-1 is being trained", self.said())
        self.assertEqual(self.ui.preparedSizeLabel.text, "1.5 MB")
        self.ui.removePreparedButton.click()
        self.assertEqual(self.ui.preparedSizeLabel.text, "0.0 MB")
        self.assertFalse(self.ui.removePreparedButton.enabled)
        self.assertEqual([file.name for file in folder.iterdir()], ["mine.txt"])
        for file, content in kept.items():
            if file.name != "in-use.json":  # says that this Slicer lives
                self.assertEqual(file.read_bytes(), content)

    @on_bench_only
    def test_a_study_that_another_slicer_has_open_is_left_alone(self):
        self.occupy()
        self.open()
        (self.study.folder / "cache").mkdir()
        file = self.study.folder / "cache" / "a.image.npy"
        file.write_bytes(b"x" * 500_000)
        self.ui.advancedSection.collapsed = False
        self.ui.removePreparedButton.click()
        self.assertIn("open in another Slicer", self.said())
        self.assertTrue(file.exists())

    def test_what_they_will_take_is_said_while_they_are_made(self):
        from MMGLTrainLib.work import show_work

        self.open()
        ui, run = self.panel.sections["train"].ui, Training(self.study.folder, "model-1")
        for needed, said in ((12.34, "will take 12.3 GB of 250.0 GB free"), (0.01, "known in a moment")):
            run.story = Story()
            run.story.add({"event": "disk", "needed_gb": needed, "free_gb": 250.0})
            run.story.add({"event": "preparing", "done": 1, "of": 40})
            show_work(ui, run)
            self.assertIn(said, ui.timeLabel.text)
            self.assertIn("1 of 40", ui.stageLabel.text)
