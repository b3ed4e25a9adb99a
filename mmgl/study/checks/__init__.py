"""Checks before training: what can be wrong with a study, as a list of findings. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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

__all__ = ["Choice", "Finding", "Severity", "answer", "check", "known_of"]

AT_ONCE = 2
"""Scans that are read at the same time: a third one would cost memory and win nothing on two cores."""

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


def check(
    study: Study, on_progress: Progress | None = None, known: Mapping[str, Statistics] | None = None
) -> list[Finding]:
    """Return the findings of a study, the gravest first. Cases that are left out are not looked at.

    Each scan and label is read once and what the checks need of it is kept in the study's cache until the file
    changes, so a second check reads no voxels. Nothing raises: what cannot be read is a finding.

    Args:
        study: is not changed.
        on_progress: told after each case.
        known: what ``known_of`` has returned for this study, where that was asked for already.
    """
    cases = _looked_at(study)
    known = known_of(study, on_progress) if known is None else known
    found = [
        *check_scans(cases, known),
        *check_labels([case for case in cases if case.label], study.structures, known),
        *check_patients(cases, study.answered),
    ]
    if not study.labelled:
        found.append(Finding("study.no_labels", severity=Severity.ERROR))
    order = list(Severity)
    return sorted(found, key=lambda finding: order.index(finding.severity))


def known_of(study: Study, on_progress: Progress | None = None) -> dict[str, Statistics]:
    """Return what is known of each case that is not left out, by its name. Nothing raises.

    Args:
        study: is not changed.
        on_progress: told after each case.
    """
    known, cases = {}, _looked_at(study)
    with ThreadPoolExecutor(AT_ONCE) as readers:
        work = [readers.submit(statistics, case, study.structures, study.folder / FOLDER) for case in cases]
        try:
            for done, (case, result) in enumerate(zip(cases, work, strict=True), start=1):
                known[case.name] = result.result()
                if on_progress is not None:
                    on_progress(done, len(cases))
        finally:  # who is told may raise, and does not wait for the others then
            readers.shutdown(wait=False, cancel_futures=True)
    return known


def _looked_at(study: Study) -> list[Case]:
    return [case for case in study.cases if case.use is not Use.LEAVE_OUT]
