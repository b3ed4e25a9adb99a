"""*Add to training*: what is asked on the way, and what becomes of a correction."""

import time
from unittest import mock

import numpy as np
import slicer
from bench import faults, on_bench_only
from panels import PanelTest
from scenes import STRUCTURES, to_ras, transform_of

from mmgl.structures import Structure
from mmgl.study import Study
from MMGLLib import results, training_cases


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

    def test_where_segments_overlap_the_upper_one_wins_and_it_is_said(self):
        self.study.save()
        node, size = self.panel.parameters.result, slicer.util.arrayFromVolume(self.volume).shape
        for number, rows in ((2, slice(0, 5)), (4, slice(3, 8))):
            mask = np.zeros(size, np.uint8)
            mask[1, rows, :4] = 1
            slicer.util.updateSegmentBinaryLabelmapFromArray(mask, node, f"Segment_{number}", self.volume)
        self.add()
        upper, lower = (structure.name for structure in STRUCTURES)
        self.assertIn(f"{upper} and {lower} overlap (8 voxels), and {upper}, which is higher", self.shown())
        study = Study.open(self.study.folder)
        labelmap = study.read_labelmap(study.case("Scan"))
        self.assertEqual([int((labelmap == value).sum()) for value in (1, 2)], [20, 12])

    def test_a_large_scan_is_read_without_stopping_the_application(self):
        """Each slot may take a tenth of a second; what is large is copied in pieces, and worked on by a thread."""
        size = (300, 512, 512)
        volume = slicer.util.addVolumeFromArray(np.zeros(size, np.int16), name="Large")
        labelmap = np.zeros(size, np.uint8)
        structures = [Structure(i, f"Structure {i}", (50 * i, 9, 9)) for i in (1, 2, 3, 4)]
        for i in range(4):
            labelmap[5 + i :, 70 * i : 70 * i + 40, 5:-5] = i + 1
        node = results.new_segmentation(volume, labelmap, structures, "Large")
        heard = []
        run = training_cases.AddingCase(node, volume, self.study.folder, on_event=heard.append)
        self.study.save()
        with mock.patch.object(training_cases, "_write", lambda *given: heard.append(given[3])):
            steps = run.work()
            taken = []
            while not run.idle:
                begun = time.thread_time()
                next(steps)
                taken.append(time.thread_time() - begun)
            run.wait_aside()
        self.assertGreater(len(taken), 60)
        self.assertLess(sorted(taken)[-2], faults.MARGIN * faults.LIMIT * faults.slowness())
        self.assertTrue((heard[0].layers[0] == labelmap).all())

    def test_a_correction_that_lies_beside_the_scan(self):
        self.study.save()
        node = self.panel.parameters.result
        away = transform_of(to_ras(np.eye(3), origin=(900, 900, 900)))
        node.SetAndObserveTransformNodeID(away.GetID())
        self.add()
        self.assertIn("does not lie on its image", self.said())
        self.assertEqual(list(self.study.folder.rglob("*.nrrd")), [])

    def test_a_folder_that_is_no_study(self):
        self.add(self.folder)
        self.assertIn("holds no study", self.said())
        self.assertEqual(self.action(), "Choose another folder")

    def test_the_panel_is_free_meanwhile(self):
        import threading

        self.study.save()
        held = threading.Event()
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
