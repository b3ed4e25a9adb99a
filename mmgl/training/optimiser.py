"""The optimiser of a stage."""

from __future__ import annotations

import torch

from mmgl.methods.stage import CALM, HURRY, Stage


def optimiser_of(stage: Stage) -> torch.optim.Optimizer:
    """Return the optimiser of a stage; every group knows the highest learning rate it is led up to."""
    groups = []
    for parameters, usual in stage.groups():
        calm = CALM * usual if stage.calmed else usual
        for hurried, highest in ((False, calm), (True, HURRY * usual)):
            if chosen := [p for p in parameters if (p in stage.hurried) is hurried]:
                groups.append({"params": chosen, "lr": highest, "highest": highest})
    return torch.optim.AdamW(groups, weight_decay=stage.weight_decay, foreach=True)
