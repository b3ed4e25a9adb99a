"""Supervised training: a deeply supervised U-Net on the labelled slices and nothing else. The baseline of all."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.segmentation import deep_supervision
from mmgl.methods.stage import Batch, Method, Stage, augmented
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class Segmentation(Stage):
    """Deeply supervised segmentation of labelled slices (MMGL, stage c)."""

    name = "segmentation"
    segments = True
    reads_labels = True

    def __init__(self, plan: Plan, network: UNet, share: float = 1.0) -> None:
        super().__init__(plan)
        self.network = network
        self.share = share
        self.learning_rate = 5e-4 if plan.published else 2e-3

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.network.parameters()

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        images, labels = augmented(slices.draw_labelled(self.plan.batch), self.plan, slices.generator, device)
        return Batch([images], labels)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        logits = divided(self.network.deep_logits, batch.views[0])
        return {"segmentation": deep_supervision(logits, batch.labels, batch.sets)}


class Supervised(Method):
    """The network and budget of MMGL without its stages a and b."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.stages = (Segmentation(plan, self.network),)
