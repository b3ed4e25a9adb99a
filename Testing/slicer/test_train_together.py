"""A large study is worked on while a training with a long history goes on; the line on top fits what is open."""

import json

from bench import on_bench_only
from train_panels import PanelTest

from mmgl.files import write_json

EVENTS = 2000
"""Told by the training before anybody looks."""


class TogetherTest(PanelTest):
    @on_bench_only
    def test_500_cases_and_2000_events_never_hold_slicer_up(self):
        """The bench fails where one slot takes more than 100 ms of the processor, which is measured, not the clock."""
        document = json.loads((self.study.folder / "study.json").read_text(encoding="utf-8"))
        case = document["cases"][-1]
        document["cases"] += [{**case, "name": f"case{i:03d}", "patient": f"patient {i}"} for i in range(494)]
        write_json(self.study.folder / "study.json", document)
        train = self.begin(EVENTS)
        self.assertEqual(len(self.rows()), 500)
        train.live.show()
        self.panel.turn_to("scans")
        self.assertEqual(self.ui.statusLabel.text, train.next_step())
        for text in ("case4", ""):
            self.scans.ui.filterEdit.text = text
        self.scans.table.choose("case400")
        self.scans.ui.useSelector.setCurrentIndex(2)
        self.scans.ui.useSelector.activated.emit(2)
        self.settle()
        self.scans.table.choose("case401")
        self.scans.ui.removeButton.click()
        self.settle()
        self.panel.turn_to("train")
        for _ in range(20):
            train.onTimeout()
            self.panel.onTimeout()
        self.assertTrue(train.busy)
        self.assertEqual(len(self.desk.study.cases), 499)
        train.ui.trainButton.click()  # stop and keep
        self.until(lambda: not train.training.works, "the end of the training")

    def begin(self, events):
        """Train, and open the study as after a start of Slicer, when so many events were told; return the section."""
        from mmgl.jobs.record import EVENTS as FILE
        from MMGLLib import training

        self.will("wait")
        run = training.start_training(self.study)
        log = run.folder / FILE
        self.until(lambda: log.is_file() and '"step": 24' in log.read_text(encoding="utf-8"), "its steps")
        step = next(line for line in log.read_text(encoding="utf-8").splitlines() if '"event": "step"' in line)
        with log.open("a", encoding="utf-8") as file:
            file.writelines(f"{step}\n" for _ in range(events))
        self.open()
        train = self.panel.sections["train"]
        self.until(lambda: train.training is not None and not train.training.behind, "all that it has told")
        return train
