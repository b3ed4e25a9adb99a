"""Errands in real processes: what they find out comes back, and one that dies is told in words."""

from bench import on_bench_only
from trainings import TrainingTest

from MMGLLib.errand import Errands


@on_bench_only
class ErrandTest(TrainingTest):
    def setUp(self):
        super().setUp()
        self.errands, self.heard = Errands(), []
        self.addCleanup(self.errands.close)

    def ended(self):
        def look():
            self.errands.poll()
            return not self.errands.busy

        self.until(look, "the end of the errand")

    def test_a_survey_comes_back_from_its_process(self):
        self.errands.ask("survey", self.heard.append, study=str(self.study.folder))
        self.ended()
        self.assertEqual(self.heard[-1]["event"], "surveyed")
        self.assertEqual(self.heard[-1]["facts"]["scan 4"]["size"], [6, 24, 24])
        self.assertEqual([e["done"] for e in self.heard if e["event"] == "progress"], [1, 2, 3, 4, 5, 6])

    def test_one_that_is_killed_is_told_and_the_next_begins(self):
        self.errands.ask("survey", self.heard.append, study=str(self.study.folder))
        self.errands.ask("label", self.heard.append, study=str(self.folder / "none"), case="", path="", meanings={})
        self.errands._row[0]._alone._process.kill()
        self.ended()
        self.assertEqual(
            [e["key"] for e in self.heard if e["event"] == "failed"], ["slicer.errand_died", "study.missing"]
        )
