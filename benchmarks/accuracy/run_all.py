"""Run the table of runs: what has no result yet, in the order of ``runs.py``, several side by side.

    python benchmarks/accuracy/run_all.py --jobs 2
    python benchmarks/accuracy/run_all.py --list
    python benchmarks/accuracy/run_all.py --only data=hippocampus method=mmgl,supervised

Each run is a process of its own. Several queues may share one folder ``--work`` and one file of results: what one of
them is at, the others pass over. When a queue is stopped its runs are stopped, and the next queue goes on with them.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import NamedTuple

from data import find_data
from results import BUSY, add_folders, claimed, lock_file, read_results, result_of
from runs import STEP_SECONDS, STEPS, Run, all_runs

from mmgl.messages import MMGLError
from mmgl.methods import METHODS

AROUND = 120.0
"""Seconds that a run takes beside its steps: preparing, checking, segmenting."""

PATIENCE = 10.0
"""Seconds a stopped run has to end by itself."""

Command = Callable[[Run], list[str]]


class Folders(NamedTuple):
    """Where things are: all data, the work of runs, and the file of results."""

    data: Path
    work: Path
    results: Path


def main() -> int:
    """Run or list what was asked for; return 1 if a run failed."""
    options = _options()
    folders = Folders(options.folder, options.work, options.results)
    runs = chosen(options.only)
    if options.list:
        print_list(runs, folders)
        return 0
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    threads = options.threads or max(1, (os.cpu_count() or 1) // options.jobs)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    try:
        failed = work_off(
            runs, folders, options.jobs, lambda run: command_of(run, folders, options.device), environment
        )
    except KeyboardInterrupt:
        print("stopped; the same command goes on")
        return 130
    return 1 if failed else 0


def work_off(
    runs: Sequence[Run], folders: Folders, jobs: int, command: Command, environment: dict[str, str] | None = None
) -> list[Run]:
    """Run what has no result, ``jobs`` side by side; return what failed. Whatever happens, no child is left behind."""
    waiting = []
    for run in runs:
        if why := missing(run, folders.data):
            print(f"{time.strftime('%H:%M')} missing {run.key}: {why}")
        else:
            waiting.append(run)
    running: dict[Run, subprocess.Popen[bytes]] = {}
    failed = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                run = waiting.pop(0)
                if state(run, folders) == "waiting":
                    running[run] = _start(run, folders, command(run), environment)
            time.sleep(0.1)
            for run, child in list(running.items()):
                if child.poll() is not None:
                    del running[run]
                    if not _told(run, folders, child.returncode):
                        failed.append(run)
    finally:
        _end(running.values())
    return failed


def state(run: Run, folders: Folders) -> str:
    """Return ``done``, ``running`` (here or in another queue) or ``waiting``."""
    if result_of(run, read_results(folders.results)):
        return "done"
    lock = lock_file(run, folders.work)
    if not lock.exists():
        return "waiting"
    with claimed(lock, patience=0.0) as free:
        return "waiting" if free else "running"


def missing(run: Run, data: Path) -> str:
    """Return why a run cannot be done here, or an empty string."""
    return _missing_data(run.data, data) if run.method in METHODS else "There is no such method."


@cache
def _missing_data(name: str, data: Path) -> str:
    try:
        find_data(name, data)
    except MMGLError as error:
        return str(error)
    return ""


def seconds_of(run: Run, results: Sequence[dict[str, object]]) -> float:
    """Return how long a run takes: as long as the last of its kind did, or an estimate."""
    if run.minutes:
        return 60 * run.minutes + AROUND
    alike = [r for r in results if all(r[k] == getattr(run, k) for k in ("track", "data", "method", "steps"))]
    if alike:
        return float(sum(alike[-1]["seconds"].values()))  # type: ignore[attr-defined]
    return (run.steps or STEPS["cpu"]) * STEP_SECONDS[run.method] + AROUND


def print_list(runs: Sequence[Run], folders: Folders) -> None:
    """Print each run with its state, and how much is left. Times on a graphics card are not guessed."""
    results = read_results(folders.results)
    left = 0.0
    for run in runs:
        result = result_of(run, results)
        if result:
            note = f"Dice {result['structures']['mean']['dice']:.3f}, {sum(result['seconds'].values()) / 60:.0f} min"
            print(f"done     {run.key:<60} {note}")
        elif why := missing(run, folders.data):
            print(f"missing  {run.key:<60} {why}")
        else:
            guess = "" if run.track in ("gpu", "published") else f"about {seconds_of(run, results) / 60:.0f} min"
            left += seconds_of(run, results) if guess else 0.0
            print(f"{state(run, folders):<8} {run.key:<60} {guess}")
    print(f"About {left / 3600:.1f} hours of one process are left." if left else "Nothing is left that can be guessed.")


def chosen(only: Sequence[str]) -> list[Run]:
    """Return the runs of the table that all of ``only`` fit; of the track ``cpu`` unless another is asked for."""
    filters = {}
    for text in only:
        key, _, values = text.partition("=")
        keys = [field.name for field in fields(Run)]
        if key not in keys or not values:
            raise SystemExit(f"--only {text}: write it as KEY=VALUE,VALUE with one of {', '.join(keys)}")
        filters[key] = values.split(",")
    filters.setdefault("track", ["cpu"])
    return [run for run in all_runs() if all(str(getattr(run, key)) in values for key, values in filters.items())]


def command_of(run: Run, folders: Folders, device: str) -> list[str]:
    """Return the command line of one run."""
    budget = ["--steps", str(run.steps)] if run.minutes is None else ["--minutes", str(run.minutes)]
    where = ["--folder", str(folders.data), "--work", str(folders.work), "--results", str(folders.results)]
    program = [sys.executable, str(Path(__file__).with_name("run.py")), run.data, "--labelled", str(run.labelled)]
    what = ["--method", run.method, "--seed", str(run.seed), *budget, "--set", run.set, "--track", run.track]
    return [*program, *what, *where, "--device", device, *(["--published"] if run.published else [])]


def _start(
    run: Run, folders: Folders, command: Sequence[str], environment: dict[str, str] | None
) -> subprocess.Popen[bytes]:
    """Start a run whose words go to its log."""
    log = _log(run, folders)
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"{time.strftime('%H:%M')} begins  {run.key}", flush=True)
    with log.open("ab") as file:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment)


def _told(run: Run, folders: Folders, status: int) -> bool:
    """Print how a run ended, and return whether that was well."""
    result = result_of(run, read_results(folders.results))
    if result:
        words = f"done    {run.key}: Dice {result['structures']['mean']['dice']:.3f}"
    elif status == BUSY:
        words = f"passed  {run.key}: another queue is at it"
    else:
        words = f"failed  {run.key}: see {_log(run, folders)}"
    print(f"{time.strftime('%H:%M')} {words}", flush=True)
    return bool(result) or status == BUSY


def _log(run: Run, folders: Folders) -> Path:
    return folders.work / "logs" / f"{run.key}.log"


def _end(children: Sequence[subprocess.Popen[bytes]]) -> None:
    """Stop all children: asked first, then without asking."""
    children = list(children)
    for child in children:
        child.terminate()
    for child in children:
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side (default 1)")
    parser.add_argument("--threads", type=int, help="of each run (default: all cores shared out)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="KEY=VALUE", help="such as method=mmgl,mcsc labelled=3"
    )
    parser.add_argument("--list", action="store_true", help="only say what is done, running and waiting")
    parser.add_argument("--device", default="auto")
    add_folders(parser)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
