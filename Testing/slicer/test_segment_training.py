"""*Add to training*: what is asked on the way, and what becomes of a correction."""

import time
from unittest import mock

import slicer
from bench import on_bench_only
from panels import PanelTest
from scenes import STRUCTURES

from mmgl.study import Study


@on_bench_only
class TrainingTest(PanelTest):
    def setUp(self):
        super().setUp()
        self.ready()
        self.ui.segmentButton.click()
        self.ended()
        self.study = Study.create(self.folder / "study")

    def add(self, folder=None):
        from bench import popups

        popups.answers.append(str(folder or self.study.folder))
        self.ui.addToTrainingButton.click()
        self.ended()

    def answers(self):
        box = self.ui.answerSelector
        return [] if box.isHidden() else [box.itemText(row) for row in range(box.count)]

    def answer(self, text):
        self.ui.answerSelector.setCurrentIndex(self.answers().index(text))
        self.ui.actionButton.click()
        self.ended()

    def test_what_the_study_does_not_know_is_asked_for_one_by_one(self):
        self.study.add_structure("Aorta")
        self.study.save()
        self.add()
        self.assertEqual(self.shown(), f"The study does not know '{STRUCTURES[0].name}'. What is it?")
        self.assertEqual(self.answers(), ["The same as Aorta", "A new structure", "Not for training"])
        self.answer("The same as Aorta")
        self.assertIn(STRUCTURES[1].name, self.shown())
        self.answer("Not for training")
        self.assertIn("Scan is now a labelled case of the study", self.shown())
        self.assertIn("1 corrected or new since its latest model", self.shown())
        study = Study.open(self.study.folder)
        labelmap = study.read_labelmap(study.case("Scan"))
        array = slicer.util.arrayFromVolume(self.volume)
        self.assertTrue(((labelmap > 0) == ((array > 500) & (array <= 900))).all())

    def test_a_second_correction_is_its_new_label_or_another_scan(self):
        self.study.save()
        self.add()
        self.assertIn("labelled case", self.shown())
        self.add()
        self.assertIn("has a case called Scan already", self.shown())
        self.answer("It is its corrected label")
        self.assertEqual(len(Study.open(self.study.folder).cases), 1)
        self.add()
        self.answer("It is another scan")
        self.assertEqual([case.name for case in Study.open(self.study.folder).cases], ["Scan", "Scan-2"])
        labels = sorted(file.name for file in (self.study.folder / "labels").iterdir())
        self.assertEqual(len(labels), 3)  # the first one is still there

    def test_a_folder_that_is_no_study(self):
        self.add(self.folder)
        self.assertIn("holds no study", self.said())
        self.assertEqual(self.action(), "Choose another folder")

    def test_the_panel_is_free_meanwhile(self):
        import threading

        self.study.save()
        held = threading.Event()
        from MMGLLib import training_cases

        write = training_cases._write

        def slowly(*arguments):
            held.wait(60)
            write(*arguments)

        from bench import popups

        popups.answers.append(str(self.study.folder))
        with mock.patch.object(training_cases, "_write", slowly):
            self.ui.addToTrainingButton.click()
            for _look in range(5):
                slicer.app.processEvents()
                time.sleep(0.02)
            self.assertIsNotNone(self.panel.run)
            held.set()
            self.ended()
        self.assertEqual(len(Study.open(self.study.folder).cases), 1)
