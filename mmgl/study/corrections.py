"""Changing an answer that was given before: what the segments of a name are, and how far a case is labelled."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from mmgl.study.cases import BACKGROUND, Case
from mmgl.study.identity import fold, named
from mmgl.study.meanings import SAID

if TYPE_CHECKING:
    from mmgl.study.study import Study


class Meaning(NamedTuple):
    """What somebody said of the segments of a name.

    Attributes:
        name: as in the meanings of the labels.
        number: id of the structure, or one of those in ``meanings.SAID``.
        labels: in so many.
    """

    name: str
    number: int
    labels: int


def told_meanings(study: Study) -> list[Meaning]:
    """Return what the names in the labels of a study mean, where the name alone does not say so."""
    own = {(structure.id, fold(structure.name)) for structure in study.structures} | {(BACKGROUND, "background")}
    labels = [case.label for case in study.cases if case.label]
    count = Counter(said for label in labels for said in label.meanings.items())
    return sorted(Meaning(*said, labels) for said, labels in count.items() if (said[1], fold(said[0])) not in own)


def change_meaning(study: Study, before: Meaning, answer: str) -> None:
    """Say anew what the segments of a name are, in all labels in which they were taken for the same.

    Args:
        study: is changed in memory.
        before: of ``told_meanings``.
        answer: as for ``Study.add_case``: the name of a structure, a new one included, or one of ``meanings.SAID``.
    """
    answer = answer.strip()
    found = named(answer, study.structures)
    if found:
        number = found[0].id
    elif answer.lower() in SAID:
        number = SAID[answer.lower()]
    else:
        number = study.add_structure(answer).id
    study.cases = tuple(_changed(case, before, number) for case in study.cases)


def _changed(case: Case, before: Meaning, number: int) -> Case:
    """Return a case whose label takes the name for another structure; how far both are labelled is open again."""
    label = case.label
    if label is None or label.meanings.get(before.name) != before.number or number == before.number:
        return case
    meanings = {**label.meanings, before.name: number}
    extents = {key: extent for key, extent in label.extents.items() if key not in (before.number, number)}
    return replace(case, label=replace(label, meanings=meanings, extents=extents))


def has_answers(study: Study, case: Case) -> bool:
    """Return whether ``ask_again`` has anything to forget.

    Args:
        study: is not changed.
        case: of the study.
    """
    return bool(case.label and case.label.extents) or any(_is_about(key, case.name) for key in study.answered)


def ask_again(study: Study, name: str) -> None:
    """Forget what was said of how far a case is labelled, and which of its findings were left be.

    Args:
        study: is changed in memory.
        name: of the case.

    Raises:
        MMGLError: ``study.unknown_case``.
    """
    known = study.case(name)
    label = replace(known.label, extents={}) if known.label else None
    study.cases = tuple(replace(case, label=label) if case is known else case for case in study.cases)
    study.answered = tuple(key for key in study.answered if not _is_about(key, name))


def _is_about(key: str, name: str) -> bool:
    """Return whether a finding that was left be is about a case: its key, the name and its words follow one another."""
    return key.partition(" ")[2].startswith(f"{name} ")
