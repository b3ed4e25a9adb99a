"""The pace of this machine: seconds of a step and of a check, rehearsed before the start and measured on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence

from mmgl.methods.stage import Stage
from mmgl.training.budget import Budget
from mmgl.training.schedule import Schedule

MEMORY, REMEMBERED = 20, 0.5
"""The pace is an average of about as many steps back, or of this share of the steps so far where that is more: other
work on a computer comes and goes, and the time left is not to jump with it."""

CHECKS = 8
"""As many checks in a stage."""

EVERY = 0.05
"""Of a budget in time: there is a check at least as often, so that it is seen soon when nothing rises any more; fewer
where the budget would suffer."""

CHECK_SHARE = 0.1
"""Of a stage's time the checks take about this share."""

TOLERANCE = 0.05
"""A stage is planned anew when it would miss its time by more."""


def now() -> float:
    """Return seconds of a clock that nobody sets."""
    return time.monotonic()


class Pace:
    """Args:
    rehearsed: seconds of a step of each stage, by its name.
    check: seconds of a check, or of making the preview where there are no check cases.
    after: what follows the last step takes as long as so many checks.
    """

    def __init__(self, rehearsed: dict[str, float], check: float, after: float = 0.0) -> None:
        self._rehearsed, self._check, self._after = rehearsed, check, after
        self._step = dict(rehearsed)
        self._counted, self._measured = 0, 0
        self._mark = now()

    @property
    def ending(self) -> float:
        """Seconds from the last step to the end, in which the model is written and judged."""
        return self._after * self._check

    def begin(self) -> None:
        """Start to count: a stage begins."""
        self._mark, self._counted, self._measured = now(), 0, 0

    def stepped(self) -> None:
        """Count a step."""
        self._counted += 1

    def measure(self, stage: str) -> None:
        """Take the steps counted since the last time into account.

        A device that works by itself is only waited for now and then, so single steps tell nothing.
        """
        if not self._counted:
            return
        seconds = (now() - self._mark) / self._counted
        self._measured += self._counted
        # the plain mean at first, later what is long ago is forgotten
        memory = max(MEMORY, REMEMBERED * self._measured)
        weight = max(self._counted / self._measured, 1 - (1 - 1 / memory) ** self._counted)
        self._step[stage] += weight * (max(seconds, 1e-6) - self._step[stage])
        self._mark, self._counted = now(), 0

    def checked(self, seconds: float) -> None:
        """Take a check of so many seconds into account, which no step is to pay for."""
        self._check = seconds
        self.paused(seconds)

    def paused(self, seconds: float) -> None:
        """Leave out so many seconds in which something else was done."""
        self._mark += seconds

    def schedule(self, stage: Stage, seconds: float) -> Schedule:
        """Return the schedule of a stage that has so many seconds."""
        checks = max(CHECKS, round(stage.share / EVERY))
        if stage.segments and self._check:
            checks = max(1, min(checks, int(CHECK_SHARE * seconds / self._check)))
        left = seconds - (checks * self._check if stage.segments else 0.0)
        return Schedule(max(1, int(left / self._step[stage.name])), checks)

    def in_time(self, stage: Stage, schedule: Schedule, step: int, seconds: float) -> Schedule:
        """Return the schedule, planned anew where it would miss the ``seconds`` that the stage has left."""
        if step >= schedule.steps:
            return schedule
        checks = schedule.checks_left(step) * self._check if stage.segments else 0.0
        left, possible = schedule.steps - step, int(max(0.0, seconds - checks) / self._step[stage.name])
        if abs(possible - left) <= max(1.0, TOLERANCE * left):
            return schedule
        return schedule.replanned(step, possible)

    def seconds_left(
        self, stage: Stage, schedule: Schedule, step: int, later: Sequence[Stage], budget: Budget
    ) -> float:
        """Return the seconds until a training in steps is done: the rest of this stage, all later ones, and the end.

        A later stage is slower or faster than rehearsed as this one is. A check that comes after this very step is
        still to be made.
        """
        seconds = self._step[stage.name] * (schedule.steps - step) + self.ending
        if stage.segments:
            seconds += schedule.checks_left(step - 1) * self._check
        ratio = self._step[stage.name] / max(self._rehearsed[stage.name], 1e-9)
        for other in later:
            seconds += (budget.steps_of(other.share) or 0) * self._rehearsed[other.name] * ratio
            seconds += CHECKS * self._check if other.segments else 0.0
        return seconds
