"""Budgets in words, schedules that end in time, and how long is left, with a clock that the test sets."""

import datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmgl.messages import MMGLError
from mmgl.training import budget as budget_module
from mmgl.training import pace as pace_module
from mmgl.training.budget import Budget
from mmgl.training.pace import Pace
from mmgl.training.schedule import Schedule, rate

EVENING = datetime.datetime(2026, 3, 1, 17, 30)


@pytest.mark.parametrize(("words", "minutes"), [("quick", 15), ("standard", 90), ("overnight", 600)])
def test_words_are_minutes(words, minutes):
    assert Budget.of_words(words) == Budget(minutes=minutes)


@pytest.mark.parametrize(
    ("words", "then"), [("07:00", (2, 7, 0)), ("17.30", (2, 17, 30)), ("17:31", (1, 17, 31)), ("0:05", (2, 0, 5))]
)
def test_a_time_of_day_is_the_next_one(words, then):
    until = Budget.of_words(words, EVENING).until
    assert until == datetime.datetime(2026, 3, *then).timestamp()


@pytest.mark.parametrize("words", ["", "tomorrow", "24:00", "7", "7:60", "-1:00", "07:00pm", "QUICK"])
def test_what_is_no_time(words):
    with pytest.raises(MMGLError) as error:
        Budget.of_words(words)
    assert error.value.key == "budget.words"


def test_a_budget_is_remembered():
    for budget in (Budget(steps=5), Budget(minutes=0.5), Budget(until=5e9)):
        assert Budget.from_json(budget.to_json()) == budget


def test_time_left_of_a_budget(monkeypatch):
    monkeypatch.setattr(budget_module.time, "time", lambda: 1000.0)
    assert Budget(minutes=2).seconds_left(spent=30) == 90
    assert Budget(minutes=2).seconds_left(spent=500) == 0
    assert Budget(until=1060).seconds_left(spent=500) == 60
    assert Budget(until=900).seconds_left(spent=0) == 0


@given(steps=st.integers(1, 300), checks=st.integers(1, 12))
def test_checks_are_evenly_spread_and_the_last_is_at_the_end(steps, checks):
    schedule = Schedule(steps, checks)
    due = [step for step in range(1, steps + 1) if schedule.check_due(step)]
    assert due == sorted({-(-steps * k // checks) for k in range(1, checks + 1)})
    assert schedule.checks_left(steps) == 0


@given(steps=st.integers(2, 200), at=st.integers(1, 199), left=st.integers(0, 500))
def test_planned_anew_there_is_no_jump(steps, at, left):
    at = min(at, steps - 1)
    first = Schedule(steps, 4)
    second = first.replanned(at, left)
    assert second.progress(at) == pytest.approx(first.progress(at))
    assert second.steps == at + max(1, left)
    assert second.progress(second.steps) == pytest.approx(1)
    assert Schedule(*second.to_json()) == second


def test_the_learning_rate_rises_and_falls():
    rates = [rate(k / 1000) for k in range(1001)]
    assert rates[0] < 0.05
    assert max(rates) == rates[50] == 1
    assert rates[50:] == sorted(rates[50:], reverse=True)
    assert rates[-1] == pytest.approx(0)
    assert [rate(k / 500, (0.5, 1.0)) for k in range(501)] == pytest.approx(rates[500:])


def stage(name, share, segments=False):
    return SimpleNamespace(name=name, share=share, segments=segments)


class Machine:
    """A training of two stages on a clock of its own: every step and check takes as long as the test says."""

    def __init__(self, monkeypatch, step, check=0.0):
        self.time, self.step, self.check = 0.0, step, check
        monkeypatch.setattr(pace_module, "now", lambda: self.time)
        monkeypatch.setattr(budget_module.time, "time", lambda: self.time)

    def run(self, stage, schedule, pace, on_step):
        pace.begin()
        step = 0
        while step < schedule.steps:
            self.time += self.step(self.time)
            step += 1
            pace.stepped()
            if step % 3 == 0:
                pace.measure(stage.name)
                schedule = on_step(schedule, step)
            if stage.segments and schedule.check_due(step):
                self.time += self.check
                pace.checked(self.check)
        return step


RECORDED = (
    0.45, 0.45, 0.43, 0.41, 0.41, 0.43, 0.44, 0.4, 0.39, 0.42, 0.56, 0.49, 0.46, 0.55, 0.52, 0.54, 0.62, 0.6,
    0.61, 0.59, 0.58, 0.52, 0.57, 0.53, 0.6, 0.56, 0.58, 0.58, 0.55, 0.53, 0.53, 0.5, 0.54, 0.53, 0.48, 0.48,
    0.53, 0.57, 0.56, 0.57,
)  # fmt: skip
"""Seconds of steps of a real training on two cores that much else worked on."""


@pytest.mark.parametrize("after", [0.0, 2.5])
def test_time_left_is_honest_after_the_first_tenth(monkeypatch, after):
    """A later stage is three times as slow, checks take long, all is half as fast as rehearsed, and the end takes time.

    Steps take turns in being fast and slow as they were recorded, each for 5 seconds.
    """
    mean = sum(RECORDED) / len(RECORDED)
    stages = stage("first", 0.4), stage("second", 0.6, segments=True)
    budget = Budget(steps=1000)
    machine = Machine(monkeypatch, None, check=30.0)
    pace = Pace({"first": 0.5, "second": 1.5}, check=25.0, after=after)
    told = []
    for number, steps, seconds in ((0, 400, 1.0), (1, 600, 3.0)):
        machine.step = lambda time, seconds=seconds: seconds * RECORDED[int(time / 5) % len(RECORDED)] / mean

        def on_step(schedule, step, number=number):
            left = pace.seconds_left(stages[number], schedule, step, stages[number + 1 :], budget)
            told.append((machine.time, left))
            return schedule

        machine.run(stages[number], Schedule(steps, 8), pace, on_step)
    whole = machine.time + after * 30
    shown = [(time, left) for time, left in told if whole / 10 < time < 0.98 * whole]
    assert len(shown) > 200
    for time, left in shown:
        assert abs(left - (whole - time)) < 0.2 * (whole - time) + 5 * (time > 0.9 * whole)


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_training_until_a_time_ends_in_time_though_the_pace_changes(monkeypatch, factor):
    only = stage("only", 1.0, segments=True)
    budget = Budget(until=3600.0)
    machine = Machine(monkeypatch, lambda time: 1.0 if time < 900 else factor, check=20.0)
    pace = Pace({"only": 1.0}, check=20.0)
    schedule = pace.schedule(only, budget.seconds_left(0))
    assert schedule.steps == 3600 - 18 * 20  # a tenth of the time for checks

    def on_step(schedule, step):
        return pace.in_time(only, schedule, step, budget.seconds_left(0))

    machine.run(only, schedule, pace, on_step)
    assert 0.9 * 3600 < machine.time < 3600 + 40


def test_few_checks_where_they_would_eat_the_time(monkeypatch):
    Machine(monkeypatch, None)
    pace = Pace({"only": 1.0}, check=60.0)
    assert pace.schedule(stage("only", 1.0, segments=True), 1200.0) == Schedule(1080, 2)
    assert pace.schedule(stage("only", 1.0, segments=True), 1.0) == Schedule(1, 1)


def test_a_training_in_minutes_leaves_time_for_its_end():
    pace = Pace({"only": 1.0}, check=20.0, after=2.5)
    assert pace.ending == 50
    pace.checked(40.0)
    assert pace.ending == 100


def test_a_check_that_follows_this_step_is_still_to_be_made(monkeypatch):
    Machine(monkeypatch, None)
    pace, only, schedule = Pace({"only": 1.0}, check=7.0), stage("only", 1.0, segments=True), Schedule(16, 8)
    lefts = [pace.seconds_left(only, schedule, step, (), Budget(steps=16)) for step in (13, 14, 15, 16)]
    assert lefts == [3 + 2 * 7, 2 + 2 * 7, 1 + 7, 0 + 7]
