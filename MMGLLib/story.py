"""What the events of a training have told so far, kept small however long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOST_POINTS = 400
"""Of a curve; once there are twice as many, every second one is dropped."""


@dataclass(frozen=True)
class Preview:
    """A picture of the result while it was learned.

    Attributes:
        file: PNG, below the folder of the run.
        case: the scan it shows.
        minutes: of training before it was made.
    """

    file: str
    case: str
    minutes: float


@dataclass
class Story:
    """What was told.

    Attributes:
        stage, number, stages: what is being done (a key of the catalogue, empty before) and which of how many it is.
        done, of: how many scans are looked at or prepared, while that goes on.
        share: of the whole that is done, 0 to 1.
        seconds_left: None while nobody knows.
        checks: of each check the minutes and the Dice by structure, None where there is none.
        errors: minutes and what is left to learn, in percent of the beginning of its stage.
        previews: in the order they were made.
        skipped: words of the scans that were left out, by their names.
        disk: what the prepared scans will take, and what is free, as ``needed_gb`` and ``free_gb``.
        memory: free and whole memory as ``mmgl.training.memory.in_use`` tells it.
        model: name of the model file, once it is written.
        findings: of the verdict, each a key and its parameters; ``use`` names the model that is to be used.
        preparing: seconds before the first step, None while it lasts or where it was begun before; ``scans``: how many
            were prepared.
    """

    stage: str = ""
    number: int = 0
    stages: int = 0
    done: int = 0
    of: int = 0
    share: float = 0.0
    seconds_left: float | None = None
    checks: list[tuple[float, list[float | None]]] = field(default_factory=list)
    errors: list[tuple[float, float]] = field(default_factory=list)
    previews: list[Preview] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    disk: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    model: str = ""
    findings: list[dict[str, Any]] = field(default_factory=list)
    use: str = ""
    preparing: float | None = None
    scans: int = 0
    _began: float | None = None
    _last: float = 0.0
    _away: float = 0.0
    _first_error: float = 0.0

    def add(self, event: Mapping[str, Any]) -> None:
        """Take one event in; what is unknown, or lacks what it should have, changes nothing."""
        time = event.get("time")
        if isinstance(time, int | float):
            if self._began is None:
                self._began = time
            elif event["event"] == "resumed":
                self._away += time - self._last  # the pause is no work
            self._last = time
        take = getattr(self, f"_on_{event['event']}", None)
        if take is not None:
            try:
                take(event)
            except (KeyError, TypeError, ValueError):  # from another version, or damaged
                return

    @property
    def minutes(self) -> float:
        """The minutes of work until the latest event."""
        return (self._last - (self._began or self._last) - self._away) / 60

    def _on_looking(self, event: Mapping[str, Any]) -> None:
        self.stage, self.done, self.of = f"progress.{event['event']}", int(event["done"]), int(event["of"])

    def _on_disk(self, event: Mapping[str, Any]) -> None:
        self.disk = {name: float(event[name]) for name in ("needed_gb", "free_gb")}

    def _on_preparing(self, event: Mapping[str, Any]) -> None:
        self._on_looking(event)
        self.scans += event["done"] == event["of"] and int(event["of"])

    def _on_resumed(self, event: Mapping[str, Any]) -> None:
        self.model, self.findings, self.seconds_left, self.scans = "", [], None, 0
        self.preparing = -1.0  # not measured: what was prepared before is there already

    def _on_skipped(self, event: Mapping[str, Any]) -> None:
        self.skipped[str(event["case"])] = str(event["words"])

    def _on_stage(self, event: Mapping[str, Any]) -> None:
        self.stage = f"stage.{event['stage']}"
        self.number, self.stages = int(event["number"]), int(event["stages"])
        self.done = self.of = 0
        self._first_error = 0.0
        if self.preparing is None:
            self.preparing = self.minutes * 60

    def _on_step(self, event: Mapping[str, Any]) -> None:
        self.share, self.seconds_left = float(event["share"]), float(event["seconds_left"])
        self.memory = dict(event.get("memory") or {})
        error = sum(float(v) for v in event["loss"].values())
        self._first_error = self._first_error or error
        if self._first_error > 0:
            self.errors.append((self.minutes, 100 * error / self._first_error))
        self.errors = _thinned(self.errors)

    def _on_ending(self, event: Mapping[str, Any]) -> None:
        self.stage, self.seconds_left = "progress.ending", None

    def _on_check(self, event: Mapping[str, Any]) -> None:
        self.checks.append((self.minutes, [None if d is None else float(d) for d in event["dice"]]))
        self.checks = _thinned(self.checks)

    def _on_preview(self, event: Mapping[str, Any]) -> None:
        self.previews = _thinned([*self.previews, Preview(str(event["file"]), str(event["case"]), self.minutes)])

    def _on_model(self, event: Mapping[str, Any]) -> None:
        self.model = str(event["model"])

    def _on_verdict(self, event: Mapping[str, Any]) -> None:
        self.findings = [dict(finding) for finding in event["findings"]]
        self.use = str(event.get("use", ""))


def _thinned(points: list[Any]) -> list[Any]:
    """Return the points, every second one where they are too many; the last one always stays."""
    return points if len(points) < 2 * MOST_POINTS else points[1::2]
