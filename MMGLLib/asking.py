"""A question to the core that takes seconds, answered by a process of its own in events. Nothing here waits."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mmgl.jobs import Follower
from mmgl.jobs.follow import Event
from mmgl.jobs.process import birth, end_tree, start_alone
from MMGLLib.worker import command, environment


class Asking:
    """One question.

    Args:
        *arguments: a module of the core that prints events, and what it is given.
    """

    def __init__(self, *arguments: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mmgl-", ignore_cleanup_errors=True)
        answer = Path(self._folder.name) / "answer.jsonl"
        self._process = start_alone([command()[0], "-m", *arguments], answer, environment())
        self._born = birth(self._process.pid)
        self._follower = Follower(answer)
        self.ended = False

    def poll(self) -> list[Event]:
        """Return what is new; once it has ended, everything has been returned."""
        over = self._process.poll() is not None
        events = self._follower.read()
        self.ended = over and not events
        return events

    def close(self) -> None:
        """End it if need be, and remove what it wrote."""
        if self._process.poll() is None:
            end_tree(self._process.pid, self._born, own_group=True, at_once=True)
        self._folder.cleanup()
