"""The course of a training through its budget: how many steps each stage has, how long it still takes, when it ends."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmgl.methods.stage import Stage
from mmgl.ranks import agreed
from mmgl.training.budget import Budget
from mmgl.training.pace import CHECKS, Pace
from mmgl.training.patience import PATIENCE, TAIL, Patience
from mmgl.training.schedule import Schedule


class Course:
    """Attributes:
    patience: whether Dice still rises; asked for a budget in time only, as one in steps is kept to the step.
    pace: from ``begin`` on.
    """

    pace: Pace
    _stages: Sequence[Stage]
    _budget: Budget

    def __init__(self, spent: float = 0.0) -> None:
        self.patience = Patience()
        self._schedules: dict[str, Schedule] = {}
        self._spent, self._begun = spent, time.monotonic()

    def begin(self, stages: Sequence[Stage], budget: Budget, pace: Pace) -> None:
        """Begin to count the time."""
        self._stages, self._budget, self.pace = stages, budget, pace
        self._begun = time.monotonic()

    def spent(self) -> float:
        """Return the seconds of work so far, those before an interruption included."""
        return self._spent + time.monotonic() - self._begun

    @property
    def early(self) -> float | None:
        """The seconds after which it ended by itself before its time; None where it did not."""
        return self.spent() if self.patience.early else None

    def planned(self, number: int, step: int) -> Schedule:
        """Return the schedule of a stage as it is, or as it must be to end in time where the budget is in time."""
        stage = self._stages[number]
        schedule, steps = self._schedules.get(stage.name), self._budget.steps_of(stage.share)
        if steps is not None:
            return schedule or Schedule(steps, CHECKS)
        if schedule is None:
            return self.pace.schedule(stage, self._seconds_for(number, 0.0))
        anew = self.pace.in_time(stage, schedule, step, self._seconds_for(number, schedule.progress(step)))
        return schedule if self.patience.ending and anew.steps > schedule.steps else anew

    def agreed(self, number: int, schedule: Schedule) -> Schedule:
        """Return the schedule of the process that leads, whose clock all go by."""
        self._schedules[self._stages[number].name] = schedule = Schedule.from_json(agreed(schedule.to_json()))
        return schedule

    def is_idle(self, number: int, step: int, schedule: Schedule, scores: Sequence[float]) -> bool:
        """Return whether a stage has had its chance, now that the Dice of each structure is known.

        Args:
            scores: NaN for a structure that is in no check case; empty where there are no check cases.
        """
        if self._budget.steps is not None or not scores:
            return False
        spent, left = agreed([self.spent(), self._budget.seconds_left(self.spent())])
        self.patience.see(scores, spent)
        idle = self.patience.idle(scores, spent) >= PATIENCE * (spent + left) and not self.patience.ending
        worth = self._seconds_for(number, schedule.progress(step)) > TAIL * (spent + left)
        return agreed([idle and worth]) == [1]

    def ended(self, number: int, step: int, schedule: Schedule) -> Schedule:
        """Return the schedule that leads the learning rate of a stage to zero soon, with one check at its end."""
        stage, spent = self._stages[number], self.spent()
        seconds = TAIL * (spent + self._budget.seconds_left(spent))
        self.patience.ending = True
        self.patience.early = number == len(self._stages) - 1
        short = self.pace.in_time(stage, replace(schedule, checks=1), step, seconds)
        return self.agreed(number, short)

    def is_over(self, number: int) -> bool:
        """Return whether nothing follows a stage that is done: it brought nothing, and the next is the same again."""
        stage, later = self._stages[number], self._stages[number + 1 :]
        if later and type(later[0]) is type(stage):
            self.patience.early = agreed([self.patience.fruitless]) == [1]
        return self.patience.early

    def share(self, number: int, step: int, schedule: Schedule) -> float:
        """Return how much of the training is done, from 0 to 1."""
        own = self._stages[number].share * (1 - schedule.progress(step))
        later = sum(stage.share for stage in self._stages[number + 1 :])
        return 1 - (own + later) / sum(stage.share for stage in self._stages)

    def seconds_left(self, number: int, step: int, schedule: Schedule) -> float:
        """Return the seconds until the training is done."""
        stage, later = self._stages[number], self._stages[number + 1 :]
        if self._budget.steps is None:
            left = self._budget.seconds_left(self.spent())
            if not self.patience.early:
                return left
            return min(left, self.pace.seconds_left(stage, schedule, step, (), self._budget))
        return self.pace.seconds_left(stage, schedule, step, later, self._budget)

    def _seconds_for(self, number: int, progress: float) -> float:
        """Return what is left of a budget in time for the rest of a stage, by the shares of all that is to come."""
        own = self._stages[number].share * (1 - progress)
        later = sum(stage.share for stage in self._stages[number + 1 :])
        left = max(0.0, self._budget.seconds_left(self.spent()) - self.pace.ending)
        return left * own / max(own + later, 1e-9)

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint remembers of it."""
        schedules = {name: schedule.to_json() for name, schedule in self._schedules.items()}
        return {"schedules": schedules, "spent": self.spent(), "patience": self.patience.to_json()}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Course:
        """Return the course whose ``to_json`` gave this value."""
        course = Course(value["spent"])
        course._schedules = {name: Schedule.from_json(numbers) for name, numbers in value["schedules"].items()}
        course.patience = Patience.from_json(value["patience"])
        return course
