"""Checks of who the cases are of: nobody on both sides of the split, and somebody held out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Sequence

from mmgl.finding import Choice, Finding, Severity
from mmgl.imaging.image_files import READERS, suffix_of
from mmgl.study.cases import Case, Use
from mmgl.study.splits import FEWEST_PATIENTS

FEWEST_SCANS = 3
"""DICOM scans of one patient from which on it is asked whether they really are."""


def check_patients(cases: Sequence[Case], answered: Container[str]) -> Iterator[Finding]:
    """Yield what is wrong with the patients of ``cases`` and with the split, but for what is ``answered``."""
    of: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        of[case.patient].append(case)
    for patient, several in of.items():
        train, check = ([c.name for c in several if c.use is use] for use in (Use.TRAIN, Use.CHECK))
        if train and check:
            parameters = {"patient": patient, "train": _few(train), "check": _few(check)}
            yield Finding("check.straddles", parameters, severity=Severity.ERROR)
    if "check.one_patient" not in answered:
        yield from _anonymised(cases)
    labelled = {case.patient for case in cases if case.label and case.use is Use.TRAIN}
    if labelled and not any(case.label and case.use is Use.CHECK for case in cases):
        missing = FEWEST_PATIENTS - len(labelled)
        if missing > 0:
            yield Finding("check.few_patients", {"count": len(labelled), "missing": missing}, severity=Severity.NOTE)
        else:
            yield Finding("check.none_held_out", severity=Severity.NOTE)


def _anonymised(cases: Sequence[Case]) -> Iterator[Finding]:
    """Yield the question whether DICOM scans that all carry one patient's identifier are of one patient."""
    dicom = [case for case in cases if is_dicom(case)]
    if len(dicom) >= FEWEST_SCANS and len({case.patient for case in dicom}) == 1:
        choices = (Choice.of("one"), Choice.of("different"))
        yield Finding(
            "check.one_patient", {"count": len(dicom)}, severity=Severity.QUESTION, choices=choices, default="one"
        )


def is_dicom(case: Case) -> bool:
    """Return whether the scan of a case comes from DICOM files, which say themselves who they are of."""
    path = case.images[0].path
    return bool(case.images[0].series) or path.is_dir() or READERS.get(suffix_of(path)) == "GDCMImageIO"


def _few(names: Sequence[str]) -> str:
    """Return names in words, at most three of them."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
