"""Kill trainings at random moments, a hundred times, and look whether a model was ever lost or spoiled.

    python benchmarks/reliability/kill_often.py --kills 100 --work /tmp/killed

A training of a small phantom runs as a job and is killed (SIGKILL, its whole tree) after a random time, again and again
until it comes to its end; then the next one begins, until there were enough kills. After every kill both checkpoints
are read and the best one must not have become worse; every finished model must be, bit for bit, that of a training
nobody interrupted. Checkpoints are written every 0.3 s instead of every minute, so that many kills hit the writing.
Prints one JSON line at the end, and ends with status 1 at the first thing that is wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.jobs import Job
from mmgl.jobs import job as job_module
from mmgl.messages import MMGLError
from mmgl.model import read_model
from mmgl.study import Study, Use
from mmgl.training.run import Run

PROGRAM = (
    "import sys; from mmgl.training import loop; loop.SAVE_SECONDS = 0.3; from mmgl.cli import main; sys.exit(main())"
)


def main() -> None:
    """Kill until there were enough kills."""
    options = _options()
    job_module.PROGRAM = ("-c", PROGRAM)
    chance = random.Random(options.seed)
    study = _study(options.work)
    begun = time.monotonic()
    reference = _finish(_start(study, "whole", options.steps), study, "whole")
    length = time.monotonic() - begun
    kills: list[str] = []
    trainings = 0
    while len(kills) < options.kills:
        trainings += 1
        name = f"killed-{trainings}"
        while not (study / "models" / f"{name}.mmgl").exists():
            job = _start(study, name, options.steps)
            if not _killed(job, chance.uniform(0, length)):
                continue
            kills.append(str(job.look().status.get("step", "before the first step")))
            _check_checkpoints(study / "runs" / name)
            print(f"kill {len(kills)}: {name}, step {kills[-1]}", flush=True)
        _same(reference, read_model(study / "models" / f"{name}.mmgl")[1], name)
    while_training = sum(step.isdigit() for step in kills)
    result = {"kills": len(kills), "while_training": while_training, "trainings": trainings, "lost": 0, "spoiled": 0}
    print(json.dumps({**result, "minutes": round((time.monotonic() - begun) / 60, 1)}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=60, help="of each training (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path, required=True, help="new folder for everything")
    return parser.parse_args()


def _study(folder: Path) -> Path:
    """Write a study of four small phantoms, balls in noise, and return its folder."""
    generator = np.random.default_rng(0)
    study = Study.create(folder / "study")
    for number in range(4):
        middle = generator.uniform(14, 26, 3) * (0.3, 1, 1)
        away = np.linalg.norm(np.moveaxis(np.indices((12, 40, 40)), 0, -1) - middle, axis=-1)
        ball = (away < 8).astype(np.uint8)
        files = []
        for kind, array in (
            ("image", (ball * 80 + generator.normal(20, 12, ball.shape)).astype(np.float32)),
            ("label", ball),
        ):
            files.append(folder / f"{kind}-{number}.nrrd")
            sitk.WriteImage(sitk.GetImageFromArray(array), str(files[-1]))
        use = Use.CHECK if number == 3 else Use.TRAIN
        study.add_case(files[0], label=None if number == 2 else files[1], use=use, meanings={"1": "Ball"})
    study.save()
    return study.folder


def _start(study: Path, name: str, steps: int) -> Job:
    """Start a training, or go on with it where it has begun."""
    folder = study / "runs" / name
    arguments = ["train", str(study), "--name", name, "--device", "cpu"]
    asked = ["--resume"] if (folder / "config.json").exists() else ["--steps", str(steps), "--method", "supervised"]
    return Job.start(folder, [*arguments, *asked])


def _killed(job: Job, seconds: float) -> bool:
    """Kill a job after some seconds; return False where it was done before."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not job.look().works:
            break
        time.sleep(0.02)
    look = job.look()
    if look.state in ("failed", "stopped") or (look.state == "lost" and seconds):
        sys.exit(f"{job.folder.name}: {look.state}, {look.words}\n{job.log_tail()}")
    if not look.works:
        return False
    job.kill(at_once=True)
    return True


def _check_checkpoints(run: Path) -> None:
    """End the program unless both checkpoints can be read whole and the best one has not become worse."""
    for name in ("last", "best"):
        try:
            if not (run / f"{name}.safetensors").exists():
                continue
            tensors, state = Run(run).load(name)
        except MMGLError as error:
            sys.exit(f"spoiled: {error}")
        if not tensors or not all(bool(tensor.isfinite().all()) for tensor in tensors.values()):
            sys.exit(f"spoiled: {run / name} holds numbers that are none")
        if name == "best":
            seen = _BEST.get(run, 0.0)
            if state["mean"] < seen:
                sys.exit(f"lost: the best of {run} fell from {seen} to {state['mean']}")
            _BEST[run] = state["mean"]


_BEST: dict[Path, float] = {}


def _finish(job: Job, study: Path, name: str) -> dict[str, np.ndarray]:
    """Wait for a training's end and return the weights of its model."""
    while job.look().works:
        time.sleep(0.1)
    if job.look().state != "finished":
        sys.exit(f"{name}: {job.look().words}\n{job.log_tail()}")
    return read_model(study / "models" / f"{name}.mmgl")[1]


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray], name: str) -> None:
    """End the program unless two sets of weights are equal to the last bit."""
    if first.keys() != second.keys() or not all(np.array_equal(first[k], second[k]) for k in first):
        sys.exit(f"{name} is not the model of a training nobody interrupted")


if __name__ == "__main__":
    main()
