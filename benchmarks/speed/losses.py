"""Time and memory of the contrastive loss against the broadcast form: python benchmarks/speed/losses.py

The broadcast form of 4,096 vectors of 128 numbers takes more memory than most computers have, so it runs forwards only
and a few rows at a time there, which flatters it; ours runs forwards and backwards.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.losses.contrastive import nt_xent

ROWS = 64
"""Of the broadcast form at once."""


def main() -> None:
    """Print the seconds of both and their ratio."""
    print("vectors  ours forward and backward  broadcast forward only  ratio")
    for count in (1024, 4096):
        z = torch.randn(count, 128)
        ours, theirs = best_of(lambda z=z: forward_and_backward(z)), best_of(lambda z=z: broadcast(z), 1)
        print(f"{count:7}  {ours:25.3f}  {theirs:22.2f}  {theirs / ours:5.0f}")


def forward_and_backward(z: Tensor) -> None:
    """Compute our loss and its gradient."""
    z = z.clone().requires_grad_()
    half = len(z) // 2
    nt_xent(z[:half], z[half:], 0.1).backward()


def broadcast(z: Tensor) -> None:
    """Compute all similarities as the published programs of PCL and MONAI do, some rows at a time."""
    for rows in z.split(ROWS):
        F.cosine_similarity(rows[:, None], z[None], dim=2).div(0.1).exp().sum(1).log()


def best_of(work: Callable[[], None], times: int = 3) -> float:
    """Return the seconds of the fastest of several runs."""
    seconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return min(seconds)


if __name__ == "__main__":
    main()
