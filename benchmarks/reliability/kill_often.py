"""Kill trainings at random moments, a hundred times, and look whether a model was ever lost or spoiled.

    python benchmarks/reliability/kill_often.py --kills 100 --work /tmp/killed

A training of a small phantom runs in a process of its own, which the kernel ends, as SIGKILL does, after a random time
of the processor, whatever else the computer does; again and again until it comes to its end; then the next one begins,
until there were enough kills. After every kill both checkpoints are read and the best one must not have become worse;
every finished model must be, bit for bit, that of a training nobody interrupted. Checkpoints are written after every
step instead of every minute, so that many kills hit the writing. Prints one JSON line at the end, and ends with status
1 at the first thing that is wrong. Needs fork.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.jobs import Job
from mmgl.messages import MMGLError
from mmgl.model import read_model
from mmgl.study import Study, Use
from mmgl.training import loop
from mmgl.training.budget import Budget
from mmgl.training.ending import is_complete
from mmgl.training.run import Run
from mmgl.training.train import resume, train

FORK = multiprocessing.get_context("fork")  # torch is imported once, not a hundred times


def main() -> None:
    """Kill until there were enough kills."""
    options = _options()
    loop.SAVE_SECONDS = 0.0
    chance = random.Random(options.seed)
    study = _study(options.work)
    begun = time.monotonic()
    _end(study, "whole", options.steps)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    length = used.ru_utime + used.ru_stime
    reference = _model(study, "whole")
    kills: list[str] = []
    trainings = 0
    while len(kills) < options.kills:
        trainings += 1
        name = f"killed-{trainings}"
        while not is_complete(study / "runs" / name, study / "models" / f"{name}.mmgl"):
            code = _end(study, name, options.steps, chance.uniform(0.01, length))
            if code == -signal.SIGPROF:
                kills.append(_where(study / "runs" / name))
                print(f"kill {len(kills)}: {name}, {kills[-1]}", flush=True)
            elif code:
                sys.exit(f"{name} failed: {Job(study / 'runs' / name).look().words}")
            _check_checkpoints(study / "runs" / name)
        _same(reference, _model(study, name), name)
    while_training = sum(where.startswith("step") for where in kills)
    result = {"kills": len(kills), "while_training": while_training, "trainings": trainings, "lost": 0, "spoiled": 0}
    print(json.dumps({**result, "minutes": round((time.monotonic() - begun) / 60, 1)}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--steps", type=int, default=40, help="of each training (default 40)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--work", type=Path, required=True, help="new folder for everything")
    return parser.parse_args()


def _study(folder: Path) -> Path:
    """Write a study of four small phantoms, balls in noise, and return its folder."""
    generator = np.random.default_rng(0)
    study = Study.create(folder / "study")
    for number in range(4):
        middle = generator.uniform(12, 20, 3) * (0.3, 1, 1)
        away = np.linalg.norm(np.moveaxis(np.indices((8, 32, 32)), 0, -1) - middle, axis=-1)
        ball = (away < 6).astype(np.uint8)
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


def _end(study: Path, name: str, steps: int, killed: float = 0.0) -> int | None:
    """Start a training, or go on with it where it has begun; return its exit status when it is over.

    Args:
        killed: seconds of the processor after which it is ended; never at 0.
    """
    process = FORK.Process(target=_work, args=(study, name, steps, killed))
    process.start()
    process.join()
    return process.exitcode


def _work(folder: Path, name: str, steps: int, killed: float) -> None:
    signal.setitimer(signal.ITIMER_PROF, killed)  # nobody handles its signal, so that nothing can be tidied up
    study = Study.open(folder)
    if (folder / "runs" / name / "config.json").exists():
        resume(study, name, device="cpu")
    else:
        train(study, name=name, method="supervised", budget=Budget(steps=steps), device="cpu")


def _where(run: Path) -> str:
    """Return how far a training was when it was killed, after a look at what a front end sees of it."""
    look = Job(run).look()
    if look.state == "new":
        return "before its first word"
    if look.state != "lost":
        sys.exit(f"{run.name} was killed and seems to be {look.state}")
    step = look.status.get("step")
    return f"step {step}" if step else "before the first step"


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


def _model(study: Path, name: str) -> dict[str, np.ndarray]:
    """Return the weights of a model; reading it checks its sum."""
    return read_model(study / "models" / f"{name}.mmgl")[1]


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray], name: str) -> None:
    """End the program unless two sets of weights are equal to the last bit."""
    if first.keys() != second.keys() or not all(np.array_equal(first[k], second[k]) for k in first):
        sys.exit(f"{name} is not the model of a training nobody interrupted")


if __name__ == "__main__":
    main()
