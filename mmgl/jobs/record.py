"""What a working process writes of itself into the folder of its job: state, events, its end, and whether to stop."""

from __future__ import annotations

import json
import math
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from mmgl.files import read_json, write_json
from mmgl.jobs.follow import Event
from mmgl.jobs.process import OWN_GROUP, birth, runs
from mmgl.messages import MMGLError, unwritable

CONFIG, EVENTS, STATUS, LOG, STOP = "config.json", "events.jsonl", "status.json", "log.txt", "STOP"

BEAT_SECONDS = 1.0
"""The status is written at most as often; a front end that looks twice a second misses nothing."""

STOPPED = ("run.stopped", "run.stopped_early", "run.stopped_before", "segment.stopped")
"""Keys of messages that are no failure."""

TOLD = (("stage", "step", "steps", "share", "seconds_left"), ("done", "of"))
"""Facts of the latest events that the status repeats, so that one small file answers "how far is it?"; what is told of
one group ends the other."""


class Record:
    """The job that this process is doing.

    Used as a context: entering takes the folder over, leaving tells how it ended. ``status.json`` holds ``state``
    (running, finished, stopped, failed), ``pid`` and ``born`` of the process, ``host``, ``beat`` (time of the last sign
    of life) and how far it is; for a failure the ``key`` and the ``parameters`` of its message.

    Args:
        folder: of the job; made where it is not there.
        on_event: is told every event too.
    """

    def __init__(self, folder: Path, on_event: Callable[[Event], None] | None = None) -> None:
        self.folder = folder
        self.before: dict[str, Any] = {}  # the status that an earlier process left
        self._on_event = on_event
        self._status: dict[str, Any] = {}
        self._beaten = 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Record:
        """Take the folder over.

        Raises:
            MMGLError: ``job.in_use`` when another process works in it.
        """
        self.before = read_status(self.folder)
        if self.before.get("state") == "running" and not is_me(self.before) and is_there(self.before):
            raise MMGLError("job.in_use", folder=self.folder)
        if not self._launched():
            (self.folder / STOP).unlink(missing_ok=True)
        _end_last_line(self.folder / EVENTS)
        self._status = {"state": "running", **whoami()}
        self._beat()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end = _end_of(error)
        with suppress(OSError):
            (self.folder / STOP).unlink(missing_ok=True)
        with suppress(
            OSError, MMGLError
        ):  # a full disk is often why it ended; that nobody is alive any more says the same
            self.tell(str(end["state"]), **{k: v for k, v in end.items() if k != "state"})
        with suppress(OSError, MMGLError):
            self._status.update(end)
            self._beat(lasting=True)

    def _launched(self) -> bool:
        """Return whether ``Job.start`` started this process: then a wish to stop is one to this very process."""
        return os.environ.get(OWN_GROUP) == "1"

    def tell(self, event: str, **facts: Any) -> None:
        """Append one event with its facts, a JSON object on a line of its own, and pass it on."""
        now = time.time()
        record = {"time": round(now, 3), "event": event, **facts}
        line = json.dumps(record, ensure_ascii=False) + "\n"
        self.require_folder()
        with (self.folder / EVENTS).open("ab") as file:
            file.write(line.encode("utf-8", errors="backslashreplace"))
        for group in TOLD:
            if new := {name: facts[name] for name in group if name in facts}:
                others = {name for other in TOLD if other is not group for name in other}
                self._status = {k: v for k, v in self._status.items() if k not in others} | new
        self.beat()
        if self._on_event:
            self._on_event(record)

    def beat(self) -> None:
        """Show that this process is alive, where it has not just done so."""
        if self._status.get("state") == "running" and time.time() - self._beaten >= BEAT_SECONDS:
            self._beat()

    def stop_asked(self) -> bool:
        """Return whether somebody asked this job to stop."""
        return (self.folder / STOP).exists()

    def require_folder(self) -> None:
        """Refuse to make the folder anew where it has gone, which would be on another disk than the rest.

        Raises:
            MMGLError: ``job.away``.
        """
        if not self.folder.is_dir():
            raise MMGLError("job.away", folder=self.folder)

    def _beat(self, *, lasting: bool = False) -> None:
        """Write the status, with the time."""
        self.require_folder()
        self._beaten = time.time()
        self._status["beat"] = round(self._beaten, 3)
        write_json(self.folder / STATUS, self._status, lasting=lasting)


def whoami() -> dict[str, Any]:
    """Return what names this process for ever, and on which computer it is."""
    own_group = os.environ.get(OWN_GROUP) == "1"
    return {"pid": os.getpid(), "born": birth(os.getpid()), "host": platform.node(), "own_group": own_group}


def is_me(status: dict[str, Any]) -> bool:
    """Return whether this process wrote a status."""
    me = whoami()
    return all(status.get(name) == me[name] for name in ("pid", "born", "host"))


def is_there(status: dict[str, Any], quiet: float = 300.0) -> bool:
    """Return whether the process that wrote a status lives.

    On another computer, which shares the folder, this can only be told from its last sign of life: it counts as gone
    once it has been silent for ``quiet`` seconds.
    """
    if status.get("host") != platform.node():
        return silence(status) < quiet
    return runs(status["pid"], str(status.get("born", "")))


def silence(status: dict[str, Any]) -> float:
    """Return for how many seconds there was no sign of life in a status."""
    beat = status.get("beat")
    return time.time() - beat if isinstance(beat, int | float) else math.inf


def read_status(folder: Path) -> dict[str, Any]:
    """Return the status of the job in a folder; empty where there is none, or none that can be read."""
    return read_process(folder / STATUS)


def read_process(file: Path) -> dict[str, Any]:
    """Return what a process wrote of itself, as ``whoami`` says it, into a file; empty where that cannot be read."""
    with suppress(MMGLError, OSError):
        told = read_json(file)
        if isinstance(told, dict) and isinstance(told.get("pid"), int):
            return told
    return {}


def _end_of(error: BaseException | None) -> dict[str, Any]:
    """Return how a job ended, as its last event and its status have it."""
    if error is None:
        return {"state": "finished"}
    if isinstance(error, KeyboardInterrupt):
        return {"state": "stopped"}
    if isinstance(error, OSError):
        error = unwritable(error)
    if isinstance(error, MMGLError):
        parameters = {name: v if isinstance(v, int | float) else str(v) for name, v in error.parameters.items()}
        state = "stopped" if error.key in STOPPED else "failed"
        return {"state": state, "key": error.key, "parameters": parameters}
    return {"state": "failed", "key": "job.fault", "parameters": {"fault": f"{type(error).__name__}: {error}"[:500]}}


def _end_last_line(file: Path) -> None:
    """End a line that an earlier process was killed in, so that the next event has a line of its own."""
    if not file.is_file() or not file.stat().st_size:
        return
    with file.open("rb+") as events:
        events.seek(-1, os.SEEK_END)
        if events.read(1) != b"\n":
            events.seek(0, os.SEEK_END)
            events.write(b"\n")
