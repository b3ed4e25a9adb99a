"""The steps of a stage: how many, how far each is, when to check; and how they change when the pace does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

WARM_UP = 0.05
"""Share of the curve over which the learning rate rises; then it falls as a cosine to zero."""


@dataclass(frozen=True)
class Schedule:
    """Attributes:
    steps: of the stage.
    checks: as many, evenly spread, the last at its end.
    from_step, from_progress: where it was planned anew; from there progress goes evenly to the end.
    """

    steps: int
    checks: int
    from_step: int = 0
    from_progress: float = 0.0

    def progress(self, step: int) -> float:
        """Return how far the stage is after ``step`` steps, from 0 to 1."""
        share = (step - self.from_step) / max(1, self.steps - self.from_step)
        return self.from_progress + (1 - self.from_progress) * share

    def check_due(self, step: int) -> bool:
        """Return whether a check comes after the step number ``step``, counted from 1."""
        before, after = (math.floor(self.progress(s) * self.checks + 1e-9) for s in (step - 1, step))
        return step >= self.steps or after > before

    def checks_left(self, step: int) -> int:
        """Return the checks still to come after ``step`` steps."""
        return self.checks - math.floor(self.progress(step) * self.checks + 1e-9)

    def replanned(self, step: int, left: int) -> Schedule:
        """Return the schedule that ends ``left`` steps after ``step``, without a jump in progress."""
        return Schedule(step + max(1, left), self.checks, step, self.progress(step))

    def to_json(self) -> list[float]:
        """Return it as numbers."""
        return list(astuple(self))

    @staticmethod
    def from_json(numbers: Sequence[float]) -> Schedule:
        """Return the schedule that ``to_json`` gave."""
        steps, checks, from_step, from_progress = numbers
        return Schedule(int(steps), int(checks), int(from_step), from_progress)


def rate(progress: float, part: tuple[float, float] = (0.0, 1.0)) -> float:
    """Return the factor of the learning rate: a linear rise, then half a cosine down to zero.

    Args:
        progress: of the stage, 0 to 1.
        part: of this curve that the stage goes through.
    """
    place = part[0] + (part[1] - part[0]) * progress
    if place < WARM_UP:
        return (place + 0.002) / (WARM_UP + 0.002)
    return 0.5 * (1 + math.cos(math.pi * (place - WARM_UP) / (1 - WARM_UP)))
