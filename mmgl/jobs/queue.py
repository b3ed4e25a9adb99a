"""Jobs that wait for their turn: one at a time, so that two never share a graphics card.

A queue is a folder with a small file for each job. A worker process of its own takes one after the other and ends when
none is left; it needs no front end, and whoever adds a job makes sure that a worker is there. A worker that was killed
is followed by another one, which waits for the job that is still running and then goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mmgl
from mmgl.files import read_json, write_json
from mmgl.jobs.job import Job, Look
from mmgl.jobs.lock import only_one
from mmgl.jobs.process import start_alone
from mmgl.jobs.record import STOP
from mmgl.messages import MMGLError

POLL_SECONDS = 0.5

CLAIM_SECONDS = 30.0
"""Longest wait for another process that begins or takes back a job, which takes a few milliseconds."""


@dataclass(frozen=True)
class Turn:
    """A job in a queue.

    Attributes:
        file: of the queue, which describes it.
        folder, arguments, python, place: as for ``Job.start``.
        state: ``waiting``, ``running`` or ``over``.
        exit: exit status of its process once it is over, where it is known.
    """

    file: Path
    folder: Path
    arguments: tuple[str, ...]
    python: str
    place: Path | None
    state: str
    exit: int | None

    def look(self) -> Look:
        """Return how the job is; ``waiting`` until its turn comes, and ``stopped`` where it was stopped before."""
        if self.state == "waiting":
            return Look("waiting")
        job = Job(self.folder)
        job.ended_with(self.exit)
        look = job.look()
        return Look("stopped") if look.state == "new" else look


class Queue:
    """The queue in a folder.

    Args:
        folder: one for all jobs that share a graphics card: the same for every study of a user on a computer. That of
            the user unless given.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = usual_folder() if folder is None else Path(folder)

    def add(
        self,
        folder: Path,
        arguments: Sequence[str],
        *,
        python: str = "",
        place: Path | None = None,
        running: bool = False,
    ) -> Turn:
        """Put a job at the end, make sure that a worker is there, and return its turn.

        Args:
            folder, arguments, python, place: as for ``Job.start``; the worker runs in the same Python.
            running: it was started before, and the jobs after it wait for its end.
        """
        Path(folder).mkdir(parents=True, exist_ok=True)  # its name is taken from now on
        if not running:
            (Path(folder) / STOP).unlink(missing_ok=True)
        file = self.folder / f"{time.time_ns():020d}-{os.getpid()}.json"
        told = {"folder": str(folder), "arguments": list(arguments), "python": python or sys.executable}
        if running:
            write_json(file.with_suffix(".state"), {"state": "running", "exit": None})
        write_json(file, {**told, "place": str(place or "")})
        self.ensure_worker(python)
        return _turn(file)

    def turns(self) -> list[Turn]:
        """Return all jobs of the queue, the oldest first."""
        turns = []
        for file in sorted(self.folder.glob("*.json")):
            with suppress(MMGLError, OSError, KeyError, TypeError):  # one that cannot be read holds up no other
                turns.append(_turn(file))
        return turns

    def ensure_worker(self, python: str = "") -> None:
        """Start a worker where a job waits; a second one ends at once.

        Args:
            python: the interpreter; this one unless given.
        """
        if any(turn.state != "over" for turn in self.turns()):
            environment = {**os.environ, "PYTHONPATH": str(Path(mmgl.__file__).parents[1]), "PYTHONUTF8": "1"}
            command = [python or sys.executable, "-m", "mmgl.jobs", str(self.folder)]
            start_alone(command, self.folder / "log.txt", environment, folder=self.folder)

    def cancel(self, turn: Turn) -> bool:
        """Take a turn back: one that waits does not begin, one that works is asked to stop, and ended the second time.

        Returns:
            Whether it was at work.

        Raises:
            MMGLError: ``queue.busy``.
        """
        with _claiming(self.folder):
            turn = _turn(turn.file)
            if turn.state == "waiting":
                _note(turn, "over")
                with suppress(OSError):  # it holds something of an earlier job
                    turn.folder.rmdir()
                return False
        job = Job(turn.folder)
        if (turn.folder / STOP).exists():
            job.kill()
        elif job.look().works:
            job.stop()
        return turn.state == "running"

    def forget(self, turn: Turn) -> None:
        """Take a turn that is over off the list."""
        if turn.state == "over":
            turn.file.with_suffix(".state").unlink(missing_ok=True)
            turn.file.unlink(missing_ok=True)

    def work(self) -> None:
        """Do all jobs that wait, one after the other, unless another worker is doing so."""
        while any(turn.state != "over" for turn in self.turns()):
            with only_one(self.folder / "worker.lock") as mine:
                if not mine:
                    return
                while turn := next((turn for turn in self.turns() if turn.state != "over"), None):
                    _do(turn)
            # looked at once more without the lock: a job may have come while nobody was to take it


def usual_folder() -> Path:
    """Return the folder of the user's queue, in the place that the system has for such things."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "MMGL" / "queue"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "MMGL" / "queue"
    return Path(os.environ.get("XDG_STATE_HOME", home / ".local" / "state")) / "mmgl" / "queue"


def _turn(file: Path) -> Turn:
    """Return the turn that a file describes."""
    told: dict[str, Any] = read_json(file)
    state: dict[str, Any] = {}
    with suppress(MMGLError):
        state = read_json(file.with_suffix(".state"))
    arguments = tuple(str(a) for a in told["arguments"])
    place = Path(told["place"]) if told.get("place") else None
    return Turn(
        file,
        Path(told["folder"]),
        arguments,
        str(told["python"]),
        place,
        state.get("state", "waiting"),
        state.get("exit"),
    )


def _note(turn: Turn, state: str, code: int | None = None) -> None:
    """Write down how far a job of the queue is."""
    write_json(turn.file.with_suffix(".state"), {"state": state, "exit": code})


def _do(turn: Turn) -> None:
    """Start a job and wait for its end, or wait for one that an earlier worker started."""

    if turn.state == "running":
        while Job(turn.folder).look().works:
            time.sleep(POLL_SECONDS)
        _note(turn, "over")
        return
    with _claiming(turn.file.parent):
        turn = _turn(turn.file)
        if turn.state == "over" or (turn.folder / STOP).exists():  # taken back before its turn came
            _note(turn, "over")
            return
        _note(turn, "running")
    try:
        job = Job.start(turn.folder, turn.arguments, python=turn.python, place=turn.place)
    except (MMGLError, OSError) as error:
        print(f"{turn.folder}: {error}", flush=True)
        _note(turn, "over", 1)
        return
    while job.look().works:
        time.sleep(POLL_SECONDS)
    _note(turn, "over", _exit_status(job))


def _exit_status(job: Job) -> int | None:
    """Return the exit status of a job that this process started; its record may end a moment before the process."""
    with suppress(subprocess.TimeoutExpired):
        return job.wait(timeout=30.0)
    job.kill()  # it has said its last word and hangs: the next one needs the card
    return None


@contextmanager
def _claiming(folder: Path) -> Iterator[None]:
    """Let nobody else begin or take back a job of the queue for a moment."""
    until = time.monotonic() + CLAIM_SECONDS
    while time.monotonic() < until:
        with only_one(folder / "claim.lock") as mine:
            if mine:
                yield
                return
        time.sleep(0.05)
    raise MMGLError("queue.busy", folder=folder)
