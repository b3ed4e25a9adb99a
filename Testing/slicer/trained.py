"""A small model of a real structure, trained once for all tests, in a process of its own and a study of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from bench import REPOSITORY

from MMGLLib.worker import command, environment

SCANS, STEPS = 3, 30
PHANTOMS = """
import sys
from pathlib import Path
from mmgl.demo.hearts import _write_scan
from mmgl.demo.phantom import heart_phantom
from mmgl.imaging.segmentation_files import write_segmentation
folder = Path(sys.argv[1])
for seed in range(4):
    scan, labelmap, structures = heart_phantom(seed, size=48, in_plane=3.6)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_scan(folder / "images" / f"heart-{seed}.nii.gz", scan)
    write_segmentation(folder / "labels" / f"heart-{seed}.seg.nrrd", labelmap, scan.grid, structures)
"""


@cache
def trained() -> tuple[Path, Path]:
    """Return the study of a model that was trained for a few seconds, and a scan it has not seen.

    The scans are of real hippocampi where ``MMGL_DATA`` has them, and of phantom hearts elsewhere.
    """
    folder = Path(tempfile.mkdtemp(prefix="mmgl-trained-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    source = Path(os.environ.get("MMGL_DATA", REPOSITORY.parent / "shared" / "data")) / "hippocampus"
    names = ["--structures", "1=Anterior", "2=Posterior"]
    if not (source / "images").is_dir():
        source, names = folder, []
        run(["-c", PHANTOMS, str(folder)])
    scans = sorted((source / "images").iterdir())
    study, only = folder / "study", [scan.name.split(".")[0] for scan in scans[:SCANS]]
    run(["-m", "mmgl", "study", "new", str(study)])
    arguments = [str(study), str(source / "images"), "--labels", str(source / "labels"), "--only", *only, *names]
    run(["-m", "mmgl", "study", "add", *arguments])
    run(["-m", "mmgl", "train", str(study), "--method", "supervised", "--steps", str(STEPS), "--device", "cpu"])
    return study, scans[SCANS]


def run(arguments: list[str]) -> None:
    """Run Python with the core of this repository."""
    done = subprocess.run(
        [command()[0], *arguments], env=environment(), capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[:4]} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
