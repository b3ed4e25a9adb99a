"""What is said at the end: structure by structure, and against the model before."""

import json

import numpy as np
import pytest
import torch
from phantoms import ball_scan, ball_study, write

from mmgl.messages import CATALOGUE
from mmgl.study import Study, Use
from mmgl.training import verdict as judging
from mmgl.training.budget import Budget
from mmgl.training.comparison import compare
from mmgl.training.train import train
from mmgl.training.verdict import Finding, judge, of_stopped

NAN = float("nan")


class Painted:
    """A prepared case in which some structures are painted."""

    def __init__(self, *numbers):
        self.labelmap_file = "label" if numbers else None
        self.labelmap = np.array([[[0, *numbers]]]) if numbers else None


@pytest.mark.parametrize(
    ("scores", "painted", "key"),
    [
        ([0.9, 0.95, 0.92], 3, "verdict.good"),
        ([0.9, 0.55, NAN], 3, "verdict.fair"),
        ([0.4, 0.4, 0.4], 2, "verdict.poor"),
        ([0.1, 0.0, 0.0], 2, "verdict.missed"),
        ([0.1, 0.0, 0.0], 1, "verdict.one_scan"),
        ([0.9, 0.9, 0.9], 1, "verdict.good"),
        ([NAN, NAN, NAN], 2, "verdict.unchecked"),
        ([], 2, "verdict.unchecked"),
        ([0.0, 0.0, 0.0], 0, "verdict.unlabelled"),
    ],
)
def test_a_structure_in_words(scores, painted, key, tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    rows = [[score, 1.0] for score in scores]
    findings = judge(study.structures, rows, [Painted(1, 2)] * painted + [Painted(2), Painted()])
    assert findings[0].key == key
    assert findings[0].words.startswith("Shell: ")
    assert findings[1].key == ("verdict.good" if rows else "verdict.unchecked")


def test_a_training_that_was_stopped_is_told_to_go_on_before_anything_else(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    judged = judge(study.structures, [[0.4, 0.9]] * 3, [Painted(1, 2)])
    assert judged[0].key == "verdict.one_scan"
    told = of_stopped(judged, 130.0)
    assert [finding.key for finding in told] == ["verdict.stopped", "verdict.early", "verdict.good"]
    assert "after about 2 minutes" in told[0].words
    assert told[1].words == "Shell: not yet (Dice 0.40 on 3 check cases) when training was stopped."
    assert "about 1 minute," in of_stopped([], 3.0)[0].words


def test_few_check_cases_are_told(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    keys = [finding.key for finding in judge(study.structures, [[0.9, 0.9]] * 2, [Painted(1, 2)])]
    assert keys == ["verdict.good", "verdict.good", "verdict.few"]
    keys = [finding.key for finding in judge(study.structures, [[0.9, 0.9]] * 3, [Painted(1, 2)])]
    assert keys == ["verdict.good", "verdict.good"]


def test_what_is_reproduced_is_labelled_most_completely(monkeypatch):
    few, many = Painted(1, 2), Painted(1, 2)
    few.labelmap, few.name = np.array([[[1, 2, -1, -1]]]), "few slices"
    many.labelmap, many.name = np.array([[[1, 2, 0, 0]]]), "all slices"
    monkeypatch.setattr(judging, "find", lambda network, case, plan, device: case)
    monkeypatch.setattr(judging, "dice", lambda found, case, structures: [0.1])
    monkeypatch.setattr(judging, "replace", lambda plan, planes: plan)
    plan = type("Plan", (), {"planes": ("axial",)})
    for cases in ([few, many], [many, few]):
        (finding,) = judging.self_check(None, cases, plan, 2, None)
        assert finding.parameters["case"] == "all slices"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A study with a good and then a hopeless model, and the last events of both."""
    study = ball_study(tmp_path_factory.mktemp("verdict"), unlabelled=0)
    verdicts = {}
    for name, steps in (("good", 50), ("hopeless", 1)):
        events = []
        train(study, method="supervised", budget=Budget(steps=steps), device="cpu", name=name, on_event=events.append)
        verdicts[name] = next(event for event in events if event["event"] == "verdict")
    return study, verdicts


def test_a_worse_model_is_never_recommended(models):
    study, verdicts = models
    assert verdicts["good"]["use"] == verdicts["hopeless"]["use"] == "good"
    against = verdicts["hopeless"]["findings"][-1]
    assert against["key"] == "compare.worse"
    assert against["parameters"]["old"] > against["parameters"]["new"]
    kept = json.loads((study.folder / "runs" / "hopeless" / "verdict.json").read_text(encoding="utf-8"))
    assert (kept["findings"], kept["use"]) == (verdicts["hopeless"]["findings"], "good")
    assert kept["model"] == "hopeless.mmgl"
    assert len(kept["dice"]) == 1
    assert {file.stem for file in (study.folder / "models").glob("*.mmgl")} == {"good", "hopeless"}


@pytest.mark.parametrize(
    ("more", "key"), [(0.6, "compare.more"), (0.1, "compare.worse"), (float("nan"), "compare.worse")]
)
def test_a_model_that_has_learned_a_structure_more_is_not_set_aside(models, more, key):
    study, _ = models
    other = Study.open(study.folder)
    other.add_structure("Vessel")
    against = compare(other, "hopeless", [[0.4, 0.4, more]], torch.device("cpu"))
    assert against.key == key
    assert ("Vessel" in against.words) is (key == "compare.more")


def test_the_verdict_is_made_of_words(models):
    for verdict in models[1].values():
        for finding in verdict["findings"]:
            assert "{" not in Finding(finding["key"], finding["parameters"]).words
            assert finding["key"] in CATALOGUE


def test_who_cannot_do_its_own_scans_is_told(models):
    keys = [finding["key"] for finding in models[1]["hopeless"]["findings"]]
    assert "verdict.self" in keys
    assert "verdict.self" not in [finding["key"] for finding in models[1]["good"]["findings"]]


def test_cases_the_other_model_was_trained_on_are_no_comparison(models, tmp_path):
    study, _ = models
    image, labelmap, grid = ball_scan(9)
    scan, label = (write(tmp_path / f"{kind}.nii.gz", array, grid) for kind, array in (("i", image), ("l", labelmap)))
    study.add_case(scan, label=label, name="new", meanings={"1": "Shell", "2": "Core"})
    study.set_use("case-2", Use.LEAVE_OUT)
    study.set_use("case-0", Use.CHECK)  # both models have seen it
    events = []
    train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="third", on_event=events.append)
    verdict = next(event for event in events if event["event"] == "verdict")
    assert not [finding for finding in verdict["findings"] if finding["key"].startswith("compare.")]
    assert verdict["use"] == "third"
