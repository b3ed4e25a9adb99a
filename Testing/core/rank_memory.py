"""What the processes of a test in ``test_ranks.py`` do: train together where the memory of one is too small."""

import sys
from pathlib import Path

import torch

from mmgl.ranks import joined, rank
from mmgl.study import Study
from mmgl.training.budget import Budget
from mmgl.training.loop import Trainer
from mmgl.training.train import train

FITS = 5
"""Slices of a step, for which the memory of process 1 is enough."""


def main(folder: str) -> None:
    """Train a model called ``together`` in the study."""
    torch.set_num_threads(1)
    step = Trainer._step

    def limited(trainer, *arguments):
        if rank() == 1 and trainer.plan.batch > FITS:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return step(trainer, *arguments)

    Trainer._step = limited
    with joined("cpu"):
        train(Study.open(Path(folder)), method="supervised", budget=Budget(steps=2), device="cpu", name="together")


if __name__ == "__main__":
    main(sys.argv[1])
