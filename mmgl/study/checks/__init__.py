"""Checks before training: what can be wrong with a study, as a list of findings. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from mmgl.finding import Choice, Finding, Severity
from mmgl.study.cases import Case, Use
from mmgl.study.checks.answers import answer
from mmgl.study.checks.labels import check_labels
from mmgl.study.checks.patients import check_patients
from mmgl.study.checks.scans import check_scans
from mmgl.study.statistics import FOLDER, Statistics, statistics

if TYPE_CHECKING:
    from mmgl.study.study import Study

__all__ = ["Choice", "Finding", "Severity", "answer", "check"]

AT_ONCE = 2
"""Scans that are read at the same time: a third one would cost memory and win nothing on two cores."""

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


def check(study: Study, on_progress: Progress | None = None) -> list[Finding]:
    """Return the findings of a study, the gravest first. Cases that are left out are not looked at.

    Each scan and label is read once and what the checks need of it is kept in the study's cache until the file
    changes, so a second check reads no voxels. Nothing raises: what cannot be read is a finding.

    Args:
        study: is not changed.
        on_progress: told after each case.
    """
    cases = [case for case in study.cases if case.use is not Use.LEAVE_OUT]
    known = _statistics(study, cases, on_progress or (lambda done, of: None))
    found = [
        *check_scans(cases, known),
        *check_labels([case for case in cases if case.label], study.structures, known),
        *check_patients(cases, study.answered),
    ]
    if not study.labelled:
        found.append(Finding("study.no_labels", severity=Severity.ERROR))
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def _statistics(study: Study, cases: Sequence[Case], on_progress: Progress) -> dict[str, Statistics]:
    """Return what is known of each case, by its name."""
    known = {}
    with ThreadPoolExecutor(AT_ONCE) as readers:
        work = [readers.submit(statistics, case, study.structures, study.folder / FOLDER) for case in cases]
        for done, (case, result) in enumerate(zip(cases, work, strict=True), start=1):
            known[case.name] = result.result()
            on_progress(done, len(cases))
    return known
