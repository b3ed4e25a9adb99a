"""The section Models: what is said of each, which one is used, and how they come and go."""

import json
import os
from pathlib import Path
from unittest import mock

import numpy as np
import qt
import slicer
from panels import PLAN, card_only, open_module
from scenes import STRUCTURES
from trainings import Logic, TrainingTest, open_section

from mmgl.model import Card, write_model
from mmgl.structures import Structure
from mmgl.study import Study
from MMGLLib import chosen_model, study_models


def judged(*, dice=0.91, cases=3, key="verdict.good"):
    """Return the findings of a verdict on both structures."""
    first = {"structure": STRUCTURES[0].name, "dice": dice, "cases": cases, "labelled": 4}
    return [
        {"key": key, "parameters": first},
        {"key": "verdict.one_scan", "parameters": {**first, "structure": STRUCTURES[1].name, "labelled": 1}},
    ]


class ModelsTest(TrainingTest):
    def setUp(self):
        super().setUp()
        self.logic = Logic()
        self.section = open_section("ModelsSection", self.logic)
        self.addCleanup(self.section.close)
        self.ui = self.section.ui

    def make(self, name, findings=(), use="", age=0):
        """Write a model of the study, and the verdict of its training."""
        folder = self.study.folder / "models"
        folder.mkdir(exist_ok=True)
        file = Path(card_only(folder, name, created="2026-11-21"))
        os.utime(file, (1e9 - age, 1e9 - age))
        run = self.study.folder / "runs" / name
        run.mkdir(parents=True)
        (run / "verdict.json").write_text(
            json.dumps({"findings": list(findings), "use": use or name}), encoding="utf-8"
        )
        return file

    def show(self):
        self.section.follow(self.study)

    def said(self):
        return "" if self.ui.noticeFrame.isHidden() else self.ui.noticeLabel.text

    def table(self):
        table = self.ui.scoreTable
        return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]

    def list(self):
        items = [self.ui.modelTree.topLevelItem(i) for i in range(self.ui.modelTree.topLevelItemCount)]
        return [(item.text(0), item.text(1)) for item in items]


class VerdictTest(ModelsTest):
    def test_nothing_yet(self):
        self.show()
        self.assertIn("no model yet", self.ui.emptyLabel.text)
        self.assertTrue(self.ui.modelFrame.isHidden())
        self.assertEqual(self.section.next_step(), "")

    def test_words_first_numbers_second(self):
        self.make("model-1", judged())
        self.show()
        self.assertEqual(self.ui.verdictLabel.text, "Good: Left ventricle. Not yet: Myocard (ä/ß).")
        self.assertIn("Label it in 3 more", self.ui.adviceLabel.text)
        self.assertEqual(self.table()[0], ["Left ventricle", "Good", "0.91", "3 checked, 4 learned"])
        self.assertEqual(self.table()[1][1:3], ["Not learned", "0.91"])
        self.assertIn("Look at model-1", self.section.next_step())

    def test_one_that_was_stopped_early_can_go_on(self):
        first, second = judged(dice=0.4, key="verdict.early")
        self.make("model-1", [{"key": "verdict.stopped", "parameters": {"minutes": 3}}, first, second])
        self.show()
        self.assertEqual(self.ui.verdictLabel.text, "Not yet: Left ventricle, Myocard (ä/ß).")
        self.assertTrue(self.ui.adviceLabel.text.startswith("Training was stopped after about 3 minutes"))
        self.assertEqual(self.table()[0][1:3], ["Not yet", "0.40"])

    def test_too_few_to_trust_and_largest_pieces_that_are_better(self):
        pieces = {"structures": "Left ventricle", "count": 1, "old": 0.86, "new": 0.88}
        findings = [*judged(cases=1), {"key": "verdict.few", "parameters": {"cases": 1}}]
        self.make("model-1", [*findings, {"key": "verdict.pieces", "parameters": pieces}])
        self.show()
        self.assertEqual(self.table()[0][2], "(0.91)")
        for words in ("too few to trust", "Keep only the largest piece when you segment: Dice 0.880 instead of 0.860"):
            self.assertIn(words, self.ui.adviceLabel.text)

    def test_one_that_cannot_even_reproduce_its_training_scans(self):
        findings = [*judged(), {"key": "verdict.self", "parameters": {"case": "scan 2", "dice": 0.2}}]
        self.make("model-1", findings)
        self.show()
        self.assertEqual(self.ui.verdictLabel.text, "This model cannot be trusted.")
        self.assertIn("cannot even reproduce scan 2", self.ui.adviceLabel.text)

    def test_one_without_a_verdict_shows_its_card(self):
        self.make("model-1")
        (self.study.folder / "runs" / "model-1" / "verdict.json").write_text("{no", encoding="utf-8")
        self.show()
        self.assertIn("not known here", self.ui.verdictLabel.text)
        self.assertEqual(self.table()[0], ["Left ventricle", "Not known", "(0.91)", "–"])

    def test_damaged_files_are_no_models(self):
        self.make("model-1", judged())
        (self.study.folder / "models" / "model-2.mmgl").write_text("no model", encoding="utf-8")
        self.show()
        self.assertEqual([name for name, _ in self.list()], ["model-1"])

    def test_the_report(self):
        file = self.make("model-1", judged())
        self.show()
        self.assertFalse(self.ui.reportButton.enabled)
        file.with_suffix(".html").write_text("<p>", encoding="utf-8")
        self.section.onModel()
        with mock.patch.object(qt.QDesktopServices, "openUrl") as opened:
            self.ui.reportButton.click()
        self.assertTrue(opened.call_args[0][0].toLocalFile().endswith("model-1.html"))


class UseTest(ModelsTest):
    def test_use_compare_and_go_back(self):
        self.make("model-1", judged(), age=100)
        compared = {"name": "model-2", "other": "model-1", "cases": 3, "new": 0.8, "old": 0.91}
        self.make("model-2", [*judged(dice=0.8), {"key": "compare.worse", "parameters": compared}], use="model-1")
        self.show()
        self.assertEqual(self.list(), [("model-2", ""), ("model-1", "recommended")])
        self.assertEqual(self.section.current.name, "model-1")
        changed = []
        self.section.onChanged = lambda: changed.append(1)
        self.ui.useButton.click()
        self.assertEqual(self.list()[1], ("model-1", "in use"))
        self.assertFalse(self.ui.useButton.enabled)
        self.assertEqual((self.section.next_step(), changed), ("", [1]))
        self.ui.modelTree.setCurrentItem(self.ui.modelTree.topLevelItem(0))
        self.assertIn("model-1 is better than model-2", self.ui.compareLabel.text)
        self.ui.useButton.click()
        self.assertEqual(self.list(), [("model-2", "in use"), ("model-1", "recommended")])
        self.ui.modelTree.setCurrentItem(self.ui.modelTree.topLevelItem(1))
        self.ui.useButton.click()  # one click back
        self.assertTrue(chosen_model.chosen().endswith("model-1.mmgl"))

    def test_the_other_module_takes_it(self):
        file = self.make("model-1", judged())
        segment = open_module()
        self.addCleanup(segment.cleanup)
        self.assertEqual(segment.panel.models.current(), "")
        self.show()
        self.ui.useButton.click()
        segment.enter()
        self.assertEqual(segment.panel.models.current(), str(file))
        self.assertEqual(segment.panel.parameters.model, str(file))

    def test_a_new_model_is_shown_and_an_old_choice_stays(self):
        self.make("model-1", judged(), age=100)
        self.show()
        self.make("model-2", judged())
        self.show()
        self.assertEqual(self.section.current.name, "model-2")
        self.ui.modelTree.setCurrentItem(self.ui.modelTree.topLevelItem(1))
        self.show()
        self.assertEqual(self.section.current.name, "model-1")


class FileTest(ModelsTest):
    def test_export_never_overwrites(self):
        self.make("model-1", judged())
        self.show()
        target = self.folder / "Für Kollegin.mmgl"
        self.section.export_model(target)
        self.assertIn("no images and no patient data", self.said())
        before = target.read_bytes()
        self.assertEqual(before, self.section.current.file.read_bytes())
        self.section.export_model(target)
        self.assertIn("exists already", self.said())
        self.assertEqual(target.read_bytes(), before)

    def test_import(self):
        self.show()
        file = card_only(self.folder, "given")
        for _ in range(2):
            self.section.import_model(file)
        self.assertEqual({name for name, _ in self.list()}, {"given", "given-2"})
        self.assertIn("was added", self.said())
        self.assertIn("and use it if it is good", self.section.next_step())  # nobody here has judged it

    def test_import_of_what_is_no_model(self):
        self.show()
        file = self.folder / "other.mmgl"
        file.write_text("no model", encoding="utf-8")
        self.section.import_model(str(file))
        self.assertIn("not a valid MMGL model", self.said())
        self.assertFalse((self.study.folder / "models").exists())

    def test_import_of_a_model_with_other_structures(self):
        self.show()
        file = self.folder / "liver.mmgl"
        card = Card("liver", (Structure(1, "Liver", (1, 2, 3)),), PLAN, "mmgl")
        write_model(file, card, {"nothing": np.zeros(1, np.float32)})
        self.section.import_model(str(file))
        self.assertIn("This model segments Liver, and the study has Left ventricle, Myocard (ä/ß)", self.said())

    def test_a_new_study_from_a_model(self):
        self.make("model-1", judged())
        self.show()
        opened = []
        self.section.onOpen = opened.append
        folder = self.folder / "Neue Studie"
        self.section.new_study(str(folder))
        self.assertEqual(opened, [str(folder)])
        study = Study.open(folder)
        self.assertEqual([s.name for s in study.structures], [s.name for s in STRUCTURES])
        self.assertEqual(study.structures[0].terminology, STRUCTURES[0].terminology)
        self.assertEqual([m.name for m in study_models.models(study)], ["model-1"])
        self.section.new_study(str(folder))
        self.assertIn("holds a study already", self.said())

    def test_before_the_first_setup(self):
        import sys

        self.make("model-1", judged())
        with mock.patch.dict(sys.modules, {"mmgl.model": None}):
            self.show()
        self.assertEqual(self.list(), [])


class SettingsTest(ModelsTest):
    def test_known_models_are_kept_on_this_computer(self):
        for name in ("a", "b", "a"):
            chosen_model.remember(f"/{name}.mmgl")
        self.assertEqual(slicer.app.settings().value("MMGL/Models"), "/a.mmgl\n/b.mmgl")
        self.assertEqual(chosen_model.known(), ["/a.mmgl", "/b.mmgl"])


if __name__ == "__main__":
    import unittest

    unittest.main()
