"""What all runs of the panel and the console have in common: somebody calls ``poll`` until it says that all is over."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Generator
from typing import Any

from MMGLLib.messages import MMGLError

Event = dict[str, Any]
STOPPED = ("slicer.stopped", "segment.stopped")
"""Keys of messages that are no failure."""

BUDGET = 0.03
"""Seconds of work that one call of ``poll`` may do, so that the application goes on in between."""


class Run:
    """Work that goes on without anybody waiting.

    Events are dictionaries with ``event``: ``progress`` (with ``stage``, ``share`` and ``seconds_left``, each where
    known), then one of ``done``, ``cancelled`` (with ``error``) and ``failed`` (with ``error`` and ``details``).

    Args:
        on_event: called with each event from within ``poll``.
    """

    def __init__(self, on_event: Callable[[Event], None] | None = None) -> None:
        self.error: MMGLError | None = None
        self.details, self.ended = "", False
        self.last: Event = {}
        self.scene: Any = None  # where it ends with a scene
        self._on_event = on_event
        self._steps: Generator[None, None, Event] | None = None

    def work(self) -> Generator[None, None, Event]:
        """Do the work in short steps, and return the event of its end; sub-classes have it."""
        raise NotImplementedError

    def poll(self) -> bool:
        """Go on for a moment, without waiting, and return whether it has ended."""
        if self.ended:
            return True
        self._steps = self._steps or self.work()
        until = time.perf_counter() + BUDGET
        try:
            while True:
                next(self._steps)
                if self.ended:  # an event was answered by ending it
                    return True
                if self.idle or time.perf_counter() > until:
                    return False
        except StopIteration as end:
            self._end(end.value)
        except MMGLError as error:
            self._fail(error)
        except Exception as error:  # a fault of ours must not leave the panel waiting for ever
            self.details = traceback.format_exc()
            logging.exception("MMGL")
            self._fail(MMGLError("job.fault", fault=f"{type(error).__name__}: {error}"))
        return True

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do but to wait for somebody else."""
        return False

    @property
    def hurries(self) -> bool:
        """Whether to look at it again soon."""
        return False

    def cancel(self) -> None:
        """Ask it to end; the next ``poll`` or the one after tells that it has."""

    def abandon(self) -> None:
        """End it now, without a word: the panel or the scene goes away."""
        self.ended = True
        self.close()

    def close(self) -> None:
        """Let go of everything it holds."""

    def finish(self) -> Event:
        """Wait for its end, and return the event that told it.

        Raises:
            MMGLError: with words that say what to do.
        """
        try:
            while not self.ended:
                if self.idle:
                    time.sleep(0.02)
                self.poll()
        finally:
            self.abandon()
        if self.error is not None:
            raise self.error
        return self.last

    def tell(self, event: Event) -> None:
        """Pass an event on."""
        if self._on_event is not None:
            self._on_event(event)

    def _fail(self, error: MMGLError) -> None:
        self.error = error
        event = "cancelled" if error.key in STOPPED else "failed"
        if event == "failed":
            logging.info("MMGL: %s\n%s", error, self.details)
        self._end({"event": event, "error": error, "details": self.details})

    def _end(self, event: Event) -> None:
        self.ended, self.last = True, event
        self.close()
        self.tell(event)
