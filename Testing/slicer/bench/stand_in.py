"""How a stand-in for a widget of CTK or Slicer is written: its properties and signals by their names in C++."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import Property, Signal

registry: dict[str, type] = {}
"""All stand-ins by name."""


@dataclass(frozen=True)
class Of:
    """A property of a stand-in.

    Attributes:
        kind: its type in Python, or the name of its type in C++.
        default: its first value.
        emits: the signal that tells of a new value.
    """

    kind: Any
    default: Any
    emits: str = ""


def flag(default: bool) -> Of:
    """Return a property that is true or false."""
    return Of(bool, default)


def stand_in(base: type, **members):
    """Return a decorator that builds a class which looks as if it came from C++.

    A method ``_on_NAME`` is called with each new value of the property ``NAME``. ``SIGNALS`` lists the signatures of
    signals whose argument types only Slicer knows.
    """

    def build(body: type) -> type:
        space = {k: v for k, v in vars(body).items() if k not in ("__dict__", "__weakref__")}
        space["_cpp"] = True
        space["_accessors"] = accessors = {}
        for name, member in members.items():
            if isinstance(member, Of):
                get, put = _accessors(name, member)
                space[name] = Property(member.kind, get, put)
                accessors[name] = get, put
                space.setdefault(f"set{name[0].upper()}{name[1:]}", put)
            else:
                space[name] = member
        cls = type(body.__name__, (base,), space)
        cls.__module__ = "ctk" if body.__name__.startswith("ctk") else "slicer"
        registry[body.__name__] = cls
        return cls

    return build


def _accessors(name: str, of: Of):
    """Return what reads and what writes a property."""
    key = f"_value_{name}"

    def get(self):
        value = self.__dict__.get(key, of.default)
        return tuple(value) if isinstance(value, list) else value  # PythonQt gives a QStringList as a tuple

    def put(self, value) -> None:
        if (
            isinstance(of.kind, type)
            and not isinstance(value, of.kind)
            and not (of.kind is float and type(value) is int)
        ):
            raise TypeError(f"{name} takes {of.kind.__name__}, not {value!r}")
        before = self.__dict__.get(key, of.default)
        self.__dict__[key] = value
        hook = getattr(self, f"_on_{name}", None)
        if hook is not None:
            hook(value)
        if of.emits and before != value:
            getattr(self, of.emits).emit(value)

    return get, put


def module(prefix: str) -> types.ModuleType:
    """Return a module with all stand-ins whose names begin with ``prefix``."""
    made = types.ModuleType(prefix)
    vars(made).update({name: cls for name, cls in registry.items() if name.startswith(prefix)})
    return made


__all__ = ["Of", "Signal", "flag", "module", "registry", "stand_in"]
