"""Filling the sentences of the catalogue: numbers in them choose between singular and plural."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any


class _Sentence(string.Formatter):
    """Fills in as ``str.format`` does, and understands ``{cases:case|cases}``: the first word for 1, else the other."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" not in format_spec:
            return str(super().format_field(value, format_spec))
        one, several = format_spec.split("|")
        return one if str(value) == "1" else several


def fill(sentence: str, parameters: Mapping[str, Any]) -> str:
    """Return a sentence of the catalogue with its parameters in it."""
    return _Sentence().vformat(sentence, (), parameters)
