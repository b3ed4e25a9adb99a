"""A finding: something worth saying that is no error, with words, what to do, and choices where it is a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import Any

from mmgl.messages import CATALOGUE
from mmgl.wording import fill


class Severity(str, Enum):
    """How much a finding matters, the gravest first."""

    ERROR = "error"  # training refuses
    QUESTION = "question"  # something is assumed until the user says what is right
    WARNING = "warning"  # training goes on; the user should have a look
    NOTE = "note"  # good to know


@dataclass(frozen=True)
class Choice:
    """One answer to a question.

    Attributes:
        value: what ``Study.answer`` takes.
        words: what the user reads.
    """

    value: str
    words: str

    @staticmethod
    def of(value: str) -> Choice:
        """Return the choice whose words are in the catalogue."""
        return Choice(value, CATALOGUE[f"choice.{value}"])


@dataclass(frozen=True)
class Finding:
    """One thing to say.

    Attributes:
        key: of its words in ``CATALOGUE``.
        parameters: what the words need.
        severity: how much it matters.
        case: the name of the case it is about, or an empty string where it is about no case alone.
        choices: the answers, where it is a question; empty where it is none.
        default: the value of the choice that holds until the user answers.
        structures: ids of the structures it is about.
    """

    key: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    severity: Severity = Severity.NOTE
    case: str = ""
    choices: tuple[Choice, ...] = ()
    default: str = ""
    structures: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """What was found, what it means and what to do, in one line of English."""
        return fill(CATALOGUE[self.key], {"case": self.case, **self.parameters})

    def to_json(self) -> dict[str, Any]:
        """Return key and parameters, from which the words can be made again, as JSON can hold them."""
        return {"key": self.key, "parameters": dict(self.parameters)}
