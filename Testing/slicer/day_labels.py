"""The day until there are labels: a study of her own, painting, a draft, more scans."""

from __future__ import annotations

import shutil

import numpy as np
from day import LABELLED, LATER, UNLABELLED

from mmgl.study import Study
from MMGLLib import results


class LabelsChapters:
    """Chapters of ``WholeDayTest``; each goes on where the one before ended."""

    def morning(self):
        """08:20: a study of her own, from a folder in which some scans have labels."""
        self.picture("08-20 the module is opened")
        self.ui.nameEdit.text = "Hippocampus"
        self.click(self.ui.startButton)
        self.picture("08-20 a study of her own")
        clinic = self.copies("clinic", *UNLABELLED, labels=LABELLED)
        self.originals = {str(file): file.read_bytes() for file in clinic.rglob("*.nii.gz")}
        self.click(self.scans.ui.addFolderButton, clinic)
        self.settle()
        self.assertEqual(self.ui.statusLabel.text, "Answer the question below.")
        self.picture("08-22 whose paint is this")
        self.assertFalse(self.scans.ui.addFolderButton.enabled)  # that folder waits for answers
        question = self.scans.findings._question
        self.answer(question, "A new structure", "Anterior part")
        self.answer(question, "A new structure", "Posterior part")
        study = Study.open(self.desk.study.folder)
        self.assertEqual([s.name for s in study.structures], ["Anterior part", "Posterior part"])
        self.assertEqual([len(study.labelled), len(study.checks), len(study.unlabelled)], [4, 1, 2])
        self.panel.turn_to("scans")
        self.assertTrue(self.scans.ui.addFolderButton.enabled)
        self.picture("08-22 the scans")

    def paint_some_slices(self):
        """08:30: every fourth slice of a scan, one structure under a name that the study does not know."""
        labels = self.labels
        self.scans.table.choose(f"patient {UNLABELLED[0]}")
        self.click(self.scans.ui.labelButton)
        self.settle()
        shown, truth = labels.shown, self.truth(UNLABELLED[0])
        some = np.zeros_like(truth, bool)
        some[::4] = True
        segmentation = shown.segmentation.GetSegmentation()
        first = segmentation.GetSegmentIdBySegmentName("Anterior part")
        self.edit(shown.segmentation, shown.volume, first, (truth == 1) & some)
        tail = segmentation.AddEmptySegment("", "posterior", [0.9, 0.6, 0.2])
        self.edit(shown.segmentation, shown.volume, tail, (truth == 2) & some)
        self.assertIn("Done with this case", self.ui.statusLabel.text)
        self.picture("08-30 painting", volume=shown.volume)
        self.click(labels.ui.doneButton)
        self.settle()
        self.assertIn("'posterior'", labels.ui.questionLabel.text)
        self.picture("08-45 which structure is that")
        self.answer(labels._question, "The same as Posterior part")
        self.assertIn("only some slices are painted", labels.ui.questionLabel.text)
        self.picture("08-45 only some slices are painted")
        self.answer(labels._question, "The other slices are not labelled")
        case = Study.open(self.desk.study.folder).case(f"patient {UNLABELLED[0]}")
        self.assertEqual({extent.value for extent in case.label.extents.values()}, {"slices"})

    def correct_a_draft(self):
        """09:00: the next scan begins with what another tool found."""
        labels = self.labels
        self.click(labels.ui.nextButton)
        self.settle()
        shown, truth = labels.shown, self.truth(UNLABELLED[1])
        self.assertEqual(shown.name, f"patient {UNLABELLED[1]}")
        draft = results.new_segmentation(shown.volume, truth.astype(np.uint8), self.desk.study.structures, "Draft")
        labels.ui.draftSelector.setCurrentNode(draft)
        self.click(labels.ui.draftButton)
        self.settle()
        self.assertFalse(labels.ui.doneButton.enabled)
        self.picture("09-00 a draft of another tool", volume=shown.volume)
        first = shown.segmentation.GetSegmentation().GetNthSegmentID(0)
        lowest = np.flatnonzero((truth == 1).any(axis=(1, 2)))[0]
        wrong = np.zeros_like(truth)
        wrong[lowest] = truth[lowest] == 1
        self.edit(shown.segmentation, shown.volume, first, wrong, remove=True)
        self.click(labels.ui.draftButton)
        self.click(labels.ui.doneButton)
        self.settle()
        study = Study.open(self.desk.study.folder)
        found = study.read_labelmap(study.case(shown.name))
        self.assertEqual(int((found == 1).sum()), int((truth == 1).sum() - wrong.sum()))
        self.assertEqual(len(study.labelled), 6)

    def add_unlabelled_scans(self):
        """10:20: a folder with two more, one of them a second time, and a file that is broken."""
        more = self.copies("more", *LATER)
        shutil.copy(more / "images" / f"patient {LATER[0]}.nii.gz", more / "images" / "copy of it.nii.gz")
        (more / "images" / "broken.nii.gz").write_bytes(b"no image")
        self.turn_to("scans")
        self.click(self.scans.ui.addFolderButton, more / "images")
        self.settle()
        self.assertIn("could not be used", self.said())
        keys = [finding["key"] for finding in self.desk.open_findings()]
        self.scans.ui.findingList.setCurrentRow(keys.index("check.duplicate"))
        self.picture("10-20 what the checks found")
        self.click(self.scans.ui.fixButton)
        self.settle()
        self.assertEqual(len(Study.open(self.desk.study.folder).unlabelled), 2)
