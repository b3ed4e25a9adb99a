"""``mmgl train``: train or go on, and say at the end what came of it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mmgl.messages import MMGLError

if TYPE_CHECKING:
    from mmgl.training.budget import Budget

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it."""


def run_train(options: argparse.Namespace) -> int:
    """Train; the first Ctrl-C keeps what was learned so far, a second one stops at once."""
    from mmgl.device import keep_memory
    from mmgl.manners import awake, stand_back
    from mmgl.progress import ProgressLine
    from mmgl.ranks import joined, rank, world
    from mmgl.study import Study
    from mmgl.training.train import resume, train

    study, budget = Study.open(options.study), _budget(options)
    keep_memory()
    stand_back()
    with joined(options.device), ProgressLine() as progress, _asked_to_stop() as stop, awake():
        try:
            if options.resume:
                name = interrupted(study.folder, options.name)
                path = resume(study, name, device=options.device, on_event=progress.show, stop=stop)
            else:
                path = train(
                    study,
                    method=options.method,
                    budget=budget,
                    seed=options.seed,
                    device=options.device,
                    name=options.name,
                    published=options.published,
                    start=options.again,
                    planes=options.planes,
                    on_event=progress.show,
                    stop=stop,
                )
        except MMGLError as error:
            if not error.key.startswith("run.stopped"):
                raise
            print(f"\nmmgl: {error}", file=sys.stderr)
            if error.key != "run.stopped_before":
                print(f"mmgl train {options.study} --resume --name {error.parameters['name']}", file=sys.stderr)
            return 0 if world() > 1 else STOPPED  # torchrun takes any other status for a crash
        if not rank():
            print(f"Model written: {path}")
    return 0


def _budget(options: argparse.Namespace) -> Budget:
    """Return the budget asked for; one of 15 minutes where none was."""
    from mmgl.training.budget import Budget

    if options.steps is not None or options.minutes is not None:
        return Budget(options.steps, options.minutes)
    return Budget.of_words(options.time)


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Yield a question that is answered with yes after the first Ctrl-C; the second one is Python's own.

    What torchrun and job schedulers send to their processes before they end them counts as Ctrl-C does, as often as it
    comes: a scheduler tells both torchrun and its processes, and torchrun tells them again.
    """
    asked: list[int] = []
    torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    heard = [signal.SIGINT] + [signal.SIGTERM] * torchrun
    if threading.current_thread() is not threading.main_thread():
        heard = []
    before = {number: signal.getsignal(number) for number in heard}

    def note(number: int, frame: object) -> None:
        asked.append(number)
        if not torchrun:
            signal.signal(number, before[signal.Signals(number)])

    for number in heard:
        signal.signal(number, note)
    try:
        yield lambda: bool(asked)
    finally:
        for number in heard:
            signal.signal(number, before[number])


def interrupted(folder: Path, name: str) -> str:
    """Return the name of the training to go on with: ``name``, or the latest that left no model or no verdict on it."""
    from mmgl.training.ending import is_complete

    if name:
        return name
    runs = [config.parent for config in (folder / "runs").glob("*/config.json")]
    runs = [run for run in runs if not is_complete(run, folder / "models" / f"{run.name}.mmgl")]
    if not runs:
        raise MMGLError("run.unknown", name="at all")
    return max(runs, key=lambda run: run.stat().st_mtime).name
