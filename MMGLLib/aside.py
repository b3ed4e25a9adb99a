"""Work with arrays and files in a thread, looked at now and then. No node and no widget is ever touched there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from MMGLLib.runs import Run

MOMENT = 0.02
"""Seconds for which the GUI waits at a look; too few to be noticed."""

Returned = TypeVar("Returned")


class Aside(Generic[Returned]):
    """One piece of work in a thread of its own.

    Args:
        do: what is done; it sees arrays and paths only.
    """

    def __init__(self, do: Callable[[], Returned]) -> None:
        self._found: list[Returned] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=[do], daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        """Whether it goes on."""
        return self._thread.is_alive()

    def go_on(self) -> None:
        """Let it go on for a moment.

        Slicer keeps Python's lock while it waits for events. A thread that lets go of the lock, as each access to a
        file does, gets it back only when Python runs again: without this, at the next look and for one access.
        """
        self._thread.join(MOMENT)

    def wait(self) -> None:
        """Wait for its end; only for another one that is done aside."""
        self._thread.join()

    def result(self) -> Returned:
        """Return what was returned there, or raise what was raised there; only once it has ended."""
        if self._error is not None:
            raise self._error
        return self._found[0]

    def _run(self, do: Callable[[], Returned]) -> None:
        try:
            self._found.append(do())
        except Exception as error:  # whatever it is, who asks for the result raises it
            self._error = error


class RunWithAside(Run):
    """A run some of whose work is done aside: ``found = yield from self.aside(do)``."""

    _aside: Aside[Any] | None = None

    @property
    def hurries(self) -> bool:
        """Whether something is done aside, which goes on only while it is looked at."""
        return self._aside is not None

    def wait_aside(self) -> None:
        """Wait for what it does aside; only for what is done aside itself."""
        if (aside := self._aside) is not None:
            aside.wait()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do but to wait for what is done aside."""
        return self._aside is not None and self._aside.works

    def aside(self, do: Callable[[], Returned]) -> Generator[None, None, Returned]:
        """Have something done aside, and return or raise what comes of it."""
        self._aside = aside = Aside(do)
        while aside.works:
            yield
            aside.go_on()
        self._aside = None  # what it found may be large
        return aside.result()
