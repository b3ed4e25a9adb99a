"""How doubtful each structure usually is, from the check cases: what a result is compared with to be flagged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.imaging.grid import Grid
from mmgl.inference.doubt import Doubt, doubt_of
from mmgl.inference.fused import Fused
from mmgl.inference.planes import fuse
from mmgl.networks.unet import UNet
from mmgl.structures import Structure

USUAL = 0.75
"""Share of the check cases whose doubt counts as usual."""


def fused_cases(
    network: UNet, cases: Sequence[PreparedCase], plan: Plan, device: torch.device
) -> Iterator[tuple[PreparedCase, Fused]]:
    """Yield each case with its probabilities on the plan's grid; the network's mode is in the end as it was before."""
    was_training = network.training
    network.eval()
    for case in cases:
        image = torch.from_numpy(case.image.astype("float32"))
        yield case, fuse(network, image, plan, stride=network.stride, device=device)
    network.train(was_training)


def doubt_of_case(case: PreparedCase, fused: Fused, plan: Plan, structures: tuple[Structure, ...]) -> Doubt:
    """Return how doubtful the result of a prepared case is."""
    return doubt_of(fused, Grid(fused.size, case.spacing), plan, structures)


def usual_doubts(doubts: Iterable[Doubt]) -> dict[str, float]:
    """Return the doubt of each structure that most cases do not exceed; none for one that was never found."""
    found: dict[str, list[float]] = {}
    for structure in (s for doubt in doubts for s in doubt.structures if s.doubt < 1):
        found.setdefault(structure.structure, []).append(structure.doubt)
    return {name: round(float(np.quantile(values, USUAL)), 4) for name, values in found.items()}
