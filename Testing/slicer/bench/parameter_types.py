"""The part of ``slicer.parameterNodeWrapper`` that says what a parameter may be, in ``Annotated`` types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Choice", "Default", "Minimum", "WithinRange"]


@dataclass(frozen=True)
class Default:
    """The value of a parameter that was never set."""

    value: Any


@dataclass(frozen=True)
class Choice:
    """The values that a parameter may have."""

    choices: list

    def check(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


@dataclass(frozen=True)
class Minimum:
    """The smallest value."""

    minimum: float

    def check(self, value) -> None:
        if value < self.minimum:
            raise ValueError(f"{value} is below {self.minimum}")


@dataclass(frozen=True)
class WithinRange:
    """The smallest and the largest value."""

    minimum: float
    maximum: float

    def check(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is outside {self.minimum} to {self.maximum}")
