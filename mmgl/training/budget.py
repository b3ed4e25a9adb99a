"""How long a training may take: a number of steps, or minutes turned into steps by timing this machine."""

from __future__ import annotations

from dataclasses import dataclass

from mmgl.messages import MMGLError


@dataclass(frozen=True)
class Budget:
    """Exactly one of the two is given.

    Attributes:
        steps: optimiser steps over all stages; the same steps give the same model.
        minutes: wall time of the training, checks included, preparing the scans not.

    Raises:
        MMGLError: ``budget.invalid``.
    """

    steps: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.steps, self.minutes) if value is not None]
        if len(given) != 1 or not given[0] > 0:
            raise MMGLError("budget.invalid", budget=given[0] if len(given) == 1 else given)

    def steps_of(self, share: float) -> int | None:
        """Return the steps of a stage with this share of the budget, or None when they must be timed first."""
        return None if self.steps is None else max(1, round(self.steps * share))

    def seconds_of(self, share: float) -> float:
        """Return the seconds of a stage with this share of a budget in minutes."""
        return (self.minutes or 0.0) * 60 * share

    def seconds_for(self, share: float, pace: float) -> float:
        """Return the seconds a later stage will take, at ``pace`` seconds a step where the budget is in steps."""
        steps = self.steps_of(share)
        return self.seconds_of(share) if steps is None else steps * pace
