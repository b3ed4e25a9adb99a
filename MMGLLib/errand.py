"""Questions and errands seen from Slicer: a process each, looked at now and then, never waited for."""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmgl.jobs import Follower
from mmgl.jobs.process import birth, end_tree, start_alone
from mmgl.jobs.record import LOG
from MMGLLib import worker
from MMGLLib.messages import MMGLError

Event = dict[str, Any]

FOLDER = "{folder}"

ON_THE_WAY = ("progress", "missing")
"""Events that are not the outcome of an errand."""


class _Alone:
    """A process of its own, with a folder of its own, that tells what it does in events."""

    def __init__(self, module: str, *arguments: str, log: str, events: str = "", folder: Any = None) -> None:
        self.home = folder or _new_folder()
        self.log = Path(self.home.name) / log
        self._process = start_alone([worker.command()[0], "-m", module, *arguments], self.log, worker.environment())
        self._born = birth(self._process.pid)
        self._follower = Follower(Path(self.home.name) / (events or log))

    def poll(self) -> tuple[bool, list[Event]]:
        """Return whether it has ended, and what is new."""
        over = self._process.poll() is not None
        return over, self._follower.read()

    def close(self) -> None:
        """End it if need be, and remove its files."""
        if self._process.poll() is None:
            end_tree(self._process.pid, self._born, own_group=True, at_once=True)
        self.home.cleanup()


class Asking:
    """A question to the core that takes seconds.

    Args:
        *arguments: a module of the core that prints events, and what it is given.
    """

    def __init__(self, *arguments: str) -> None:
        self._alone, self.ended = _Alone(*arguments, log="answer.jsonl"), False

    def poll(self) -> list[Event]:
        """Return what is new; once it has ended, everything has been returned."""
        over, events = self._alone.poll()
        self.ended = over and not events
        return events

    def close(self) -> None:
        """End it."""
        self._alone.close()


class Errand:
    """One piece of work on a study.

    Args:
        name: one of ``errands.ERRANDS``.
        arguments: as JSON can hold them; ``FOLDER`` in a text stands for its own folder, which is gone with it.
        on_event: told each event, the last of which is the outcome or ``failed`` with its words.
    """

    def __init__(self, name: str, arguments: dict[str, Any], on_event: Callable[[Event], None]) -> None:
        self.name, self._arguments, self._on_event = name, arguments, on_event
        self._alone: _Alone | None = None
        self._told = False

    def start(self) -> None:
        """Start the process."""
        home = _new_folder()
        own = {k: v.replace(FOLDER, home.name) if isinstance(v, str) else v for k, v in self._arguments.items()}
        request = Path(home.name) / "request.json"
        request.write_text(json.dumps({"errand": self.name, "arguments": own}), encoding="utf-8")
        self._alone = _Alone("MMGLLib.errands", str(request), log=LOG, events="events.jsonl", folder=home)

    def poll(self) -> bool:
        """Tell what is new, and return whether it has ended."""
        if self._alone is None:
            return False
        ended, events = self._alone.poll()
        for event in events:
            self._told |= event["event"] not in ON_THE_WAY
            self._on_event(event)
        if ended and not self._told:
            self._told = True
            log = self._alone.log.read_text(encoding="utf-8", errors="replace")
            logging.info("MMGL: %s ended without a word\n%s", self.name, log)
            error = MMGLError("slicer.errand_died")
            self._on_event({"event": "failed", "key": error.key, "words": str(error)})
        return ended

    def close(self) -> None:
        """End it."""
        if self._alone is not None:
            self._alone.close()


def _new_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that is gone when it is cleaned up."""
    return tempfile.TemporaryDirectory(prefix="mmgl-", ignore_cleanup_errors=True)


class Errands:
    """A row of errands of which one is done at a time."""

    def __init__(self) -> None:
        self._row: list[Errand] = []
        self.progress: tuple[int, int] = (0, 0)

    @property
    def busy(self) -> str:
        """The name of the errand that is being done, or an empty string."""
        return self._row[0].name if self._row else ""

    def ask(self, name: str, on_event: Callable[[Event], None], **arguments: Any) -> None:
        """Have an errand done after those that wait. Of two surveys that wait one is enough."""
        if name == "survey":
            self._row = [*self._row[:1], *(one for one in self._row[1:] if one.name != "survey")]

        def heard(event: Event) -> None:
            if event["event"] == "progress":
                self.progress = (event["done"], event["of"])
            on_event(event)

        self._row.append(Errand(name, arguments, heard))
        if len(self._row) == 1:
            self._begin()

    def poll(self) -> None:
        """Look at the errand that is being done, and begin the next one when it has ended."""
        if self._row and self._row[0].poll():
            self._row.pop(0).close()
            self._begin()

    def close(self) -> None:
        """End all of them."""
        while self._row:
            self._row.pop().close()

    def _begin(self) -> None:
        self.progress = (0, 0)
        if self._row:
            self._row[0].start()
