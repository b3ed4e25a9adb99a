"""Errands seen from Slicer: asked for one after the other, looked at now and then, never waited for."""

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


class Errand:
    """One piece of work in a process of its own.

    Args:
        name: one of ``errands.ERRANDS``.
        arguments: as JSON can hold them; ``FOLDER`` in a text stands for its own folder, which is gone with it.
        on_event: told each event, the last of which is the outcome or ``failed`` with its words.
    """

    def __init__(self, name: str, arguments: dict[str, Any], on_event: Callable[[Event], None]) -> None:
        self.name, self._arguments, self._on_event = name, arguments, on_event
        self._process: Any = None
        self._told = False

    def start(self) -> None:
        """Start the process."""
        self._home = tempfile.TemporaryDirectory(prefix="mmgl-", ignore_cleanup_errors=True)
        self._folder = Path(self._home.name)
        arguments = {name: self._in_place(value) for name, value in self._arguments.items()}
        request = self._folder / "request.json"
        request.write_text(json.dumps({"errand": self.name, "arguments": arguments}), encoding="utf-8")
        self._follower = Follower(self._folder / "events.jsonl")
        command = [worker.command()[0], "-m", "MMGLLib.errands", str(request)]
        self._process = start_alone(command, self._folder / LOG, worker.environment())
        self._born = birth(self._process.pid)

    def poll(self) -> bool:
        """Tell what is new, and return whether it has ended."""
        ended = self._process.poll() is not None
        for event in self._follower.read():
            self._told |= event["event"] != "progress"
            self._on_event(event)
        if ended and not self._told:
            self._told = True
            log = (self._folder / LOG).read_text(encoding="utf-8", errors="replace")
            logging.info("MMGL: %s ended without a word\n%s", self.name, log)
            error = MMGLError("slicer.errand_died")
            self._on_event({"event": "failed", "key": error.key, "words": str(error)})
        return ended

    def close(self) -> None:
        """End it, and remove its files."""
        if self._process is not None:
            if self._process.poll() is None:
                end_tree(self._process.pid, self._born, own_group=True, at_once=True)
            self._home.cleanup()

    def _in_place(self, value: Any) -> Any:
        return value.replace(FOLDER, str(self._folder)) if isinstance(value, str) else value


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
