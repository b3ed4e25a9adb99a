"""Slices per second of our training step against the usual loop of the field: python benchmarks/speed/training.py

Both train the same U-Net on batches of 8 slices of 256 x 256 pixels, each in a process of its own, because how a
process keeps its memory is part of what is compared. They take steps in turns, so that other work on the computer meets
both alike. Time of the processor is told beside time on the clock; on a computer that is not quiet, believe the former,
with ``--threads 1``. In units of slices that pass the network: two views of a slice are two.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

STRUCTURES, SIDE, BATCH, WIDTH = 3, 256, 8, 16

LOOPS = (
    "usual",
    "usual deep",
    "supervised",
    "mmgl global",
    "mmgl local",
    "mmgl segmentation",
    "mmgl+ segmentation",
    "mmgl+ semi-supervised",
)


@dataclass
class Taken:
    """What one step took: seconds of the processor and on the clock, and those of its batch."""

    processor: float
    clock: float
    batch: float
    slices: int


def main() -> None:
    """Print what each loop takes, and the ratio to the usual one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="steps of each loop, in turns")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        workers: dict[str, tuple[Any, Connection]] = {}
        for name in options.loops:
            here, there = context.Pipe()
            process = context.Process(target=work, args=(name, folder, options.device, there), daemon=True)
            process.start()
            workers[name] = process, here
            here.recv()
        taken: dict[str, list[Taken]] = {name: [] for name in workers}
        for _ in range(options.rounds):
            for name, (_, pipe) in workers.items():
                pipe.send("step")
                taken[name].append(pipe.recv())
        outside = {}
        for name, (process, pipe) in workers.items():
            pipe.send("profile")
            outside[name] = pipe.recv()
            pipe.send("end")
            process.join()
    show(taken, outside, options.threads)


def show(taken: dict[str, list[Taken]], outside: dict[str, float], threads: int) -> None:
    """Print the medians, from the lowest to the highest of the rounds."""
    print(f"{BATCH} slices of {SIDE} x {SIDE}, U-Net of width {WIDTH}, {threads} threads; slices per second")
    print(f"{'loop':21} {'clock':>22} {'processor':>22} {'ratio':>6} {'batch':>6} {'not convolving':>15}")
    usual = None
    for name, steps in taken.items():
        clock, processor = ([t.slices / getattr(t, kind) for t in steps] for kind in ("clock", "processor"))
        usual = usual or statistics.median(processor)
        ratio = statistics.median(processor) / usual
        batch = sum(t.batch for t in steps) / sum(t.processor for t in steps)
        print(f"{name:21} {spread(clock)} {spread(processor)} {ratio:6.2f} {batch:6.1%} {outside[name]:15.1%}")
    print("ratio: of processor time to the first loop; batch: share of the step for drawing and augmenting")
    print("usual deep: the usual loop with the loss at three scales that ours has")


def spread(values: list[float]) -> str:
    """Return the median and the range of values."""
    return f"{statistics.median(values):7.2f} ({min(values):5.2f}-{max(values):5.2f})"


def work(name: str, folder: str, device: str, pipe: Connection) -> None:
    """Take steps of one loop whenever asked."""
    import torch

    torch.manual_seed(0)
    watch = Watch(device)
    theirs = name.startswith("usual")
    step, slices = usual(watch, deep=name == "usual deep") if theirs else ours(name, Path(folder), device, watch)
    for _ in range(2):
        step()
    pipe.send("ready")
    while (asked := pipe.recv()) != "end":
        if asked == "profile":
            pipe.send(not_convolving(step))
            continue
        watch.seconds = 0.0
        begun = time.process_time(), time.perf_counter()
        step()
        watch.wait()
        pipe.send(Taken(time.process_time() - begun[0], time.perf_counter() - begun[1], watch.seconds, slices))


class Watch:
    """Adds up the seconds of the processor that a function takes."""

    def __init__(self, device: str) -> None:
        self.device, self.seconds = device, 0.0

    def wait(self) -> None:
        """Wait until the device has done all it was given."""
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is watched."""

        def watched(*arguments: Any) -> Any:
            begun = time.process_time()
            result = function(*arguments)
            self.wait()
            self.seconds += time.process_time() - begun
            return result

        return watched


def not_convolving(step: Callable[[], object]) -> float:
    """Return the share of a step's operators, by their time on the processor, that are not convolutions."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        step()
    if os.environ.get("MMGL_PROFILE"):
        print(profiler.key_averages().table(sort_by="self_cpu_time_total", row_limit=25))
    table = [(row.key, row.self_cpu_time_total) for row in profiler.key_averages()]
    inside = sum(t for key, t in table if "conv" in key)
    return float(1 - inside / sum(t for _, t in table))


def usual(watch: Watch, *, deep: bool) -> tuple[Callable[[], object], int]:
    """Return what takes a step of the usual loop, and its slices."""
    import numpy as np
    from usual import UsualLoop

    from mmgl.networks.unet import UNet

    image, labelmap = scan()
    images, labels = image[0].astype(np.float32)[:, :232], labelmap[:, :232]
    loop = UsualLoop(
        UNet(1, STRUCTURES + 1, WIDTH), images, labels.astype(np.uint8), STRUCTURES + 1, BATCH, SIDE, deep=deep
    )
    loop.draw = watch.around(loop.draw)
    return loop.step, BATCH


def ours(name: str, folder: Path, device: str, watch: Watch) -> tuple[Callable[[], object], int]:
    """Return the same of a stage of our own loop, with all that belongs to a step of a real training."""
    import numpy as np
    import torch

    from mmgl.data.cache import PreparedCase
    from mmgl.data.plan import Normalisation, Plan
    from mmgl.data.slices import SliceSampler
    from mmgl.device import bfloat16_pays, keep_memory
    from mmgl.methods import build_method
    from mmgl.structures import Structure
    from mmgl.training.loop import Trainer
    from mmgl.training.optimiser import optimiser_of
    from mmgl.training.run import Run

    keep_memory()
    own = folder / name.replace(" ", "-")
    own.mkdir()
    image, labelmap = scan()
    np.save(own / "image.npy", image.astype(np.float16))
    np.save(own / "labelmap.npy", labelmap.astype(np.int16))
    case = PreparedCase("case", "case", own / "image.npy", own / "labelmap.npy", (10.0, 1.0, 1.0))
    where = torch.device(device)
    pays = bfloat16_pays(where)
    plan = Plan((None, 1.0, 1.0), ("axial",), SIDE, (Normalisation("scan"),), WIDTH, batch=BATCH, bfloat16=pays)
    method = build_method(name.split()[0], plan, STRUCTURES)
    method.to(where, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    structures = [Structure(i, str(i), (255, 0, 0)) for i in range(1, STRUCTURES + 1)]
    sampler = SliceSampler([case], plan, torch.Generator().manual_seed(0))
    trainer = Trainer(method, sampler, [], plan, structures, Run(own), where)
    (stage,) = (s for s in method.stages if s.name == [*name.split(), "segmentation"][1])
    optimiser = optimiser_of(stage)
    if stage.labeller:
        trainer.pseudo_labels.extend(stage.labeller, 0)
    batch = stage.batch(sampler, where)
    slices = sum(len(images) for images in [*batch.views, *batch.unlabelled] if images.ndim == 4)
    stage.batch = watch.around(stage.batch)  # type: ignore[method-assign]
    return lambda: trainer._step(stage, optimiser, 0.5), slices


def scan() -> tuple[Any, Any]:
    """Return a scan (1, 40, 256, 256) of smooth noise and a labelmap (40, 256, 256) of its levels."""
    import numpy as np
    from scipy import ndimage

    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((40, SIDE, SIDE)), (0, 6, 6))
    noise /= noise.std()
    return noise[None], np.digitize(noise, [0.5, 1.0, 1.5])


if __name__ == "__main__":
    main()
