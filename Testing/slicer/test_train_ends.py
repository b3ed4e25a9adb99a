"""What is said of each way a training can end, and how it is found again after Slicer was closed or died."""

import json
from unittest import mock

import slicer
from bench import on_bench_only
from trainings import TrainTest

from mmgl.jobs import Look
from mmgl.jobs.record import read_status
from MMGLLib import endings, setup, training


class EndTest(TrainTest):
    """Every way a training can end is told in words, with what to do about it."""

    def check(self, act, words, buttons):
        self.begin()
        self.will(act)
        self.ended()
        self.assertIn(words.lower(), self.said().lower())
        self.assertEqual(self.buttons(), buttons)
        self.assertNotIn("Traceback", self.said())
        self.ui.copyButton.click()
        self.assertIn("MMGL", slicer.app.clipboard().text())

    @on_bench_only
    def test_killed(self):
        self.check("kill", "memory was full", ["Continue", "Use it as it is"])
        self.will("wait")
        self.ui.secondButton.click()
        self.ended()
        self.assertIn("kept as model-1-stopped", self.said())

    @on_bench_only
    def test_crashed_in_the_middle_of_a_line(self):
        self.check("crash", "it crashed at 60%", ["Continue", "Use it as it is"])

    @on_bench_only
    def test_killed_in_the_middle_of_a_line(self):
        self.check("partial", "what was saved is kept", ["Continue", "Use it as it is"])
        self.assertEqual(len(self.section.training.story.checks), 5)
        self.will("finish")
        self.ui.firstButton.click()
        self.ended()
        self.assertIn("model-1 is ready", self.said())

    def test_what_slicers_launcher_of_python_says_of_a_process_that_was_killed_or_crashed(self):
        look, last = Look("lost", "job.lost", {"share": "60%"}), "error: [/bin/python-real] exit abnormally - Report"
        fault = "Fatal Python error: Segmentation fault\n"
        for log, key in {last: "job.memory", fault + last: "job.crashed", last + "\nresumed": "train.lost"}.items():
            self.assertEqual(endings.lost(look, log, self.folder).key, key)

    def test_memory(self):
        self.begin()
        self.will("memory")
        self.ended()
        self.assertIn("too small for even the smallest training", self.said())

    def test_the_graphics_card_goes(self):
        self.check("card", "graphics card stopped working", ["Continue", "Continue on the processor"])
        self.will("finish")
        self.ui.secondButton.click()
        asked = json.loads((self.section.training.folder / "job.json").read_text(encoding="utf-8"))
        self.assertEqual(asked["arguments"][-2:], ["--device", "cpu"])
        self.ended()

    def test_the_disk_is_full(self):
        self.begin()
        self.will("full")
        self.ended()
        self.assertIn("No space left on device", self.said())
        self.assertIn("free space", self.said())

    @on_bench_only
    def test_the_disk_is_so_full_that_nothing_could_be_told(self):
        self.begin()
        self.will("crash")
        import shutil

        status = read_status(self.section.training.folder)
        with mock.patch.object(shutil, "disk_usage", lambda path: mock.Mock(free=1000)):
            self.ended()
        self.assertEqual(status["state"], "running")
        self.assertIn("is full, so training stopped", self.said())

    def test_it_stalls(self):
        self.begin()
        self.will("stall")
        with mock.patch("mmgl.jobs.job.silence", lambda status: 3000.0):
            self.until(lambda: "No news for" in self.ui.stageLabel.text, "the word about silence")
        self.assertEqual(self.ui.trainButton.text, "Stop and keep")

    def test_a_fault_of_our_own(self):
        self.check("fault", "fault of its own (RuntimeError: shape mismatch)", ["Continue", "Use it as it is"])

    def test_what_is_said_before_the_first_event(self):
        self.begin("say mmgl: No usable NVIDIA graphics card was found. Use the processor instead: --device cpu")
        self.ended()
        self.assertEqual(self.said(), "No usable NVIDIA graphics card was found. Choose Automatic under Advanced.")
        self.begin_again("say mmgl: The study has faults that must be put right before training (2). See: mmgl study")
        self.assertIn("See what is marked in the list above", self.said())
        self.begin_again("say mmgl: The scans cannot be learned in the planes asked for (coronal), in which")
        self.assertIn("too thick to be learned in the planes you chose. Choose Automatic under Advanced", self.said())
        self.begin_again("say mmgl: The label x is empty.")
        self.assertEqual(self.said(), "The label x is empty.")

    def begin_again(self, act):
        self.will(act)
        self.ui.trainButton.click()
        self.ended()

    def test_torch_is_missing_or_broken(self):
        with mock.patch.object(setup, "missing", lambda: ["torch"]):
            self.ui.trainButton.click()
        self.assertIn("needs PyTorch", self.said())
        self.assertEqual(self.buttons(), ["Install", "Install from a folder…"])
        self.begin_again("say ModuleNotFoundError: No module named 'torch'")
        self.assertIn("needs PyTorch", self.said())
        self.begin_again("say ImportError: libtorch_cpu.so: undefined symbol")
        self.assertIn("does not start", self.said())
        self.assertEqual(self.buttons(), ["Repair"])

    def test_the_study_is_moved_while_it_trains(self):
        self.begin()
        moved = self.folder / "moved"
        self.study.folder.rename(moved)
        self.ended()
        self.assertIn("is not there any more. Reconnect the drive", self.said())
        from mmgl.study import Study

        self.will("finish")
        study = Study.open(moved)
        self.until(lambda: not training.Training(moved, "model-1").job.look().works, "the end of the process")
        self.section.follow(study)
        self.until(self.buttons, "a way to go on")
        self.assertEqual(self.buttons()[0], "Continue")
        self.ui.firstButton.click()
        self.ended()
        self.assertTrue((moved / "models" / "model-1.mmgl").exists())
        self.assertFalse(self.study.folder.exists())  # nothing was made anew at the old place

    def test_the_study_is_deleted_while_it_trains(self):
        import shutil

        self.begin()
        while self.study.folder.exists():  # the training may write once more in between
            shutil.rmtree(self.study.folder, ignore_errors=True)
        self.ended()
        self.assertIn("is not there any more", self.said())
        self.ui.trainButton.click()
        self.assertFalse(self.study.folder.exists())


class AgainTest(TrainTest):
    """Slicer is closed, or dies, and is started again."""

    def test_a_training_that_goes_on_is_found_again(self):
        self.begin()
        self.section.close()
        self.open()
        self.assertTrue(self.section.busy)
        self.until(lambda: len(self.section.training.story.previews) == 5, "the pictures of before")
        self.assertEqual(self.ui.trainButton.text, "Stop and keep")
        self.will("finish")
        self.ended()
        self.assertIn("model-1 is ready", self.said())

    def test_one_that_ended_meanwhile_tells_its_verdict(self):
        self.begin()
        self.section.close()
        self.will("finish")
        self.until(lambda: not training.working(self.study.folder), "the end")
        self.open()
        self.until(lambda: "is ready" in self.said(), "the verdict")
        self.assertIn("Good: Left ventricle", self.said())

    @on_bench_only
    def test_the_parent_is_killed(self):
        """The training was begun by a process that is gone; only its folder tells of it."""
        import subprocess
        import sys

        self.section.close()
        self.will("wait")
        code = (
            "import sys; from pathlib import Path; from mmgl.jobs import job, Job; import os\n"
            f"job.PROGRAM = ({str(self.folder / 'trainer' / 'fake_training.py')!r},)\n"
            f"folder = Path({str(self.study.folder)!r})\n"
            "Job.start(folder / 'runs' / 'model-1', ['train', str(folder), '--name', 'model-1'])\n"
            "os.kill(os.getpid(), 9)"
        )
        from MMGLLib.worker import environment

        subprocess.run([sys.executable, "-c", code], check=False, env=environment())
        self.open()
        self.until(lambda: len(self.section.training.story.previews) == 5, "its pictures")
        self.ui.trainButton.click()
        self.ended()
        self.assertIn("model-1-stopped", self.said())

    @on_bench_only
    def test_power_went_while_it_trained(self):
        self.begin()
        self.section.close()
        self.section.training = None
        training.Training(self.study.folder, "model-1").kill()
        self.until(lambda: not training.working(self.study.folder), "the end")
        self.open()
        self.until(lambda: self.said(), "the message")
        self.assertIn("stopped unexpectedly at 60%", self.said())
        self.assertEqual(self.buttons(), ["Continue", "Use it as it is"])
        self.assertIn("Go on with the training", self.section.next_step())


if __name__ == "__main__":
    import unittest

    unittest.main()
