"""Peak memory of a training over thousands of unlabelled volumes.

    python benchmarks/memory/many_volumes.py --volumes 2000 --prepared 2000 --work /big/disk

Writes unlabelled 512 x 512 x 300 volumes as sparse files (157 MB each, little on the disk) and one labelled one,
trains a few steps of a method in a process of its own, and prints the largest resident memory it ever had, pages of
mapped files included. ``--prepared`` says how many volumes are prepared by the training, as always; the others are
there already, as links to the first prepared one, because 2,000 prepared volumes take 140 GB and hours. Prints one JSON
line, and ends with status 1 above 4 GiB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from mmgl.data.cache import _files, prepare_case
from mmgl.data.facts import known_facts
from mmgl.data.plan import make_plan
from mmgl.imaging.reading import read_header
from mmgl.imaging.segmentation_files import write_labelmap
from mmgl.methods import USUAL
from mmgl.study import Study
from mmgl.study.statistics import FOLDER, statistics

SIZE = (300, 512, 512)
LIMIT = 4 * 2**30
HEADER = """ObjectType = Image
NDims = 3
DimSize = 512 512 300
ElementSpacing = 0.7 0.7 1.0
ElementType = MET_SHORT
ElementDataFile = {name}.raw
"""


def main() -> None:
    """Write, train, measure."""
    options = _options()
    study = _study(options.work, options.volumes)
    begun = time.monotonic()
    _link(study, options.prepared)
    train = [sys.executable, "-m", "mmgl", "train", str(study), "--device", "cpu", "--name", "measured"]
    _run([*train, "--method", options.method, "--steps", str(options.steps)])
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    events = [json.loads(line) for line in (study / "runs" / "measured" / "events.jsonl").open(encoding="utf-8")]
    result = {
        "method": options.method,
        "volumes": options.volumes,
        "prepared": options.prepared,
        "steps": options.steps,
        "peak_gib": round(peak / 2**30, 2),
        "disk_gb": next(event["needed_gb"] for event in events if event["event"] == "disk"),
        "minutes": round((time.monotonic() - begun) / 60, 1),
    }
    print(json.dumps(result))
    sys.exit(peak > LIMIT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--volumes", type=int, default=2000)
    parser.add_argument("--prepared", type=int, default=40)
    parser.add_argument("--method", default=USUAL)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--work", type=Path, required=True, help="new folder for everything")
    return parser.parse_args()


def _study(folder: Path, volumes: int) -> Path:
    """Write the volumes and a study of them, and return its folder."""
    study = Study.create(folder / "study")
    labelmap = np.zeros(SIZE, np.uint8)
    labelmap[100:200, 200:300, 200:300] = 1
    for number in range(volumes + 1):
        path = _sparse(folder / "volumes", f"volume-{number:05d}", number)
        label = None
        if not number:
            label = folder / "label.nii.gz"
            write_labelmap(label, labelmap, read_header(path).grid)
        study.add_case(path, label=label, meanings={"1": "Block"})
    study.save()
    return study.folder


def _sparse(folder: Path, name: str, number: int) -> Path:
    """Write a volume of zeros with a few bright slices, of which only these take room on the disk."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.mhd").write_text(HEADER.format(name=name), encoding="utf-8")
    with (folder / f"{name}.raw").open("wb") as file:
        file.truncate(2 * int(np.prod(SIZE)))
        file.seek(2 * 512 * 512 * (50 + number % 200))
        file.write(np.full(4096, 900 + number % 100, "<i2").tobytes())
    return folder / f"{name}.mhd"


def _run(command: list[str]) -> None:
    """Run a command, or end with its last words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr[-2000:])


def _link(folder: Path, prepared: int) -> None:
    """Lay links to one prepared volume where the cache looks for all unlabelled ones but the first ``prepared``."""
    study, cache = Study.open(folder), folder / "cache"
    first, *others = study.unlabelled
    if not others[prepared:]:
        return
    facts = [known_facts(c, statistics(c, study.structures, folder / FOLDER)) for c in (study.labelled[0], first)]
    plan = make_plan(facts, free_memory=2**34, on_gpu=False)  # volumes are of one size: more of them change nothing
    prepare_case(study, first, plan, cache)
    source = _files(study, first, plan, cache)
    for case in others[prepared:]:
        for ours, theirs in zip(source, _files(study, case, plan, cache), strict=True):
            os.link(ours, theirs)


if __name__ == "__main__":
    main()
