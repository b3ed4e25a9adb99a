"""Names are planted in every place that a copied report is made of, and none of them is in it."""

import getpass
import platform
from dataclasses import replace
from pathlib import Path
from unittest import mock

import slicer
from panels import PanelTest
from trainings import TrainTest

from mmgl.messages import MMGLError
from mmgl.study import Study
from MMGLLib.anonymous import anonymous, names_of

PATIENT, USER, COMPUTER = "Mustermann^Erika", "drschmidt", "ward-7-pc"
UID = "1.2.826.0.1.3680043.9.7"


def log_of(study):
    """Return a log with all names of a study, the user's and the computer's, in all usual writings."""
    case = study.cases[0]
    image, label = case.images[0].path, case.label.path
    return "\n".join(
        [
            f"mmgl: {image} is cut short",
            f"{case.name} -> {study.folder / 'results' / 'x.nrrd'}",
            f"ValueError: {str(label)!r} of {case.name!r} ({case.patient}), {UID}",
            f"{case.name.upper()}_2 and {str(study.folder)!a} and {image.name}",
            f"on {COMPUTER} for {USER} in {Path.home() / 'Desktop' / 'a b' / 'Erika Mustermann.nii.gz'}",
            r"C:\Users\drschmidt\Mustermann Erika\scan 1.nii.gz: damaged, \\server\Mustermann\ct.dcm too",
            "pip --proxy http://drschmidt:secret@proxy.local:8080 failed",
            'File "/home/drschmidt/Slicer 5.10/lib/Python/mmgl/imaging/reading.py", line 71, in read_scan',
            "step 12 of 300, torch 2.13.0: RuntimeError: CUDA out of memory",
        ]
    )


def named(text):
    """Return the planted names that are in a text."""
    own = ("mustermann", "erika", USER, COMPUTER, "secret", UID, "herz", "desktop", str(Path.home()).lower())
    return [name for name in own if name in text.lower()]


class Names:
    """Plants a user and a computer."""

    def setUp(self):
        super().setUp()
        for patch in (
            mock.patch.object(getpass, "getuser", lambda: USER),
            mock.patch.object(platform, "node", lambda: COMPUTER),
        ):
            patch.start()
            self.addCleanup(patch.stop)

    def check(self, copied):
        self.assertEqual(named(copied), [])
        for useful in ("reading.py", "line 71", "step 12 of 300, torch 2.13.0", "CUDA out of memory", "MMGL"):
            self.assertIn(useful, copied)


def planted(study):
    """Rename a case and its patient."""
    study.cases = (replace(study.cases[0], name=PATIENT, patient=f"{PATIENT} 1970"), *study.cases[1:])
    study.save()
    return study


class TrainReportTest(Names, TrainTest):
    def test_a_training_that_fails(self):
        study = planted(self.study)
        log = log_of(study)
        self.assertGreaterEqual(len(named(log)), 7)
        self.section.follow(study)
        self.section.notice.fail(f"{PATIENT} cannot be read: {study.folder / 'Erika' / 'scan 1.nrrd'}.", log)
        self.ui.copyButton.click()
        self.check(slicer.app.clipboard().text())
        self.assertIn(PATIENT, self.said())  # who sits at the computer is told which case it is

    def test_names_of_no_study(self):
        self.assertEqual(names_of(None), [])
        self.assertEqual(anonymous("epoch 3 of 12: 1/2 done", ["3", "", " "]), "epoch 3 of 12: 1/2 done")


class SegmentReportTest(Names, PanelTest):
    def test_what_goes_wrong_when_a_case_is_added(self):
        from trainings import make_study

        study = planted(make_study(self.folder / "Erika", labelled=1, unlabelled=0))
        self.panel.training.folder = str(study.folder)
        error = MMGLError("scan.constant", path=study.cases[0].images[0].path, value=3.0)
        self.panel.message.fail(error, log_of(Study.open(study.folder)))
        self.ui.copyButton.click()
        copied = slicer.app.clipboard().text()
        self.check(copied)
        self.assertIn("scan.constant", copied)
