"""Checking the network on the check cases while it trains, to choose the best one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.inference.planes import fused_probabilities
from mmgl.networks.unet import UNet
from mmgl.structures import UNLABELLED


def dice_on_check_cases(
    network: UNet, cases: Sequence[PreparedCase], plan: Plan, structures: int, device: torch.device
) -> list[float]:
    """Return the mean Dice of each structure over the check cases, on the plan's grid.

    Voxels where a structure is not labelled do not count for it. A structure that is absent from a case and was not
    found either does not count for that case; a structure absent from all cases gives NaN.
    """
    was_training = network.training
    network.eval()
    rows = [_dice(network, case, plan, structures, device) for case in cases]
    network.train(was_training)
    return [float(v) for v in torch.stack(rows).nanmean(0)]


def _dice(network: UNet, case: PreparedCase, plan: Plan, structures: int, device: torch.device) -> Tensor:
    """Return the Dice of each structure in one case; NaN where there is nothing to compare."""
    if case.labelmap is None:
        return torch.full((structures,), float("nan"))
    image = torch.from_numpy(case.image.astype("float32"))
    probabilities = fused_probabilities(network, image, plan, stride=network.stride, device=device)
    found = probabilities.argmax(0).cpu()
    label = torch.from_numpy(case.labelmap.astype("int64"))
    scores = []
    for number in range(1, structures + 1):
        hidden = [-2 - i for i, values in enumerate(case.sets) if number in values]
        known = ~torch.isin(label, torch.tensor([UNLABELLED, *hidden]))
        a, b = (found == number) & known, label == number
        total = int(a.sum()) + int(b.sum())
        scores.append(2 * int((a & b).sum()) / total if total else float("nan"))
    return torch.tensor(scores)
