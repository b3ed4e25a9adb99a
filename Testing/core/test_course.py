"""The course of a training on a clock that the test sets: how long it still takes, and that one that learns nothing any
more ends by itself and says so."""

import json

import numpy as np
import pytest
from made_up import STEP, make_up
from phantoms import ball_study
from test_schedule import RECORDED

from mmgl.messages import MMGLError
from mmgl.methods import USUAL
from mmgl.model import read_model
from mmgl.training.budget import Budget
from mmgl.training.patience import GAIN, LOOKS, PATIENCE, TAIL, Patience
from mmgl.training.train import resume, train

MINUTES = 10
REHEARSED = 2 * (3 + 2 * 3 * 2) * STEP  # three steps of each stage, all of them twice as slow


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return ball_study(tmp_path_factory.mktemp("patience"))


@pytest.fixture
def world(monkeypatch):
    return make_up(monkeypatch)


def trained(world, study, name, budget=None, **options):
    """Return the events of a training, how much of its time it took, and its model."""
    events, begun = [], []

    def heard(event):
        events.append(event)
        if event["event"] == "stage" and not begun:
            begun.append(world.time)

    world.share = lambda: (world.time - begun[0]) / (60 * MINUTES) if begun else 0.0
    budget = budget or Budget(minutes=MINUTES)
    model = train(study, budget=budget, device="cpu", name=name, on_event=heard, **options)
    return events, world.share(), model


def test_one_learning_rate_falls_through_all_stages_of_the_usual_method(world, study):
    trained(world, study, "curve", Budget(steps=80), method="mmgl+")
    rates = world.learning[-80:]  # the others were rehearsal
    highest = rates.index(max(rates))
    assert highest == 4
    assert rates[highest:] == sorted(rates[highest:], reverse=True)
    assert rates[39] / 2e-3 == pytest.approx(0.56, abs=0.01)
    assert rates[-1] < 1e-5


def time_left(world, study, budget, name):
    """Return the time left that was told last in each tenth of a training, as a share of the true one."""
    world.check, world.dice = 3.0, lambda share: [share, 0.5]
    told = []

    def heard(event):
        told.append((world.time, event))

    world.share = lambda: world.time / (60 * MINUTES)
    train(study, method="mmgl+", budget=budget, device="cpu", name=name, on_event=heard)
    begun = next(time for time, event in told if event["event"] == "stage")
    whole = told[-1][0] - begun
    shown = {}
    for time, event in told:
        if event["event"] == "step":
            shown[int(10 * (time - begun) / whole)] = event["seconds_left"] / (whole - (time - begun))
    return shown


def test_time_left_forgets_a_rehearsal_that_was_slow(world, study, monkeypatch):
    """Two of its three stages take longer for a step, and all were rehearsed while the computer did something else."""
    monkeypatch.setattr("made_up.SLOWER", 2.0)
    world.pace = lambda: 2.0 if world.time < REHEARSED else 1.0
    shown = time_left(world, study, Budget(steps=150), "steady")
    assert set(range(1, 9)) <= set(shown)
    assert all(0.9 < shown[tenth] < 1.1 for tenth in range(1, 9)), shown


@pytest.mark.parametrize("budget", [Budget(steps=600), Budget(minutes=4 * MINUTES)], ids=["steps", "minutes"])
def test_time_left_of_the_usual_method_is_honest_after_the_first_tenth(world, study, budget):
    """Two of its three stages take longer for a step, on a computer that is faster and slower by turns.

    What is left in the last fifth hangs on what else the computer does in those minutes.
    """
    world.pace = lambda: RECORDED[int(world.time / 20) % len(RECORDED)] / (sum(RECORDED) / len(RECORDED))
    shown = time_left(world, study, budget, f"left-{budget.steps}")
    assert set(range(1, 8)) <= set(shown)
    assert all(0.8 < shown[tenth] < 1.2 for tenth in range(1, 8)), shown


@pytest.mark.parametrize(("method", "waits"), [(USUAL, 0.0), ("supervised", 0.0), ("simclr", 0.4)])
def test_the_first_picture_comes_within_five_minutes_of_learning_to_segment(world, study, method, waits):
    pictures, begun = [], []

    def heard(event):
        if event["event"] == "stage":
            begun.append(world.time)
        if event["event"] == "preview":
            pictures.append(world.time)

    world.step, hours = 20.0, 4
    name = f"picture-{method.strip('+')}"
    with pytest.raises(MMGLError, match="stopped"):
        train(
            study, method=method, budget=Budget(minutes=60 * hours), device="cpu", name=name, on_event=heard,
            stop=lambda: bool(pictures),
        )  # fmt: skip
    assert pictures[0] - begun[-1] <= 300
    assert begun[-1] - begun[0] == pytest.approx(waits * hours * 3600, rel=0.05)


def stages(events):
    return [event["stage"] for event in events if event["event"] == "stage"]


def idle(events):
    return [event["stage"] for event in events if event["event"] == "idle"]


def findings(study, name):
    verdict = json.loads((study.folder / "runs" / name / "verdict.json").read_text(encoding="utf-8"))
    return {finding["key"]: finding["parameters"] for finding in verdict["findings"]}


def test_it_ends_by_itself_and_says_so(world, study):
    world.dice = lambda share: [min(0.9, 4 * share), 0.8]  # rises until less than a quarter of the time is over
    events, share, _ = trained(world, study, "flat", method="supervised")
    assert idle(events) == ["segmentation"]
    assert 0.25 + PATIENCE < share < 0.25 + PATIENCE + 1 / 8 + TAIL + 0.02
    assert findings(study, "flat")["verdict.idle"] == {"minutes": round(share * MINUTES)}
    assert world.rates[-1] < 0.05  # the learning rate was led to zero all the same
    after = [e for e in events[events.index(next(e for e in events if e["event"] == "idle")) :] if e["event"] == "step"]
    assert after
    assert all(event["seconds_left"] <= TAIL * 60 * MINUTES + 1 for event in after)


@pytest.mark.parametrize(
    ("name", "dice"),
    [
        ("rising", lambda share: [0.5 + 0.4 * share, 0.8]),
        ("late", lambda share: [0.8, 0.0 if share < 0.8 else 0.5]),  # what is not found yet may still come
        ("unknown", lambda share: [float("nan"), float("nan")]),
    ],
)
def test_it_takes_its_time_while_something_rises_or_is_still_to_come(world, study, name, dice):
    world.dice = dice
    events, share, _ = trained(world, study, name, method="supervised")
    assert not idle(events)
    assert share > 0.95
    assert "verdict.idle" not in findings(study, name)


def test_steps_that_were_asked_for_are_made(world, study):
    events, _, _ = trained(world, study, "steps", Budget(steps=40), method="supervised")
    assert [event["step"] for event in events if event["event"] == "step"][-1] == 40
    assert not idle(events)


def test_each_round_of_the_usual_method_has_its_chance_but_none_is_made_once_more_for_nothing(world, study):
    events, share, _ = trained(world, study, "twice", method="mmgl+")
    assert stages(events) == idle(events) == ["segmentation", "semi-supervised"]
    assert 0.5 < share < 0.75
    assert findings(study, "twice")["verdict.idle"]["minutes"] == round(share * MINUTES)
    world.dice = lambda share: [0.8 + 0.1 * (share > 0.4), 0.8]
    events, share, _ = trained(world, study, "thrice", method="mmgl+")
    assert stages(events) == ["segmentation", "semi-supervised", "semi-supervised-again"]
    assert idle(events)[0] == "segmentation"


def test_going_on_at_the_end_of_a_training_that_ends_by_itself(world, study):
    _, share, whole = trained(world, study, "whole", method="mmgl+", seed=3)
    world.rates.clear()

    def stop():  # in the midst of the time in which the learning rate is led to zero
        return len(world.rates) > 20 and world.rates[-1] < 0.8 * world.rates[-2]

    with pytest.raises(MMGLError) as caught:
        train(study, method="mmgl+", budget=Budget(minutes=MINUTES), device="cpu", name="halved", seed=3, stop=stop)
    assert caught.value.key == "run.stopped"
    events = []
    gone_on = resume(study, "halved", device="cpu", on_event=events.append)
    assert stages(events) == ["segmentation", "semi-supervised"]
    assert idle(events) == ["semi-supervised"]
    first, second = read_model(whole)[1], read_model(gone_on)[1]
    assert all(np.array_equal(first[k], second[k]) for k in first)
    assert abs(findings(study, "halved")["verdict.idle"]["minutes"] - share * MINUTES) < 1


def test_nothing_is_concluded_from_few_checks(world, study):
    world.check = 15.0  # so in a tenth of the time there are three, the last at the end
    events, share, _ = trained(world, study, "few", method="supervised")
    assert sum(event["event"] == "check" for event in events) == LOOKS
    assert not idle(events)
    assert share > 0.9


def test_what_is_no_rise():
    patience = Patience()
    patience.begin(0.0)
    looks = ((10.0, [0.5, 0.6]), (20.0, [0.5 + GAIN / 2, 0.5]), (25.0, [0.5, 0.5]), (30.0, [0.4, float("nan")]))
    idle = []
    for spent, scores in looks:
        patience.see(scores, spent)
        idle.append(patience.idle(scores, spent))
    assert idle == [0.0, 0.0, 0.0, 20.0]  # two in a row may be chance
    again = Patience.from_json(json.loads(json.dumps(patience.to_json())))
    assert again.to_json() == patience.to_json()
    again.see([0.4, 0.7], 40.0)
    assert again.idle([0.4, 0.7], 45.0) == 0.0
    again.begin(50.0)
    for spent in (51.0, 52.0, 53.0):
        again.see([0.4, 0.7], spent)
    assert again.idle([0.4, 0.7], 55.0) == 5.0  # a stage has a chance of its own
    assert not again.fruitless
