"""How much faster is it than other ways to segment a scan with the same trained weights?

    python benchmarks/segmenting/speed.py model.mmgl --scan patient001_frame01.nii.gz --rounds 5

A scan of 256 x 256 x 160 voxels is made of the one given, with the pixels that the model works at, so that nothing is
enlarged. Each way (``ways.py``) waits in a warm process of its own, and they are asked in turns: array to array, and
file to file. Told are the median, the lowest and the highest, of seconds and of the processor's seconds (user and
system, all threads), which other work on the computer changes less; how much longer than ours; and how many voxels
get the same label. The model must segment in axial slices. ``--ways ours nnunet nnunet-mirrored`` times the predictor
of nnU-Net v2 (``nnunet.py``) too, which has its own network with random weights, 4 times as large.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import SimpleITK as sitk

from mmgl.data.plan import Plan
from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Grid
from mmgl.imaging.reading import read_scan
from mmgl.imaging.resampling import resample
from mmgl.model import read_card

WAYS = ("ours", "fast", "monai-8", "monai-4", "monai-2", "monai-1", "loop")
OTHER_NETWORK = ("nnunet", "nnunet-mirrored")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--scan", type=Path, required=True)
    parser.add_argument("--size", type=int, nargs=3, default=[160, 256, 256], help="z, y, x")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=(*WAYS, *OTHER_NETWORK))
    options = parser.parse_args()
    threads = os.environ.get("OMP_NUM_THREADS", "as many as cores")
    print(f"{os.cpu_count()} cores, threads: {threads}, load at the start {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="mmgl-speed-") as temporary:
        folder = Path(temporary)
        make_scan(options.scan, folder / "scan.nii.gz", options.size, read_card(options.model).plan)
        arguments = [str(options.model), str(folder / "scan.nii.gz"), str(folder)]
        ways = {name: Way(name, arguments) for name in options.ways}
        try:
            for way in ways.values():
                way.ask("save")
            for what in ("array", "file"):
                seconds: dict[str, list[dict[str, float]]] = defaultdict(list)
                for _ in range(options.rounds):
                    for name, way in ways.items():
                        seconds[name].append(way.ask(what))
                tell(what, seconds)
        finally:
            for way in ways.values():
                way.end()
        ours = np.load(folder / "ours.npy")
        shares = ", ".join(f"{100 * (np.bincount(ours.ravel(), minlength=4) / ours.size)[i]:.1f} %" for i in range(4))
        print(f"voxels of each value: {shares}")
        for name in (way for way in options.ways if way not in OTHER_NETWORK):
            print(f"labels of {name} the same as ours: {100 * (np.load(folder / f'{name}.npy') == ours).mean():.4f} %")


class Way:
    """A warm process that segments when it is asked to."""

    def __init__(self, name: str, arguments: list[str]) -> None:
        command = [sys.executable, str(Path(__file__).with_name("ways.py")), name, *arguments]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def ask(self, what: str) -> dict[str, float]:
        """Return the seconds that one run took."""
        assert self._process.stdin
        self._process.stdin.write(f"{what}\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())


def make_scan(source: Path, target: Path, size: list[int], plan: Plan) -> None:
    """Write a scan of the size wanted with the pixels of the plan."""
    voxels = resample(read_scan(source).array[0].astype(np.float32), (size[0], size[1], size[2]))
    _, y, x = plan.spacing
    sitk.WriteImage(image_of(voxels.astype(np.int16), Grid((size[0], size[1], size[2]), (2.0, y, x))), str(target))


def tell(what: str, seconds: dict[str, list[dict[str, float]]]) -> None:
    """Print a table."""
    print(f"\n{what} to {what}: seconds, of the processor, memory at most; median (lowest to highest)")
    first = next(iter(seconds))
    for name, runs in seconds.items():
        columns = []
        for key in ("wall", "processor"):
            values = [run[key] for run in runs]
            ratio = median(values) / median(run[key] for run in seconds[first])
            columns.append(f"{median(values):7.2f} ({min(values):.2f} to {max(values):.2f}) x{ratio:.2f}")
        print(f"  {name:8} {columns[0]}   {columns[1]}   {max(run['peak'] for run in runs):.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
