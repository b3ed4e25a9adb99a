"""How doubtful each structure usually is, from the check cases: what a result is compared with to be flagged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.imaging.grid import Grid
from mmgl.inference.doubt import Doubt, doubt_of
from mmgl.inference.planes import fuse
from mmgl.networks.unet import UNet
from mmgl.structures import Structure

USUAL = 0.75
"""Share of the check cases whose doubt counts as usual."""


def doubts_on_check_cases(
    network: UNet, cases: Sequence[PreparedCase], plan: Plan, structures: tuple[Structure, ...], device: torch.device
) -> dict[str, float]:
    """Return what is usual for each structure, by name; nothing without check cases."""
    was_training = network.training
    network.eval()
    doubts = []
    for case in cases:
        image = torch.from_numpy(case.image.astype("float32"))
        fused = fuse(network, image, plan, stride=network.stride, device=device)
        z, y, x = image.shape[1:]
        doubts.append(doubt_of(fused, Grid((z, y, x), case.spacing), plan, structures))
    network.train(was_training)
    return usual_doubts(doubts)


def usual_doubts(doubts: Iterable[Doubt]) -> dict[str, float]:
    """Return the doubt of each structure that most cases do not exceed; none for one that was never found."""
    found: dict[str, list[float]] = {}
    for structure in (s for doubt in doubts for s in doubt.structures if s.doubt < 1):
        found.setdefault(structure.structure, []).append(structure.doubt)
    return {name: round(float(np.quantile(values, USUAL)), 4) for name, values in found.items()}
