"""The optimiser of a stage."""

from __future__ import annotations

import torch
from torch import nn

from mmgl.methods.stage import Stage


def optimiser_of(stage: Stage) -> torch.optim.Optimizer:
    """Return the optimiser of a stage; every group knows the highest learning rate it is led up to."""
    groups = []
    for parameters, usual in stage.groups():
        paces: dict[float, list[nn.Parameter]] = {}
        for parameter in parameters:
            paces.setdefault(stage.paces.get(parameter, 1.0), []).append(parameter)
        groups += [{"params": same, "lr": pace * usual, "highest": pace * usual} for pace, same in paces.items()]
    return torch.optim.AdamW(groups, weight_decay=stage.weight_decay, foreach=True)
