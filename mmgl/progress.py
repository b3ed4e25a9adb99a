"""One line on the terminal that says in plain words how far a run is."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TextIO

from mmgl.messages import CATALOGUE
from mmgl.wording import fill

WIDTH = 12
"""Of the bar: with the longest words and the time left it fits into 80 columns."""


class ProgressLine:
    """Shows the events of a run as one line that renews itself, and a line of its own for every check.

    Args:
        stream: a terminal; elsewhere (a file, a pipe) only whole lines are written, at stages and checks.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._dice = ""
        self._skipped: set[str] = set()
        self._found: set[str] = set()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._stream.write("\r\x1b[K")
        self._stream.flush()

    def show(self, event: dict[str, Any]) -> None:
        """Show one event of a run."""
        kind = event["event"]
        if kind in ("looking", "preparing") and self._live:
            self._renew(f"{CATALOGUE['progress.' + kind]}  {event['done']} of {event['of']}")
        elif kind == "skipped" and event["case"] not in self._skipped:
            self._skipped.add(event["case"])  # told twice: when looking at the scans and when preparing them
            self._line(f"{fill(CATALOGUE['progress.skipped'], event)} {event['words']}")
        elif kind == "finding" and event["key"] not in self._found:
            self._found.add(event["key"])  # of each kind one; mmgl study check has them all
            self._line(event["words"])
        elif kind == "stage":
            place = f"({event['number']} of {event['stages']})"
            self._line(f"{CATALOGUE['stage.' + event['stage']]} {place}, {event['steps']} steps")
        elif kind == "step" and self._live:
            self._renew(self._step(event))
        elif kind == "again":
            self._line(" ".join(_again(event)))
        elif kind == "ending" and self._live:
            self._renew(CATALOGUE["progress.ending"])
        elif kind == "idle":
            self._line(CATALOGUE["progress.idle"])
        elif kind == "report":
            self._line(fill(CATALOGUE["progress.report"], event))
        elif kind == "resumed":
            self._line(f"{CATALOGUE['progress.resumed']} {event['words']}".rstrip())
        elif kind == "fits" or (kind == "disk" and event["needed_gb"] >= 1):
            self._line(fill(CATALOGUE[f"progress.{kind}"], event))
        elif kind == "verdict":
            for finding in event["findings"]:
                self._line(fill(CATALOGUE[finding["key"]], finding["parameters"]))
        elif kind == "check":
            known = [d for d in event["dice"] if d is not None]
            mean = sum(known) / len(known) if known else float("nan")
            self._dice = f"  Dice {mean:.3f}"
            each = ", ".join("–" if d is None else f"{d:.3f}" for d in event["dice"])
            self._line(f"  step {event['step']:>6}  Dice on the check cases {mean:.3f} ({each})")

    def _step(self, event: dict[str, Any]) -> str:
        """Return the words of a step."""
        share = event["step"] / event["steps"]
        bar = ("█" * round(share * WIDTH)).ljust(WIDTH, "░")
        loss = sum(event["loss"].values())
        words = CATALOGUE["stage." + event["stage"]]
        return f"{words}  {bar} {share:4.0%}  {_time(event['seconds_left'])} left{self._dice}  loss {loss:.3f}"

    def _renew(self, text: str) -> None:
        columns = shutil.get_terminal_size().columns - 1  # a longer line would wrap, and could not renew itself
        self._stream.write(f"\r\x1b[K{text[:columns]}")
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}\n" if self._live else f"{text}\n")
        self._stream.flush()


@contextmanager
def counting(words: str, stream: TextIO | None = None) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that shows on a terminal how many of how many are done; elsewhere nothing is written."""
    line = stream or sys.stderr
    live = line.isatty()

    def show(done: int, of: int) -> None:
        if live:
            line.write(f"\r\x1b[K{words}  {done} of {of}")
            line.flush()

    try:
        yield show
    finally:
        if live:
            line.write("\r\x1b[K")


def _again(event: dict[str, Any]) -> Iterator[str]:
    """Yield what a training starts from, and which structures have come or gone."""
    yield fill(CATALOGUE["progress.again"], event)
    for change in ("new", "gone"):
        if event[change]:
            yield fill(CATALOGUE[f"progress.again_{change}"], {"names": ", ".join(event[change])})


def _time(seconds: float) -> str:
    """Return seconds in the words people use."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
