"""Does a folder run that is killed twice and resumed give what an undisturbed one gives?

    MMGL_DATA=data python benchmarks/segmenting/killed.py hippocampus model.mmgl --use val
    MMGL_DATA=data python benchmarks/segmenting/killed.py acdc model.mmgl --use test

All scans of these patients are segmented once undisturbed, and once in a process that is killed when a third and two
thirds of the results are there. Told is whether ``results.csv`` is the same but for the seconds, whether every result
is the same to the byte, and whether anything was left behind.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAIT = 0.05
"""Seconds between two looks at the results."""


def main() -> None:
    """Print what came out; the exit status is 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model", type=Path)
    parser.add_argument("--use", choices=["train", "val", "test"], default="val")
    parser.add_argument("--patients", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    options = parser.parse_args()
    data = options.folder / options.data
    names = json.loads((data / "splits.json").read_text(encoding="utf-8"))[options.use][: options.patients]
    with tempfile.TemporaryDirectory(prefix="mmgl-killed-") as temporary:
        work = Path(temporary)
        scans = [
            s
            for s in sorted((data / "images").iterdir())
            if s.name.startswith(tuple(f"{n}{e}" for n in names for e in "_."))
        ]
        (work / "scans").mkdir()
        for scan in scans:
            (work / "scans" / scan.name).symlink_to(scan.resolve())
        command = [sys.executable, "-m", "mmgl", "segment", str(options.model), str(work / "scans"), "--output"]
        subprocess.run([*command, str(work / "whole")], check=True, stdout=subprocess.DEVNULL)
        killed = []
        for share in (1 / 3, 2 / 3):
            process = subprocess.Popen([*command, str(work / "killed")], stdout=subprocess.DEVNULL)
            while process.poll() is None and len(results(work / "killed")) < share * len(scans):
                time.sleep(WAIT)
            process.kill()
            process.wait()
            killed.append(len(results(work / "killed")))
        subprocess.run([*command, str(work / "killed")], check=True, stdout=subprocess.DEVNULL)
        same = [
            table(work / "whole") == table(work / "killed"),
            [(p.name, p.read_bytes()) for p in results(work / "whole")]
            == [(p.name, p.read_bytes()) for p in results(work / "killed")],
            not list((work / "killed").rglob(".writing-*")),
        ]
    print(f"{options.data}: {len(scans)} scans, killed at {killed[0]} and {killed[1]} results")
    print("results.csv the same: {}; results the same: {}; nothing left behind: {}".format(*same))
    sys.exit(not all(same))


def results(folder: Path) -> list[Path]:
    """Return the results in a folder."""
    return sorted(p for p in folder.rglob("*.seg.nrrd") if not p.name.startswith("."))


def table(folder: Path) -> list[list[str]]:
    """Return the table without the seconds, which differ from run to run."""
    with (folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


if __name__ == "__main__":
    main()
