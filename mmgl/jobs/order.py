"""One thing asked of a worker, seen by who asked: how far it is, and what came of it. Nothing here waits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmgl.jobs.exchange import DOUBT, EVENTS, LABELMAP, Wish, check_answer, read_array
from mmgl.jobs.follow import Event, Follower
from mmgl.messages import CATALOGUE, MMGLError


@dataclass(frozen=True)
class Answer:
    """What a worker found.

    Attributes:
        labelmap: (z, y, x); value i + 1 is structure i of the model.
        grid: ``spacing``, ``origin`` and ``directions`` of the labelmap.
        doubt_map: entropy in bits (z, y, x) on the scan's own grid, float32, where it was asked for.
        structures: of each, ``structure`` (its name), ``doubt`` from 0 to 1, and ``check``: whether to look twice.
        slices: the worst first; each ``plane``, ``axis`` and ``index`` in the scan's array, ``structure``, ``area``.
        fit: as ``Order.fit``.
        findings: what was changed or happened on the way; each ``key`` and ``parameters``.
        seconds: that the worker took.
    """

    labelmap: np.ndarray[Any, Any]
    grid: dict[str, Any]
    doubt_map: np.ndarray[Any, Any] | None
    structures: list[dict[str, Any]]
    slices: list[dict[str, Any]]
    fit: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    seconds: float


class Order:
    """One scan on its way through a worker, or a model that is made ready.

    Made by ``Worker``, which alone changes it, from the number of the order, its folder and the wish.

    Attributes:
        state: ``waiting``, ``working``, ``done``, ``failed`` (and said why), ``died`` or ``cancelled``.
        sent: how often it was handed to a process.
        fit: what may spoil the result, as the scan is unlike those the model learned from; each ``key`` and
            ``parameters``. Known before the work begins; None until then.
    """

    def __init__(self, number: int, folder: Path, wish: Wish, worker: Any) -> None:
        self.number, self.folder, self.wish = number, folder, wish
        self.state, self.sent = "waiting", 0
        self.log = ""
        self.fit: list[dict[str, Any]] | None = None
        self._worker = worker
        self._follower = Follower(folder / EVENTS)
        self._progress: list[Event] = []
        self._end: Event = {}

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come; looks, and answers at once."""
        self._worker.poll()
        return self.over

    @property
    def over(self) -> bool:
        """Whether it had ended when last looked at."""
        return self.state not in ("waiting", "working")

    def events(self) -> list[Event]:
        """Return what is new since the last call.

        Each has a ``stage`` (a key of the catalogue), the ``share`` of the whole that is done, from 0 to 1, and
        ``seconds_left``, None where that cannot be told yet.
        """
        self._worker.poll()
        new, self._progress = self._progress, []
        return new

    def answer(self) -> Answer:
        """Return what came of an order that has ended.

        Raises:
            MMGLError: ``worker.cancelled``, ``worker.died``, or what the worker itself said was wrong.
        """
        if self.state == "failed":
            key, parameters = self._end.get("key"), self._end.get("parameters")
            if key in CATALOGUE and isinstance(parameters, dict):
                raise MMGLError(key, **parameters)
        if self.state != "done":
            raise MMGLError("worker.cancelled" if self.state == "cancelled" else "worker.died")
        end, shape = self._end, self._shape()
        labelmap = read_array(self.folder / LABELMAP, end["kind"], end["shape"])
        doubt_map = read_array(self.folder / DOUBT, "float32", shape) if end["doubt_map"] else None
        lists = (end["structures"], end["slices"], self.fit or [], end["findings"])
        return Answer(labelmap, end["grid"], doubt_map, *lists, float(end["seconds"]))

    def cancel(self) -> None:
        """End it now; the worker is ready again a little later."""
        self._worker.cancel(self)

    def close(self) -> None:
        """End it, if need be, and remove its files."""
        self._worker.forget(self)

    def add(self, stage: str) -> None:
        """Add a stage that the worker itself cannot tell."""
        self._progress.append({"stage": stage, "share": 0.0, "seconds_left": None})

    def read(self) -> None:
        """Read what the worker has told since."""
        for event in self._follower.read():
            if event["event"] == "progress":
                self._progress.append({name: event.get(name) for name in ("stage", "share", "seconds_left")})
            elif event["event"] == "fit":
                self.fit = event.get("findings")
            elif event["event"] in ("done", "failed", "ready"):
                self._end, self.state = event, "done" if event["event"] == "ready" else event["event"]

    def check(self) -> bool:
        """Return whether the result that is there can be one."""
        if self.state != "done" or self.wish.scan is None:
            return True
        try:
            check_answer({**self._end, "fit": self.fit}, self.wish)
            sizes = {LABELMAP: (self._end["kind"], self._end["shape"]), DOUBT: ("float32", self._shape())}
            for name, (kind, shape) in sizes.items():
                if name == LABELMAP or self._end["doubt_map"]:
                    count = int(np.prod([int(n) for n in shape], dtype=np.int64))
                    if (self.folder / name).stat().st_size != count * np.dtype(kind).itemsize:
                        return False
        except (ValueError, OSError):
            return False
        return True

    def _shape(self) -> list[int]:
        """Return the size (z, y, x) of the scan."""
        return list((self.wish.scan or {}).get("shape", [])[1:])
