"""What a run folder tells of its training, without a name of a patient, a case, a path or a user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmgl.files import read_json
from mmgl.finding import Finding
from mmgl.jobs import Follower
from mmgl.jobs.record import CONFIG, EVENTS
from mmgl.messages import CATALOGUE, MMGLError
from mmgl.report.chart import Point
from mmgl.run_config import read_run_config

VERDICT = "verdict.json"
"""In the folder of a run: what is said of its model at the end, and which model to use."""

MOST_EVENTS = 256 * 1024 * 1024
"""Bytes of events that are read for a report: of a night there are about 20 MB."""

Event = dict[str, Any]


@dataclass(frozen=True)
class RunFacts:
    """A training as its folder tells it.

    Attributes:
        folder: of the run.
        config: what was asked for and decided.
        verdict: what was said at the end; empty where nothing was.
        events: in order.
    """

    folder: Path
    config: Mapping[str, Any]
    verdict: Mapping[str, Any]
    events: Sequence[Event]

    @staticmethod
    def read(folder: Path) -> RunFacts:
        """Return the facts of the run in a folder.

        Raises:
            MMGLError: ``run.unknown`` where there is none, ``file.damaged``.
        """
        if not (folder / CONFIG).is_file():
            raise MMGLError("run.unknown", name=folder.name)
        config, verdict = read_run_config(folder), None
        with suppress(MMGLError):
            verdict = read_json(folder / VERDICT)
        if (folder / EVENTS).is_file() and (folder / EVENTS).stat().st_size > MOST_EVENTS:
            raise MMGLError("file.damaged", path=folder / EVENTS, reason="far too large")
        follower, events = Follower(folder / EVENTS), list[Event]()
        while new := follower.read():
            events += new
        return RunFacts(folder, config, verdict if isinstance(verdict, dict) else {}, events)

    @property
    def model(self) -> Path | None:
        """The file of its model, where there is one."""
        there = {file.name: file for file in (self.folder.parents[1] / "models").glob("*.mmgl") if file.is_file()}
        names = (str(self.verdict.get("model", "")), f"{self.folder.name}.mmgl")
        return next((there[name] for name in names if name in there), None)  # a name of any length may be looked up

    def cases(self, use: str) -> list[str]:
        """Return the names of the cases that are for ``train`` or ``check``; they are not for the report."""
        return [str(name) for name in self.config.get("cases", {}).get(use) or ()]

    def pseudonym(self, case: str) -> str:
        """Return what a case is called in the report: its number among those of the run's config."""
        names = self.cases("train") + self.cases("check")
        return f"case {names.index(case) + 1}" if case in names else "a case"

    def told(self, kind: str) -> list[Event]:
        """Return all events of a kind."""
        return [event for event in self.events if event["event"] == kind]

    def words(self) -> list[str]:
        """Return the verdict in words."""
        words = []
        for found in self.verdict.get("findings", ()):
            parameters = dict(found["parameters"])
            if "case" in parameters:
                parameters["case"] = self.pseudonym(parameters["case"])
            if found["key"] in CATALOGUE:
                words.append(Finding(found["key"], parameters).words)
        return words

    def steps(self) -> list[Event]:
        """Return the last event of each step, in the order of the stages; those that were done again count once."""
        return self._by_step("step")

    def checks(self) -> list[Event]:
        """Return the last event of each check, in the order of the stages."""
        return self._by_step("check")

    def begins(self) -> dict[str, int]:
        """Return how many steps came before each stage, by its name, the stages in order."""
        stages = {event["stage"]: event for event in self.told("stage")}
        for event in self.told("step"):
            if event["stage"] in stages:
                stages[event["stage"]] = event  # a budget in time may have changed how many there are
        begins, before = {}, 0
        for name, event in stages.items():
            begins[name] = before
            before += int(event["steps"])
        return begins

    def _by_step(self, kind: str) -> list[Event]:
        """Return the last event of a kind for each stage and step."""
        begins = self.begins()
        last = {begins[e["stage"]] + int(e["step"]): e for e in self.told(kind) if e["stage"] in begins}
        return [{**last[step], "at": step} for step in sorted(last)]


def thinned(points: Iterable[Point], most: int = 400) -> list[Point]:
    """Return at most about so many points, each the mean of its neighbours: more are not seen, and make pages heavy."""
    points = list(points)
    stride = -(-len(points) // most) or 1
    groups = [points[i : i + stride] for i in range(0, len(points), stride)]
    return [(sum(x for x, _ in g) / len(g), sum(y for _, y in g) / len(g)) for g in groups]
