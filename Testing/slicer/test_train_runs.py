"""The section Train: a training begun, watched, stopped and queued, once with the core itself."""

import json
import shutil
import time
from pathlib import Path
from unittest import mock

import slicer
from bench import on_bench_only
from trainings import TrainTest, make_study

from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.jobs import job as job_module
from MMGLLib import training
from MMGLLib.messages import MMGLError


class PathTest(TrainTest):
    def test_from_ready_labels_to_a_model(self):
        changed = []
        self.section.onChanged = lambda: changed.append(self.section.next_step())
        self.assertEqual(self.section.next_step(), "Click Train.")
        self.assertIn("3 labelled and 2 unlabelled", self.ui.checksLabel.text)
        self.assertIn("1 held out", self.ui.checksLabel.text)
        self.until(lambda: "processor" in self.ui.deviceLabel.text, "the answer about the machine")
        self.begin()
        self.assertIn("training", self.section.next_step())
        self.assertTrue(self.ui.readyFrame.isHidden())
        self.assertIn("Learning to segment", self.ui.stageLabel.text)
        self.assertIn("About 5 minutes left", self.ui.timeLabel.text)
        self.assertEqual(self.ui.progressBar.value, 600)
        self.will("finish")
        self.ended()
        self.assertEqual(self.said(), "model-1 is ready.\nGood: Left ventricle. Not yet: Myocard (ä/ß).")
        self.assertIn("model-1 has learned", self.ui.againBox.text)
        self.assertTrue(self.ui.againBox.checked)
        self.ui.trainButton.click()
        asked = json.loads((self.study.folder / "runs" / "model-2" / "job.json").read_text(encoding="utf-8"))
        self.assertIn(str(self.study.folder / "models" / "model-1.mmgl"), asked["arguments"])
        self.ended()
        self.assertEqual(self.ui.trainButton.text, "Train")
        self.assertEqual(self.section.next_step(), "")
        self.assertEqual(len(changed), 4)  # each began, and ended

    def test_its_end_is_told_in_the_status_bar_too_as_the_user_may_be_in_another_module(self):
        with mock.patch.object(slicer.util, "showStatusMessage") as told:
            self.begin()
            told.assert_not_called()
            self.will("finish")
            self.ended()
            told.assert_called_once_with("MMGL Train: model-1 is ready.")
            self.open()  # the next day
            self.until(lambda: "is ready" in self.said(), "the verdict")
        told.assert_called_once()

    def test_what_is_asked_of_the_core(self):
        self.logic.parameters.seed, self.logic.parameters.device, self.logic.parameters.planes = 7, "cpu", "axial"
        self.ui.overnightButton.click()
        self.begin("finish")
        asked = json.loads((self.study.folder / "runs" / "model-1" / "job.json").read_text(encoding="utf-8"))
        words = " ".join(asked["arguments"])
        self.assertIn("--name model-1 --method mmgl+ --planes axial --seed 7 --device cpu --time overnight", words)
        self.ended()

    def test_times_are_those_of_this_computer(self):
        self.assertIn("about 15 minutes", self.ui.quickButton.text)
        slicer.app.settings().setValue("MMGL/SecondsPerScan", 100.0)
        self.section.follow(self.study)
        self.assertIn("about 25 minutes", self.ui.quickButton.text)  # six scans
        self.assertIn("hours", self.ui.overnightButton.text)
        self.assertIn("ready at about", self.ui.readyLabel.text)

    def test_the_device_in_words(self):
        cases = {
            "NVIDIA RTX 4090, 20 GB free": {"card": "NVIDIA RTX 4090", "card_free_gb": 20.1},
            "Your NVIDIA card was found but cannot be used": {"card_unusable": True},
            "This computer's processor": {},
        }
        for words, found in cases.items():
            self.answer.update({"card": "", "card_free_gb": 0, "card_unusable": False, **found})
            self.open()
            self.until(lambda words=words: words in self.ui.deviceLabel.text, words)

    def test_what_stands_in_the_way(self):
        told = {"severity": "warning", "key": "check.spacing", "case": "scan 1", "words": "Look (mmgl study check)."}
        self.logic.desk = mock.Mock(open_findings=lambda: [told, {**told, "case": "scan 2"}])
        shown = []
        self.section.onShow = shown.append
        self.section.follow(self.study)
        self.assertIn("Look. The same holds for 1 more.", self.ui.checksLabel.text)
        self.assertTrue(self.ui.trainButton.enabled)
        self.ui.checksLabel.linkActivated.emit("scan 1")
        self.assertEqual(shown, ["scan 1"])
        self.logic.desk = mock.Mock(open_findings=lambda: [{**told, "severity": "error"}])
        self.section.follow(self.study)
        self.assertFalse(self.ui.trainButton.enabled)
        self.assertIn("red", self.section.next_step())

    def test_one_label_is_enough_and_none_is_not(self):
        (self.folder / "one").mkdir()
        self.section.follow(make_study(self.folder / "one", labelled=1))
        self.assertIn("One labelled scan is enough to try", self.ui.checksLabel.text)
        self.assertTrue(self.ui.trainButton.enabled)
        (self.folder / "none").mkdir()
        self.section.follow(make_study(self.folder / "none", labelled=0))
        self.assertFalse(self.ui.trainButton.enabled)
        self.assertIn("Label", self.section.next_step())

    def test_nothing_technical_is_on_it(self):
        self.begin()
        import qt

        texts = [w.text for w in self.section.form.findChildren(qt.QLabel)]
        texts += [w.text + w.toolTip for w in self.section.form.findChildren(qt.QPushButton)]
        for word in ("epoch", "batch", "learning rate", "patch", "loss", "CUDA", "step", ".json", ".mmgl"):
            for text in texts:
                self.assertNotIn(word, text)


class LiveTest(TrainTest):
    def test_the_slider_goes_back_in_time_and_stays_there(self):
        self.begin()
        self.assertEqual(self.ui.timeSlider.value, 4)
        self.assertIn("Müller ☤ 心", self.ui.captionLabel.text)
        self.ui.timeSlider.value = 1
        self.will("finish")
        self.ended()
        self.assertEqual((self.ui.timeSlider.value, self.ui.timeSlider.maximum), (1, 8))
        self.ui.timeSlider.value = 8
        self.assertFalse(self.ui.pictureLabel.pixmap.isNull())

    @on_bench_only
    def test_the_curve_is_in_slicers_own_plots(self):
        from bench.plot_view import curves

        self.begin()
        self.section.live.show()
        chart = self.ui.plotView.mrmlPlotViewNode().GetPlotChartNode()
        (first, colour, points), (_second, _, fewer) = curves(chart)
        self.assertEqual(first, "Left ventricle")
        self.assertAlmostEqual(colour[0], 214 / 255)
        self.assertEqual([round(dice, 2) for _, dice in points], [0.2, 0.3, 0.4, 0.5, 0.6])
        self.assertEqual(len(fewer), 4)  # where there is nothing to compare there is no point
        self.assertFalse(chart.GetSaveWithScene())
        slicer.mrmlScene.Clear(0)
        self.section.live.show()
        self.assertEqual(len(curves(self.ui.plotView.mrmlPlotViewNode().GetPlotChartNode())), 2)
        count = slicer.mrmlScene.GetNumberOfNodes()
        self.section.close()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count - 6)

    @on_bench_only
    def test_folded_away_it_costs_nothing(self):
        self.ui.liveSection.collapsed = True
        count = slicer.mrmlScene.GetNumberOfNodes()
        self.begin()
        self.will("finish")
        self.ended()
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count)
        self.assertEqual(self.ui.plotView.drawn, 0)
        self.assertTrue(self.ui.pictureLabel.pixmap.isNull())
        self.ui.liveSection.collapsed = False
        self.assertEqual(self.ui.plotView.drawn, 1)
        self.assertFalse(self.ui.pictureLabel.pixmap.isNull())

    def test_memory_in_words(self):
        self.begin()
        self.assertEqual(self.ui.memoryBar.format, "Memory: 9.5 of 16 GB in use")
        self.assertEqual(self.ui.cardBar.format, "Graphics card: 4.8 of 6 GB in use")

    def test_a_long_log_is_read_in_pieces(self):
        """Many events are read at many looks, each of few bytes, so that no look is long."""
        run = self.study.folder / "runs" / "model-1"
        run.mkdir(parents=True)
        step = {"time": 1.0, "event": "step", "loss": {"a": 1.0, "words": 0.5}, "share": 0.5, "seconds_left": 60.0}
        lines = [json.dumps({**step, "time": float(i), "padding": "x" * 300}) + "\n" for i in range(6000)]
        (run / "events.jsonl").write_text("".join(lines), encoding="utf-8")
        looks = []
        read = training.Training.poll

        def poll(self):
            before = self.job.follower.offset
            read(self)
            looks.append(self.job.follower.offset - before)

        status = {"state": "finished", "pid": 1, "host": "", "beat": time.time()}
        (run / "status.json").write_text(json.dumps(status), encoding="utf-8")
        with mock.patch.object(training.Training, "poll", poll):
            self.open()
            self.ended()
        self.assertEqual(sum(looks), sum(len(line) for line in lines))
        self.assertLessEqual(max(looks), training.MOST)
        self.assertGreater(len(looks), 8)
        self.assertLessEqual(len(self.section.training.story.errors), 800)


class StopTest(TrainTest):
    def test_stop_and_keep_and_go_on(self):
        self.begin()
        self.assertEqual(self.ui.trainButton.text, "Stop and keep")
        self.ui.trainButton.click()
        self.assertFalse(self.ui.trainButton.enabled)
        self.ended()
        self.assertIn("kept as model-1-stopped", self.said())
        self.assertTrue((self.study.folder / "models" / "model-1-stopped.mmgl").exists())
        self.assertEqual(self.buttons(), ["Continue"])
        self.will("finish")
        self.ui.firstButton.click()
        self.ended()
        self.assertIn("model-1 is ready", self.said())

    def test_one_that_does_not_stop_is_ended_by_force(self):
        self.begin()
        self.will("mute")
        self.ui.trainButton.click()
        self.section.training.stop_asked -= 60
        self.until(lambda: self.ui.trainButton.text == "End it now", "the other button")
        self.ui.trainButton.click()
        self.ended()
        self.assertIn("kept", self.said())

    def test_a_second_training_is_refused(self):
        self.begin()
        with self.assertRaises(MMGLError) as caught:
            self.logic.startTraining(self.study)
        self.assertEqual(caught.exception.key, "train.running")

    def test_the_console(self):
        self.section.close()
        run = self.logic.startTraining(self.study, budget="quick")
        self.until(lambda: run.status()["state"] == "finished", "the end")
        self.assertEqual(run.status()["model"], self.study.folder / "models" / "model-1.mmgl")


class RealTest(TrainTest):
    """Once with the core itself."""

    def test_a_real_training_from_the_click_to_the_model(self):
        from MMGLLib.errand import Asking

        start = self.logic.startTraining
        self.logic.startTraining = lambda study, **asked: start(study, **{**asked, "method": "supervised", "steps": 2})
        slicer.app.settings().clear()
        ward = self.folder / "ward ü"
        ward.mkdir()
        shutil.copy(self.study.folder.parent / "scan 5.nrrd", ward / "Anna.nrrd")
        (ward / "Berta.nrrd").write_bytes(b"NRRD0004\nbroken")
        with mock.patch.object(job_module, "PROGRAM", ("-m", "mmgl")):
            self.ui.trainButton.click()
            self.section.then_segment(ward)
        self.assertIn("Then the folder ward ü is segmented", self.ui.thenLabel.text)
        machine, found = Asking("mmgl.machine"), []
        self.addCleanup(machine.close)
        self.until(lambda: found.extend(machine.poll()) or machine.ended, "the answer about the machine")
        self.assertGreaterEqual(found[0]["cores"], 1)
        self.ended()
        self.assertIn("model-1 is ready.", self.said())
        story = self.section.training.story
        self.assertTrue((self.section.training.folder / story.previews[-1].file).is_file())
        self.assertTrue(0 < story.memory["free_gb"] < story.memory["gb"])
        self.assertEqual((story.scans, len(story.checks[0][1])), (6, 2))
        self.assertGreater(float(slicer.app.settings().value("MMGL/SecondsPerScan")), 0)
        self.assertEqual(len(self.logic.models(self.study)[0].rows()), 2)
        self.until(lambda: "is segmented: 1 done, 1 left out" in self.ui.thenLabel.text, "the folder")
        self.assertIn("<br>Berta.nrrd", self.ui.thenLabel.text)
        self.assertNotIn(str(ward), self.ui.thenLabel.text)
        results = self.folder / "ward ü model-1"
        self.assertIn(f'<a href="{results.as_uri()}">{results.name}</a>', self.ui.thenLabel.text)
        self.assertIn("Anna", (results / "results.csv").read_text(encoding="utf-8"))
        found = read_segmentation(results / "Anna.seg.nrrd")
        self.assertEqual([s.name for s in found.segments], [s.name for s in self.study.structures])


class QueueTest(TrainTest):
    def test_then_a_folder_is_segmented(self):
        wards = self.folder / "ward"
        wards.mkdir()
        with mock.patch.object(training.Queue, "ensure_worker") as worker:
            self.begin()
            self.section.then_segment(wards)
        worker.assert_called()
        self.assertIn("Then the folder ward is segmented", self.ui.thenLabel.text)
        run, segmenting = training.Queue().turns()
        self.assertEqual((run.state, segmenting.state), ("running", "waiting"))
        self.assertEqual(Path(segmenting.arguments[4]), self.folder / "ward model-1")
        self.ui.trainButton.click()  # who stops it does not want the folder to be segmented either
        self.ended()
        from mmgl.jobs.record import STOP

        self.assertTrue((segmenting.folder / STOP).exists())


if __name__ == "__main__":
    import unittest

    unittest.main()
