"""Whether the Dice on the check cases still rises, and when a training has had its chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PATIENCE, TAIL = 0.2, 0.05
"""Shares of the time of a training: a stage comes to its end when nothing has risen for the first, and the learning
rate is led to zero over the second, which may make Dice rise once more."""

GAIN = 0.002
"""Dice that is no rise."""

LOOKS = 3
"""Checks in a row without a rise before one is believed: a single one, and often two, are chance."""

FOUND = 0.3
"""Dice below which a structure is not found yet. It may still be, however long nothing has risen."""


class Patience:
    """Follows the checks of a training whose budget is in time.

    Attributes:
        ending: whether the stage was told to come to its end.
        early: whether the training ended before its time.
    """

    def __init__(self) -> None:
        self._best: list[float] = []
        self._rose, self._begun, self._looks = 0.0, 0.0, 0
        self.ending, self.early = False, False

    def begin(self, spent: float) -> None:
        """Give a stage that begins after ``spent`` seconds its own chance."""
        self._begun, self._looks, self.ending = spent, 0, False

    def see(self, scores: Sequence[float], spent: float) -> None:
        """Look at the Dice of each structure after ``spent`` seconds; NaN where it is in no check case."""
        best = self._best or [0.0] * len(scores)
        self._looks += 1
        if any(score > before + GAIN for score, before in zip(scores, best, strict=True)):
            self._rose, self._looks = spent, 0
        self._best = [score if score > before else before for score, before in zip(scores, best, strict=True)]

    def idle(self, scores: Sequence[float], spent: float) -> float:
        """Return the seconds in which the stage has risen by nothing.

        None while too few checks say so, or a structure is not found yet.
        """
        known = [best for best, score in zip(self._best, scores, strict=True) if score == score]
        if self._looks < LOOKS or not known or min(known) < FOUND:
            return 0.0
        return spent - max(self._rose, self._begun)

    @property
    def fruitless(self) -> bool:
        """Whether the stage was given up, and nothing has risen since it began."""
        return self.ending and self._rose <= self._begun

    def to_json(self) -> dict[str, Any]:
        """Return what a checkpoint remembers of it."""
        flags = {"ending": self.ending, "early": self.early}
        return {"best": self._best, "rose": self._rose, "begun": self._begun, "looks": self._looks, **flags}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Patience:
        """Return the one whose ``to_json`` gave this value."""
        patience = Patience()
        patience._best = [float(best) for best in value["best"]]
        patience._rose, patience._begun = float(value["rose"]), float(value["begun"])
        patience._looks = int(value["looks"])
        patience.ending, patience.early = bool(value["ending"]), bool(value["early"])
        return patience
