"""Whoever stops a training does not wait for the rest of a check, and nothing is lost by it."""

from dataclasses import replace

import numpy as np
import pytest
from phantoms import ball_study

from mmgl.data.plan import make_plan
from mmgl.inference.predictor import Predictor
from mmgl.jobs import Job
from mmgl.messages import MMGLError
from mmgl.model import read_model
from mmgl.training import check
from mmgl.training.budget import Budget
from mmgl.training.train import resume, train

CHECKED = 3
"""Check cases."""


def test_a_check_is_not_waited_for_and_made_up_for(tmp_path, monkeypatch):
    small = {"width": 4, "levels": 3, "batch": 4, "planes": ("axial",)}
    monkeypatch.setattr("mmgl.training.preparing.make_plan", lambda *a, **k: replace(make_plan(*a, **k), **small))
    study, found, find = ball_study(tmp_path, checks=CHECKED), [], check.find

    def finding(*arguments):
        found.append(1)
        return find(*arguments)

    monkeypatch.setattr(check, "find", finding)
    arguments = {"method": "supervised", "budget": Budget(steps=16), "device": "cpu"}
    events = []
    whole = train(study, name="whole", on_event=events.append, **arguments)
    for name, of_last in (("second", 2), ("last", 8)):  # which check is stopped when one of its cases is done
        found.clear()
        least = 1 + CHECKED * (of_last - 1) + 1  # one is looked at before the start, to time it

        def stop(least=least):
            return len(found) >= least

        parts = []
        with pytest.raises(MMGLError) as caught:
            train(study, name=name, stop=stop, on_event=parts.append, **arguments)
        assert caught.value.key == "run.stopped"
        assert len(found) == least
        usable = Predictor(caught.value.parameters["model"])
        assert usable.segment(study.read_scan(study.cases[0])).shape == (16, 40, 36)
        assert len([event for event in parts if event["event"] == "check"]) == of_last - 1
        again = []  # and once more, as soon as it goes on
        with pytest.raises(MMGLError) as caught:
            resume(
                study,
                name,
                device="cpu",
                on_event=again.append,
                stop=lambda again=again: any(e["event"] == "stage" for e in again),
            )
        assert not [event for event in again if event["event"] in ("step", "check")]
        gone_on = resume(study, name, device="cpu", on_event=parts.append)
        dice = [[(e["step"], e["dice"]) for e in told if e["event"] == "check"] for told in (events, parts)]
        assert dice[0] == dice[1]
        first, second = read_model(whole)[1], read_model(gone_on)[1]
        assert all(np.array_equal(first[k], second[k]) for k in first)


def test_the_checks_of_a_study_are_told_and_not_waited_for(tmp_path):
    study, events = ball_study(tmp_path, checks=CHECKED), []
    count = len(study.cases)
    with pytest.raises(MMGLError) as caught:
        train(study, budget=Budget(steps=1), device="cpu", name="early", on_event=events.append, stop=lambda: True)
    assert caught.value.key == "run.stopped_before"
    looked = [(event["done"], event["of"]) for event in events if event["event"] == "looking"]
    assert looked == [(1, count)]
    assert not list(study.folder.glob("models/*"))
    assert not list(study.folder.glob("runs/*"))
    events.clear()
    train(study, name="early", method="supervised", budget=Budget(steps=1), device="cpu", on_event=events.append)
    looked = [event["done"] for event in events if event["event"] == "looking"]
    assert looked[:count] == list(range(1, count + 1))


def test_the_checks_of_a_study_hear_a_stop_file_and_say_how_far_they_are(tmp_path):
    study, heard = ball_study(tmp_path, checks=CHECKED), []
    job = Job(study.folder / "runs" / "early")
    job.folder.mkdir(parents=True)  # as for one that the panel or the queue starts

    def look_and_stop(event):
        heard.append((event["event"], job.look().state))
        if event["event"] == "looking":
            job.stop()

    with pytest.raises(MMGLError) as caught:
        train(study, budget=Budget(steps=1), device="cpu", name="early", on_event=look_and_stop)
    assert caught.value.key == "run.stopped_before"
    assert heard == [("looking", "running"), ("stopped", "running")]
    told, look = job.poll()
    assert [(event["event"], event.get("done")) for event in told] == [("looking", 1), ("stopped", None)]
    assert (look.state, look.key, look.status["of"]) == ("stopped", "run.stopped_before", len(study.cases))
    assert not (job.folder / "STOP").exists()
    train(study, name="early", method="supervised", budget=Budget(steps=1), device="cpu")  # its name is free


def test_a_refused_study_says_why_to_whoever_waits_for_it(tmp_path):
    study, job = ball_study(tmp_path), Job(tmp_path / "study" / "runs" / "refused")
    study.set_patient("case-0", "case-4")
    for waits in (False, True):
        if waits:
            job.folder.mkdir(parents=True)
        with pytest.raises(MMGLError):
            train(study, budget=Budget(steps=1), device="cpu", name="refused")
        assert job.folder.exists() is waits
    look = job.look()
    assert (look.state, look.key) == ("failed", "check.failed")
    assert "Patient case-4" in look.words
