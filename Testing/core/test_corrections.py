"""Answers that were wrong are changed: what a name means, in all labels, and how far a case is labelled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study import (
    Case,
    Extent,
    Image,
    Label,
    Study,
    ask_again,
    change_meaning,
    has_answers,
    told_meanings,
)
from mmgl.study.cases import BACKGROUND, NOT_FOR_TRAINING


@pytest.fixture
def study(tmp_path):
    """Three labels in which somebody said what LV is, twice the same, and what is not for training."""
    meant = [
        {"LV": 1, "muscle ": 2},
        {"LV": 1, "Muscle": 2, "junk": NOT_FOR_TRAINING},
        {"LV": 2, "Background": BACKGROUND},
    ]
    cases = [
        Case(f"c {i}", f"p{i}", (Image(Path(f"/s{i}")),), Label(tmp_path / f"{i}.nrrd", meanings, {1: Extent.SLICES}))
        for i, meanings in enumerate(meant)
    ]
    cases.append(Case("bare", "p9", (Image(Path("/s9")),)))
    structures = (Structure(1, "Left ventricle", (1, 2, 3)), Structure(2, "Muscle", (4, 5, 6)))
    return Study(tmp_path, structures, tuple(cases), 3)


def meanings(study):
    return [case.label.meanings for case in study.cases if case.label]


def test_only_what_the_name_does_not_say_itself_is_asked_about(study):
    assert told_meanings(study) == [("LV", 1, 2), ("LV", 2, 1), ("junk", NOT_FOR_TRAINING, 1)]


def test_a_name_is_changed_where_it_was_taken_for_the_same(study):
    change_meaning(study, told_meanings(study)[0], "Muscle")
    assert [found["LV"] for found in meanings(study)] == [2, 2, 2]
    assert [case.label.extents for case in study.cases[:3]] == [{}, {}, {1: Extent.SLICES}]
    change_meaning(study, told_meanings(study)[0], "")
    assert [found["LV"] for found in meanings(study)] == [NOT_FOR_TRAINING] * 3


def test_it_can_be_a_new_structure(study):
    change_meaning(study, told_meanings(study)[-1], " Aorta ")
    assert (study.structures[-1].id, study.structures[-1].name) == (3, "Aorta")
    assert meanings(study)[1]["junk"] == 3


def test_the_old_answer_changes_nothing(study):
    before = replace(study)
    for meaning, answer in zip(told_meanings(study), ("Left ventricle", "Muscle", ""), strict=True):
        change_meaning(study, meaning, answer)
    assert study == before


def test_a_case_is_asked_about_again(study):
    study.answered = ("check.one_patient", "check.gaps c 1 In c 1 much", "check.overlap c 10 In c 10 c 1 overlaps")
    assert [has_answers(study, case) for case in study.cases] == [True, True, True, False]
    ask_again(study, "c 1")
    assert study.answered == ("check.one_patient", "check.overlap c 10 In c 10 c 1 overlaps")
    assert [bool(case.label.extents) for case in study.cases[:3]] == [True, False, True]
    assert meanings(study)[1] == {"LV": 1, "Muscle": 2, "junk": NOT_FOR_TRAINING}
    ask_again(study, "bare")
    with pytest.raises(MMGLError):
        ask_again(study, "typo")
