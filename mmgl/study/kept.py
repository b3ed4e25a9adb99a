"""Whether what was read from JSON is what a dataclass says of its attributes, so that nonsense can be made again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints


def fits(values: Any, kind: type) -> bool:
    """Return whether a dictionary has a value of the right kind for every attribute of a dataclass, and no other.

    Args:
        values: of JSON, which knows lists only; an attribute may be a number, a text, a truth value, a ``Mapping`` from
            whole numbers, a ``Sequence`` of one kind, and ``Annotated`` with the lengths that a sequence may have.
        kind: the dataclass.
    """
    expected = get_type_hints(kind, include_extras=True)
    if not isinstance(values, dict) or values.keys() != expected.keys():
        return False
    return all(_is(values[name], wanted) for name, wanted in expected.items())


def _is(value: Any, wanted: Any) -> bool:
    """Return whether a value is of a kind; numbers are finite."""
    if wanted is float:
        return type(value) in (int, float) and math.isfinite(value)
    if get_origin(wanted) is None:
        return type(value) is wanted
    if get_origin(wanted) is Annotated:
        inner, *lengths = get_args(wanted)
        return _is(value, inner) and len(value) in lengths
    *_, inner = get_args(wanted)
    if issubclass(get_origin(wanted), Mapping):
        return isinstance(value, dict) and all(key.isdecimal() and _is(part, inner) for key, part in value.items())
    return isinstance(value, list) and all(_is(part, inner) for part in value)
