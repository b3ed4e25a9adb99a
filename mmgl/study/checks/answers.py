"""What becomes of the answer to a finding that is a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mmgl.finding import Finding
from mmgl.messages import MMGLError
from mmgl.study.cases import Use
from mmgl.study.checks.patients import is_dicom

if TYPE_CHECKING:
    from mmgl.study.study import Study


def answer(study: Study, finding: Finding, choice: str) -> None:
    """Write the answer to a question into the study, so that it is not asked again (``Study.save`` keeps it).

    Args:
        study: is changed in memory.
        finding: of its check; one with choices.
        choice: the value of one of its choices.

    Raises:
        MMGLError: ``check.no_choice``.
    """
    values = [offered.value for offered in finding.choices]
    if choice not in values:
        raise MMGLError("check.no_choice", choice=choice, choices=", ".join(values) or "none")
    if finding.key == "check.one_patient":
        study.answered = (*study.answered, finding.key)
        cases = [case for case in study.cases if case.use is not Use.LEAVE_OUT and is_dicom(case)]
        for case in cases if choice == "different" else ():
            study.set_patient(case.name, case.name)
        return
    names = {structure.id: structure.name for structure in study.structures}
    for number in finding.structures:
        study.set_extent(finding.case, names[number], choice)
