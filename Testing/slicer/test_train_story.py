"""The day of a clinician with MMGL Train, as one story in which the clicks are counted."""

from unittest import mock

import numpy as np
from bench import on_bench_only
from train_panels import PanelTest

from mmgl.study import Study


class DayTest(PanelTest):
    """Every click goes through here, so that none is forgotten."""

    clicks = 0

    def click(self, button):
        self.assertTrue(button.enabled and not button.isHidden(), button.text)
        type(self).clicks += 1
        button.click()

    @on_bench_only
    def test_from_opening_the_module_to_a_model_in_at_most_eight_clicks(self):
        from MMGLLib import errands

        type(self).clicks = 0
        train, models = self.panel.sections["train"], self.panel.sections["models"]
        with mock.patch.object(errands, "SAMPLE", (4, 1)):
            self.click(self.ui.sampleButton)
            self.settle()
        self.until(lambda: not self.ui.trainSection.collapsed, "handing over")
        self.assertEqual(self.ui.statusLabel.text, "Click Train.")
        self.click(train.ui.trainButton)
        self.until(lambda: not train.training.works, "the training")
        self.until(lambda: models.best is not None, "the model")
        self.assertIn("model-1 is ready", train.ui.noticeLabel.text)
        self.assertLessEqual(self.clicks, 8)
        self.assertEqual(self.clicks, 2)
        # the day goes on: a patient more is labelled, and counts for the next training
        self.scans.table.choose("heart-05")
        self.click(self.scans.ui.labelButton)
        self.paint("Left ventricle", np.s_[2:6, 30:50, 30:50])
        self.click(self.labels.ui.doneButton)
        self.settle()
        self.click(self.choices(self.labels._question)["Not labelled here"])
        self.settle()
        study = Study.open(self.desk.study.folder)
        self.assertEqual(len(study.labelled), 4)
        self.click(train.ui.trainButton)
        self.until(lambda: not train.training.works, "the second training")
        self.assertEqual([model.name for model in self.widget.logic.models(study)], ["model-2", "model-1"])
