"""How long a training may take: steps, minutes, or until a time of day; and the words people have for it."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmgl.messages import MMGLError

WORDS = {"quick": 15.0, "standard": 90.0, "overnight": 600.0}
"""Minutes: a coffee, a ward round, a night."""


@dataclass(frozen=True)
class Budget:
    """Exactly one of the three is given.

    Attributes:
        steps: optimiser steps over all stages; the same steps give the same model.
        minutes: working time of the training, checks and verdict included, preparing the scans and interruptions not.
        until: seconds since 1970 when it must be over, whatever comes between.

    Raises:
        MMGLError: ``budget.invalid``.
    """

    steps: int | None = None
    minutes: float | None = None
    until: float | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.steps, self.minutes, self.until) if value is not None]
        if len(given) != 1 or not given[0] > 0:
            raise MMGLError("budget.invalid", budget=given[0] if len(given) == 1 else given)

    @staticmethod
    def of_words(words: str, now: datetime.datetime | None = None) -> Budget:
        """Return the budget that ``quick``, ``standard``, ``overnight`` or a time of day such as ``07:00`` means.

        Args:
            words: a time of day is the next one on this computer's clock.
            now: local time; the present unless given.

        Raises:
            MMGLError: ``budget.words``.
        """
        if words in WORDS:
            return Budget(minutes=WORDS[words])
        found = re.fullmatch(r"([01]?\d|2[0-3])[:.]([0-5]\d)", words)
        if not found:
            raise MMGLError("budget.words", words=words)
        now = now or datetime.datetime.now()
        then = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        if then <= now:
            then += datetime.timedelta(days=1)
        return Budget(until=then.timestamp())  # of local time, so that a change of the clock in between counts

    def to_json(self) -> dict[str, Any]:
        """Return what a run remembers of it."""
        return {"steps": self.steps, "minutes": self.minutes, "until": self.until}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Budget:
        """Return the budget whose ``to_json`` gave this value."""
        return Budget(value["steps"], value["minutes"], value.get("until"))

    def steps_of(self, share: float) -> int | None:
        """Return the steps of a stage with this share of the budget, or None when they must be timed first."""
        return None if self.steps is None else max(1, round(self.steps * share))

    def seconds_left(self, spent: float) -> float:
        """Return the seconds left of a budget in time after ``spent`` seconds of work; none for one in steps."""
        if self.until is not None:
            return max(0.0, self.until - time.time())
        return max(0.0, (self.minutes or 0.0) * 60 - spent)
