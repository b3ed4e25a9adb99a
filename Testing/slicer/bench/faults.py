"""What goes wrong where nobody can catch it: in slots and observers, and on the GUI thread.

The application prints an exception of a slot to its console and goes on. Here it is kept, and the test fails.
"""

from __future__ import annotations

import gc
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager

MOMENT = 0.03
"""Seconds for which a slot may wait for a thread, which goes on only so in the application."""

LIMIT = 0.1
"""Seconds of processor time that one slot may take, as it freezes the whole application meanwhile."""

MARGIN = 5
"""So much slower a slot may look where other programs or a virtual machine disturb the measurement."""

kept: list[BaseException] = []
"""Faults since the test began."""

_depth = 0
_quits = False
_slow: set[str] = set()


def keep(error: BaseException) -> None:
    """Keep a fault for the end of the test."""
    kept.append(error)


def quit_() -> None:
    """From now on waiting is no fault, as the application is about to end: who has to wait does it then."""
    global _quits
    _quits = True


def raise_first() -> None:
    """Raise the first fault kept, with its own traceback as text, and forget all."""
    global _quits
    _quits = False
    if kept:
        first = kept[0]
        count = len(kept)
        kept.clear()
        text = "".join(traceback.format_exception(type(first), first, first.__traceback__))
        raise AssertionError(f"{count} fault(s) in slots or on the GUI thread, the first:\n{text}")


class BlockedError(AssertionError):
    """The GUI thread waited, or worked for too long."""


@contextmanager
def slot(name: str):
    """Run a slot: processor time is counted, not the time of day, so that a busy computer changes nothing.

    A slot that is slow is so each time. The first time may be that of a virtual machine that stood still meanwhile.
    """
    global _depth
    _depth += 1
    gc.disable()  # how long a collection takes depends on all the tests before
    begun = time.thread_time()
    try:
        yield
    except Exception as error:
        keep(error)
    finally:
        _depth -= 1
        taken = time.thread_time() - begun
        if _depth == 0:
            gc.enable()
        if _depth == 0 and taken > LIMIT and taken > MARGIN * LIMIT * slowness():
            if name in _slow:
                keep(BlockedError(f"{name} kept the GUI thread busy for {1000 * taken:.0f} ms, and has before"))
            _slow.add(name)


def slowness() -> float:
    """Return how much slower this computer is now than one that does a fixed piece of Python in 10 ms; at least 1."""
    begun = time.thread_time()
    sum(i * i for i in range(150_000))
    return max(1.0, (time.thread_time() - begun) / 0.01)


def in_slot() -> bool:
    """Return whether a slot is running on this, the GUI thread."""
    return _depth > 0 and not _quits and threading.current_thread() is threading.main_thread()


def _waits(name: str, original: Callable) -> Callable:
    """Return a call that may wait, which is a fault inside a slot."""

    def call(*arguments, **named):
        if in_slot() and not _is_immediate(name, arguments, named):
            keep(
                BlockedError(
                    f"{name} was called on the GUI thread, and waits\n{''.join(traceback.format_stack()[-4:])}"
                )
            )
        return original(*arguments, **named)

    call.__wrapped__ = original
    return call


def _is_immediate(name: str, arguments: tuple, named: dict) -> bool:
    """Return whether a call that can wait was told not to."""
    if name == "time.sleep":
        return not arguments[0]
    timeout = named.get("timeout", arguments[1] if len(arguments) > 1 else None)
    return timeout is not None and timeout <= (MOMENT if name == "Thread.join" else 0)


def watch() -> None:
    """Make everything that waits tell when it is called in a slot."""
    time.sleep = _waits("time.sleep", time.sleep)
    subprocess.Popen.wait = _waits("Popen.wait", subprocess.Popen.wait)
    subprocess.Popen.communicate = _waits("Popen.communicate", subprocess.Popen.communicate)
    threading.Thread.join = _waits("Thread.join", threading.Thread.join)
