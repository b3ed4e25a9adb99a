"""The file of results: one JSON line a run, appended whole or not at all, and locks that end with their process."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from runs import SETTINGS, Run

from mmgl.jobs.lock import lock

RESULTS = Path(__file__).with_name("results.jsonl")
BUSY = 75
"""Exit status of a run that another process is at."""

Record = dict[str, Any]


def add_folders(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where data, work and results are."""
    data = Path(os.environ.get("MMGL_DATA", "../shared/data"))
    work = Path(tempfile.gettempdir()) / "mmgl-benchmark"
    parser.add_argument("--folder", type=Path, default=data, help="of the data sets (default: MMGL_DATA)")
    parser.add_argument("--work", type=Path, default=work, help=f"for studies and cropped scans (default {work})")
    parser.add_argument("--results", type=Path, default=RESULTS)


def read_results(path: Path) -> list[Record]:
    """Return the results that were measured with the settings of today, in the order in which they were first written.

    A line that was cut short counts for nothing: its run is measured again. Of a run that was measured again, only the
    last line counts.
    """
    latest = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record.get("settings") == SETTINGS:
            latest[tuple(record.get(field.name) for field in fields(Run))] = record
    return list(latest.values())


def result_of(run: Run, results: list[Record]) -> Record | None:
    """Return the result of a run, or None while there is none."""
    wanted = run.to_json()
    return next((record for record in results if all(record.get(key) == wanted[key] for key in wanted)), None)


def append_result(path: Path, record: Record) -> None:
    """Append one line, in one write and under a lock; a line that someone left unfinished is closed first."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        while not lock(file):
            time.sleep(0.05)
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def lock_file(run: Run, work: Path) -> Path:
    """Return the file that the process which is at a run has locked."""
    return work / "locks" / run.key


@contextmanager
def claimed(path: Path, patience: float = 2.0) -> Iterator[bool]:
    """Yield whether this process now holds the lock on ``path``; the system lets go of it however the process ends.

    Args:
        path: a file that is only there to be locked.
        patience: seconds to wait for somebody who only looks whether it is held.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + patience
    with path.open("a+b") as file:
        held = lock(file)
        while not held and time.monotonic() < until:
            time.sleep(0.05)
            held = lock(file)
        yield held
