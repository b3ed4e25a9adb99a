"""Which parameters of the dense CRF are best for a model, chosen on its check cases; none where none of them helps.

What helps on one kind of scan spoils another: parameters fitted on hearts gave hearts 3 points of Dice and took 37
from hippocampi. So parameters count only if they help on cases that had no say in choosing them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.imaging.grid import Array, Grid
from mmgl.inference.crf import Crf
from mmgl.inference.fused import Fused
from mmgl.inference.planes import fuse
from mmgl.inference.refining import FITTED, refine_fused
from mmgl.networks.unet import UNet

CANDIDATES = (
    FITTED,
    *(replace(FITTED, appearance=FITTED.appearance * factor) for factor in (0.1, 0.3)),
    *(replace(FITTED, appearance=FITTED.appearance * factor, intensity=0.1) for factor in (0.1, 0.3, 1.0)),
)
"""Around what was best on hearts: weaker, and with an eye for fainter edges."""

GAIN = 0.002
"""Dice that the parameters must give to cases that had no say."""

FEWEST, MOST = 4, 12
"""Check cases without which nothing is chosen, and that are looked at; of two patients at least."""


def fit_crf(
    network: UNet,
    cases: Sequence[PreparedCase],
    plan: Plan,
    device: torch.device,
    candidates: Sequence[Crf] = CANDIDATES,
) -> Crf | None:
    """Return the parameters that are best for a network, or None where refining does not help it.

    Each half of the patients chooses for the other one. Only if both choices help are those taken that are best for
    all.

    Args:
        network: after training.
        cases: the check cases, on the plan's grid.
    """
    labelled = [case for case in cases if case.labelmap_file is not None]
    count = min(MOST, len(labelled))
    chosen = [labelled[i * len(labelled) // count] for i in range(count)]
    patients = list(dict.fromkeys(case.patient for case in chosen))
    if len(chosen) < FEWEST or len(patients) < 2:
        return None
    was_training = network.training
    network.eval()
    rows = np.array([_dices(network, case, plan, device, candidates) for case in chosen])
    network.train(was_training)
    return best_of(rows, np.array([patients.index(case.patient) % 2 for case in chosen]), candidates)


def best_of(rows: Array, half: Array, candidates: Sequence[Crf]) -> Crf | None:
    """Return the best parameters, or None.

    Args:
        rows: Dice of each case, first without refining and then with each of the candidates.
        half: 0 or 1 for each case.
    """
    gains = rows[:, 1:] - rows[:, :1]
    halves = gains[half == 0].mean(0), gains[half == 1].mean(0)
    for chooses, judges in (halves, halves[::-1]):
        if judges[chooses.argmax()] < GAIN:
            return None
    return candidates[int(gains.mean(0).argmax())]


def _dices(
    network: UNet, case: PreparedCase, plan: Plan, device: torch.device, candidates: Sequence[Crf]
) -> list[float]:
    """Return the mean Dice of the structures of a case without refining and with each of the candidates."""
    image, labelmap = torch.from_numpy(case.image.astype("float32")), np.asarray(case.labelmap)
    fused = fuse(network, image, plan, stride=network.stride, device=device)
    z, y, x = image.shape[1:]
    found = [_dice(fused, labelmap)]
    for crf in candidates:
        changed = copy.deepcopy(fused)
        refine_fused(changed, image, Grid((z, y, x), case.spacing), plan, crf=crf)
        found.append(_dice(changed, labelmap))
    return found


def _dice(fused: Fused, labelmap: Array) -> float:
    """Return the mean Dice of the structures that either has, where something is known; 1 where there are none."""
    known = labelmap >= 0
    found = fused.tensor().argmax(0).cpu().numpy()[known]
    wanted = labelmap[known]
    scores = []
    for value in range(1, fused.outputs):
        first, second = found == value, wanted == value
        if total := int(first.sum() + second.sum()):
            scores.append(2 * int((first & second).sum()) / total)
    return float(np.mean(scores)) if scores else 1.0
