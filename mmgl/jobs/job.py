"""A job seen from outside: started, looked at, stopped, ended, and found again by its folder alone."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmgl
from mmgl.files import read_json, write_json
from mmgl.jobs.follow import Event, Follower
from mmgl.jobs.process import birth, end_tree, start_alone
from mmgl.jobs.record import EVENTS, LOG, STOP, is_there, read_status, silence
from mmgl.messages import CATALOGUE, MMGLError
from mmgl.wording import fill

LAUNCH = "job.json"
PROGRAM = ("-m", "mmgl")

QUIET = 300.0
"""Seconds without a sign of life after which a process that lives counts as stalled."""

CAUSES = {
    "job.memory": (-9, 137, 0xC0000017, 0xC000012D),  # killed by the system for memory, or refused it
    "job.drive": (-7, 135, 0xC0000006),  # a mapped file could not be read any more
    "job.crashed": (-4, -6, -8, -11, 132, 134, 136, 139, 0xC0000005, 0xC000001D, 0xC0000409, 0xC00000FD),
}
"""What exit statuses of a process that said nothing tell: negative signals, shells' 128 + signal, Windows' codes."""


@dataclass(frozen=True)
class Look:
    """How a job is.

    Attributes:
        state: ``new`` (nothing was started in its folder), ``starting``, ``running``, ``stalled`` (lives, but gave no
            sign of life for long), ``finished``, ``stopped`` (kept what it had), ``failed`` (and said why), ``lost``
            (ended without a word: killed, crashed, or the power went).
        key, parameters: of the message that says why, for ``stopped``, ``failed``, ``lost`` and ``stalled``.
        status: what the job last said of itself: ``stage``, ``step``, ``steps``, ``seconds_left``, the ``share`` of the
            whole that is done, and others.
    """

    state: str
    key: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    status: Mapping[str, Any] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        """Whether a process is at it."""
        return self.state in ("starting", "running", "stalled")

    @property
    def words(self) -> str:
        """The message in English."""
        return fill(CATALOGUE[self.key], self.parameters) if self.key in CATALOGUE else ""


class Job:
    """The job in a folder, whoever started it, alive or not.

    Args:
        folder: of the job.
        offset: bytes of its events that were read before.
    """

    def __init__(self, folder: Path, offset: int = 0) -> None:
        self.folder = Path(folder)
        self.follower = Follower(self.folder / EVENTS, offset)
        self._process: subprocess.Popen[bytes] | None = None
        self._exit: int | None = None

    @staticmethod
    def start(
        folder: Path,
        arguments: Sequence[str],
        *,
        python: str = "",
        environment: Mapping[str, str] | None = None,
        place: Path | None = None,
    ) -> Job:
        """Start ``mmgl`` with these arguments as a process that outlives this one, and return its job.

        What it prints is added to ``log.txt``; ``job.json`` says what was started.

        Args:
            folder: that the command keeps its record in: ``runs/NAME`` of the study for ``train``.
            arguments: of the command line, with absolute paths, or paths that begin at ``place``.
            python: the interpreter; this one unless given.
            environment: for the process; that of this process unless given. It finds the same ``mmgl`` as this one.
            place: the folder the process works in; that of this process unless given.

        Raises:
            MMGLError: ``job.in_use`` when a process works in the folder.
        """
        job = Job(folder)
        if job.look().works:
            raise MMGLError("job.in_use", folder=folder)
        job.follower.offset = _size(job.folder / EVENTS)
        (job.folder / STOP).unlink(missing_ok=True)
        command = [python or sys.executable, "-X", "faulthandler", *PROGRAM, *arguments]
        own = {**(os.environ if environment is None else environment), "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
        own["PYTHONSAFEPATH"] = "1"  # what lies in the folder it works in is data, not a program
        home = str(Path(mmgl.__file__).parents[1])
        own["PYTHONPATH"] = os.pathsep.join(filter(None, [home, own.get("PYTHONPATH", "")]))
        begun = time.time()
        job._process = start_alone(command, job.folder / LOG, own, folder=place)
        pid = job._process.pid
        launch = {"arguments": list(arguments), "begun": begun, "beat": begun, "pid": pid, "born": birth(pid)}
        write_json(job.folder / LAUNCH, {**launch, "host": platform.node(), "own_group": True})
        return job

    def look(self, quiet: float = QUIET) -> Look:
        """Return how the job is now; without a sign of life for ``quiet`` seconds it counts as stalled."""
        launch, status = self._launch(), read_status(self.folder)
        if _time(status.get("beat")) < _time(launch.get("begun")):
            status = {}  # of an earlier process in this folder
        if not status:
            if not launch:
                return Look("new")
            if self._lives(launch):
                return Look("starting")
            return Look("finished") if self._exit == 0 else self._lost(launch)  # a command that keeps no record
        if status.get("state") != "running":
            return last_look(status)
        if not self._lives(status):
            again = read_status(self.folder)  # it may have said its last word in between
            return self._lost(status) if again.get("state") == "running" else self.look(quiet)
        if silence(status) > quiet:
            return Look("stalled", "job.stalled", {"minutes": int(silence(status) / 60)}, status)
        return Look("running", status=status)

    def poll(self) -> tuple[list[Event], Look]:
        """Return the events that are new, and how the job is.

        How it is, is looked at before the events are read: once the job is over, all its events have been returned.
        """
        look = self.look()
        events: list[Event] = []
        while new := self.follower.read():
            events += new
        return events, look

    def stop(self) -> None:
        """Ask the job to stop and keep what it has; it does so after the step or scan it is at."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / STOP).touch()

    def kill(self, *, at_once: bool = False) -> None:
        """End the job's processes, those it started included; what it last saved stays.

        Args:
            at_once: do not ask them first.
        """
        for told in (read_status(self.folder), self._launch()):
            if told and told.get("host") == platform.node():
                end_tree(told["pid"], str(told.get("born", "")), own_group=bool(told.get("own_group")), at_once=at_once)
        if self._process is not None:
            self._process.wait(timeout=30)

    def wait(self, timeout: float) -> int | None:
        """Wait at most ``timeout`` seconds for the end of the process this object started, and return its exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        return None if self._process is None else self._process.wait(timeout)

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that the job printed, for a report."""
        try:
            with (self.folder / LOG).open("rb") as file:
                file.seek(max(0, _size(self.folder / LOG) - 200 * lines))
                text = file.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def ended_with(self, status: int | None) -> None:
        """Remember the exit status of the job's process, where somebody else waited for it."""
        self._exit = status if self._exit is None else self._exit

    def _launch(self) -> dict[str, Any]:
        """Return what ``start`` wrote, or nothing."""
        with suppress(MMGLError, OSError):
            launch = read_json(self.folder / LAUNCH)
            if isinstance(launch, dict) and isinstance(launch.get("pid"), int):
                return launch
        return {}

    def _lives(self, told: dict[str, Any]) -> bool:
        """Return whether the process lives that left this word of itself."""
        if self._process is None:
            return self._exit is None and is_there(told)
        self._exit = self._process.poll()
        if told["pid"] == self._process.pid:
            return self._exit is None  # the system's list shows it as ended before its exit status can be had
        return is_there(told)

    def _lost(self, status: Mapping[str, Any]) -> Look:
        """Return what can be said of a process that ended without a word."""
        return last_look({**status, "state": "running"}, self._exit)


def last_look(status: Mapping[str, Any], code: int | None = None) -> Look:
    """Return how a job was when its process, which is gone, had left this status.

    Args:
        code: exit status of the process, where it is known.
    """
    state = str(status.get("state"))
    if state != "running":
        return Look(state, str(status.get("key", "")), status.get("parameters") or {}, status)
    share = status.get("share")
    share = share if isinstance(share, int | float) else 0.0
    key = next((key for key, codes in CAUSES.items() if code in codes), "job.lost")
    return Look("lost", key, {"share": f"{share:.0%}"}, status)


def _time(value: Any) -> float:
    """Return a time that a file tells; the beginning of all times where it tells none."""
    return float(value) if isinstance(value, int | float) else 0.0


def _size(file: Path) -> int:
    """Return the bytes of a file, 0 where there is none."""
    return file.stat().st_size if file.is_file() else 0
