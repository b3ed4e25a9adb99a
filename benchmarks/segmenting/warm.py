"""From file to file with a warm worker, as the panel in Slicer works: how long does one more scan take?

    python benchmarks/segmenting/warm.py model.mmgl sub-01_T1w.nii.gz --rounds 3

A worker is started and does the scan once; that request includes the start. Then the scan is read, sent, segmented and
written so many times. Told are the seconds of each, the seconds of the worker's processor, and the worker's memory at
most. For Linux, as that is read in ``/proc``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.jobs import Worker
from mmgl.model import read_card

HOME = Path(__file__).resolve().parents[2]
LOOK = 0.02
"""Seconds between two looks at the worker."""


def main() -> None:
    """Print a line for each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    worker = Worker(lambda: (sys.executable, "-m", "mmgl"), lambda: environment)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number in range(options.rounds + 1):
                target = Path(folder) / f"{number}.seg.nrrd"
                begun, before = time.perf_counter(), processor(worker)
                words = file_to_file(worker, options.model, options.scan, target)
                seconds = (
                    f"{time.perf_counter() - begun:.2f} s, of the worker's processor {processor(worker) - before:.2f}"
                )
                print(f"{'warm' if number else 'with the start'}: {words} {seconds}", flush=True)
        print(f"worker's memory at most: {status(worker, 'VmHWM') / 2**20:.2f} GiB")
    finally:
        worker.close()


def file_to_file(worker: Worker, model: Path, path: Path, target: Path) -> str:
    """Segment a scan, and return its size in words."""
    scan = read_scan(path)
    order = worker.ask(scan.array, vars(scan.grid), model, name=path.name, modality=scan.modality, device="cpu")
    while not order.ended:
        time.sleep(LOOK)
    answer = order.answer()
    order.close()
    write_segmentation(target, answer.labelmap, scan.grid, read_card(model).structures)
    return " x ".join(map(str, scan.grid.size)) + ","


def processor(worker: Worker) -> float:
    """Return the processor's seconds that a worker has taken, 0 before it is started."""
    if worker.pid is None:
        return 0.0
    fields = Path(f"/proc/{worker.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(worker: Worker, name: str) -> int:
    """Return a number that the system knows of a worker, in KiB."""
    lines = Path(f"/proc/{worker.pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


if __name__ == "__main__":
    main()
