"""Labels that cannot be learned: each planted fault is told in words of its own, and no number stands alone."""

import re

from phantoms import ball_scan, ball_study, write
from test_checks import add, two_balls

from mmgl.finding import Finding
from mmgl.study import Study
from mmgl.training.budget import Budget
from mmgl.training.train import train


def told(study, **options):
    """Train for a step, and return the words of what was found before and of the verdict, by their keys."""
    events = []
    train(study, method="supervised", budget=Budget(steps=1), device="cpu", on_event=events.append, **options)
    said = {event["key"]: event["words"] for event in events if event["event"] == "finding"}
    verdict = next(event for event in events if event["event"] == "verdict")
    judged = [Finding(finding["key"], finding["parameters"]) for finding in verdict["findings"]]
    return said, {finding.key: finding.words for finding in judged}


def test_one_labelled_case_and_a_structure_that_is_never_painted(tmp_path):
    study = ball_study(tmp_path, labelled=1)
    study.add_structure("Never painted")
    before, after = told(study)
    assert "Never painted is painted in no label" in before["check.never"]
    assert "Never painted" in after["verdict.unlabelled"]
    assert "in one scan only" in after["verdict.one_scan"]
    assert "too few to trust" in after["verdict.few"]
    for words in [*before.values(), *after.values()]:
        dice = re.findall(r"Dice [\d.]+(.*)", words)
        assert all("check case" in rest or "was trained on" in words for rest in dice), words
        assert "%" not in words


def test_labels_swapped_in_half_of_the_cases_and_a_scan_of_another_kind(tmp_path):
    study = Study.create(tmp_path / "study")
    for number in range(6):
        swapped = number % 2 == 1
        add(study, f"c{number}", lambda *both, swapped=swapped: two_balls(*both, swapped), seed=number)
    image, _, grid = ball_scan(20)
    study.add_case(write(tmp_path / "other kind.nii.gz", 40 * image - 1000, grid))
    before, after = told(study)
    assert "swapped" in before["check.swapped_some"]
    assert "other kind" in before["check.intensity"]
    assert "Dice" not in " ".join(before.values())
    assert set(after) == {"verdict.unchecked", "verdict.self"}
