"""Memory and time of a large CT: python benchmarks/segmenting/memory.py [--size 600 512 512] [--every 1]

A synthetic CT is segmented on a plan of its own spacing, in three planes, with a network of random weights, and the
highest memory of the process beyond the volume itself is told. With --every N only every N-th batch of slices goes
through the whole network and the others through a single convolution, so that a processor is done in minutes; the
memory is the same. With --files the CT is read from a NIfTI file and the result written to a ``.seg.nrrd`` file, and
the CT counts as the volume itself once.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor, nn

from mmgl import Predictor
from mmgl.data.plan import PLANES, Normalisation, Plan
from mmgl.device import keep_memory
from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.inference.files import Writer
from mmgl.inference.predictor import network_of
from mmgl.model import Card, write_model
from mmgl.structures import PALETTE, Structure


class Sparing(nn.Module):
    """A network that is itself for every N-th batch only."""

    def __init__(self, network: nn.Module, outputs: int, every: int) -> None:
        super().__init__()
        self.network, self.every, self.stride, self.calls = network, every, network.stride, 0
        self.cheap = nn.Conv2d(1, outputs, 1)

    def forward(self, slices: Tensor) -> Tensor:
        """Return the logits of one or the other."""
        self.calls += 1
        return self.network(slices) if self.calls % self.every == 1 % self.every else self.cheap(slices)


def main() -> None:
    """Print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs=3, default=[600, 512, 512])
    parser.add_argument("--structures", type=int, default=8)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--files", action="store_true")
    options = parser.parse_args()
    keep_memory()
    torch.manual_seed(0)
    spacing = (0.8, 0.8, 0.8)
    normalisation = (Normalisation("fixed", -1000.0, 800.0, -200.0, 400.0),)
    plan = Plan(spacing, PLANES, 128, normalisation)
    structures = tuple(Structure(i + 1, f"Structure {i + 1}", PALETTE[i % 10]) for i in range(options.structures))
    card = Card("memory", structures, plan, "supervised")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memory.mmgl"
        write_model(path, card, {k: v.numpy() for k, v in network_of(card).state_dict().items()})
        predictor = Predictor(path, options.device)
    predictor.network = Sparing(predictor.network, options.structures + 1, options.every).to(predictor.device)
    generator = np.random.default_rng(0)
    array = np.empty((1, *options.size), np.int16)
    for slab in array[0]:
        slab[:] = generator.integers(-1000, 800, slab.shape, dtype=np.int16)
    volume, grid = array.nbytes / 2**30, Grid(tuple(options.size), spacing)
    before = _peak()
    if options.files:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ct.nii.gz"
            write_in_a_process_of_its_own(file, array, grid)
            del array
            begun = time.monotonic()
            (written,) = Writer(predictor).write(file, Path(folder) / "result")
            seconds, labelmap = time.monotonic() - begun, written.result.labelmap
    else:
        begun = time.monotonic()
        labelmap = predictor.result(Scan(array, grid, "CT")).labelmap
        seconds = time.monotonic() - begun
    print(f"{len(np.unique(labelmap[::40]))} values, {seconds:.1f} s on {predictor.device}")
    print(f"volume {volume:.2f} GiB, before {before:.2f} GiB, peak {_peak():.2f} GiB")
    print(f"beyond the volume and the program: {_peak() - before:.2f} GiB")
    print(f"whole process beyond the volume: {_peak() - volume:.2f} GiB")
    if predictor.device.type == "cuda":
        print(f"on the card: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")


def write_in_a_process_of_its_own(file: Path, array: np.ndarray, grid: Grid) -> None:
    """Write a scan without a trace in the memory of this process."""
    process = get_context("fork").Process(target=lambda: sitk.WriteImage(image_of(array[0], grid), str(file)))
    process.start()
    process.join()


def _peak() -> float:
    """Return the highest memory of this process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
