"""The optimiser of a stage."""

from __future__ import annotations

import torch
from torch import nn

from mmgl.methods.stage import Stage
from mmgl.training.muon import Muon


def optimiser_of(stage: Stage) -> torch.optim.Optimizer:
    """Return the optimiser of a stage; every group knows the highest learning rate it is led up to.

    Muon, or AdamW where the learning rates are those of a paper.
    """
    groups = []
    for parameters, usual in stage.groups():
        paces: dict[float, list[nn.Parameter]] = {}
        for parameter in parameters:
            paces.setdefault(stage.paces.get(parameter, 1.0), []).append(parameter)
        groups += [{"params": same, "lr": pace * usual, "highest": pace * usual} for pace, same in paces.items()]
    optimiser = torch.optim.AdamW if stage.plan.published else Muon
    return optimiser(groups, weight_decay=stage.weight_decay, foreach=True)
