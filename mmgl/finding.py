"""A finding: something worth saying that is no error, as a key of the catalogue and its parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mmgl.messages import CATALOGUE


@dataclass(frozen=True)
class Finding:
    """One thing to say: a key of the catalogue and its parameters."""

    key: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """The finding in English."""
        return CATALOGUE[self.key].format(**self.parameters)

    def to_json(self) -> dict[str, Any]:
        """Return it as a dictionary that JSON can hold."""
        return {"key": self.key, "parameters": self.parameters}
