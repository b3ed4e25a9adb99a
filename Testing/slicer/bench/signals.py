"""Connecting as PythonQt does it: by the exact signature in C++, and with as many arguments as the slot takes."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable

from PySide6.QtCore import QMetaObject, QObject

from bench import faults

_links: dict[int, list[tuple[str, Callable, Callable]]] = {}
_original = {}


def keep_originals() -> None:
    """Keep Qt's own ``connect``, which PySide6 itself uses, in ``QTimer.singleShot`` for instance."""
    _original["connect"] = QObject.connect


def trimmed(slot: Callable) -> Callable:
    """Return a slot that is given only as many arguments as it declares."""
    function = slot.__func__ if isinstance(slot, types.MethodType) else slot
    if not isinstance(function, types.FunctionType) or function.__code__.co_flags & inspect.CO_VARARGS:
        return slot
    count = function.__code__.co_argcount - isinstance(slot, types.MethodType)
    return lambda *arguments: slot(*arguments[:count])


def guarded(slot: Callable) -> Callable:
    """Return a slot whose exceptions are kept, and whose time on the GUI thread is watched."""
    call = trimmed(slot)
    name = getattr(slot, "__qualname__", repr(slot))

    def run(*arguments):
        with faults.slot(name):
            return call(*arguments)

    return run


def signal_of(sender: QObject, signature: str):
    """Return the bound signal of a signature such as ``currentNodeChanged(vtkMRMLNode*)``.

    Raises:
        ValueError: there is none with exactly these arguments.
    """
    name, normal = signature.split("(")[0], QMetaObject.normalizedSignature(signature)
    normal = normal if isinstance(normal, str) else bytes(normal).decode()
    own = [known for known in getattr(type(sender), "SIGNALS", ()) if known.startswith(f"{name}(")]
    if normal not in own if own else sender.metaObject().indexOfSignal(normal) < 0:
        raise ValueError(f"QObject::connect: no signal {normal} in {sender.metaObject().className()}")
    signal = object.__getattribute__(sender, name) if name in dir(type(sender)) else getattr(sender, name)
    arguments = normal[normal.index("(") + 1 : -1]
    if arguments and not own:
        try:
            return signal[arguments]
        except (KeyError, IndexError, TypeError):
            return signal
    return signal


def connect(sender: QObject, *arguments) -> bool:
    """Connect ``'signal(arguments)'`` to a callable, or to a slot of an object."""
    if not (arguments and isinstance(arguments[0], str)):
        return _original["connect"](*arguments)
    signature = arguments[0]
    slot = arguments[1] if len(arguments) == 2 else getattr(arguments[1], arguments[2].split("(")[0])
    if not callable(slot):
        raise TypeError(f"{slot!r} cannot be called")
    call = guarded(slot)
    signal_of(sender, signature).connect(call)
    _links.setdefault(id(sender), []).append((signature.split("(")[0], slot, call))
    return True


def disconnect(sender: QObject, signature: str, slot: Callable) -> bool:
    """Undo a connection, and return whether there was one."""
    links = _links.get(id(sender), [])
    for link in links:
        if link[0] == signature.split("(")[0] and link[1] == slot:
            signal_of(sender, signature).disconnect(link[2])
            links.remove(link)
            return True
    return False


def report(kind, error, trace) -> None:
    """Keep what Python tells of an exception that nobody caught, in a timer or an observer."""
    faults.keep(error)
    sys.__excepthook__(kind, error, trace)
