"""Cross teaching between CNN and transformer (Luo X. et al., MIDL 2022).

A U-Net and a Swin-UNet learn from the labels and, on unlabelled slices, each from the other's most probable
structures. They err differently because they see differently: one by its neighbours, one by the whole slice. The
U-Net is kept.

Restated from the benchmark code of its authors: both losses, the ramp over the whole training, the weight 0.1,
8 labelled and 8 unlabelled slices. Ours: the plan's U-Net, a Swin-UNet without ImageNet weights, AdamW instead of
SGD at rate 0.01 for both, with a fifth of the U-Net's learning rate for the transformer as in MCSC.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmgl.data.plan import Plan
from mmgl.losses.cross_supervision import half_entropy_half_dice, pseudo_labels, squared_dice
from mmgl.losses.ramp import ramp_up
from mmgl.methods.stage import Batch, Method
from mmgl.methods.two_networks import TwoNetworks, repeatable, swin_unet
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class CrossTeachingStage(TwoNetworks):
    """L = sum over m of L_sup(p_m, y) + mu(t) Dice(p_m, y^_other), the latter on unlabelled slices.

    L_sup is half cross-entropy and half Dice, y^_m = argmax p_m without a gradient, and mu(t) = 0.1 exp(-5 (1 - t)^2).
    """

    second_pace = 0.2
    published_labelled = 8

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        n, y = len(batch.labels), batch.labels
        images = torch.cat([*batch.views, *batch.unlabelled])
        cnn = divided(self.network, images)
        with repeatable(batch.seed, images.device):
            transformer = divided(self.second, images)
        supervised = half_entropy_half_dice(cnn[:n], y, batch.sets) + half_entropy_half_dice(
            transformer[:n], y, batch.sets
        )
        cross = squared_dice(cnn[n:], pseudo_labels(transformer[n:])) + squared_dice(
            transformer[n:], pseudo_labels(cnn[n:])
        )
        return {"supervised": supervised, "cross": self.highest * ramp_up(progress / self.rise) * cross}


class CrossTeaching(Method):
    """The plan's U-Net and the Swin-UNet that goes with it; the U-Net segments."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.transformer = swin_unet(plan, structures)
        self.stages = (CrossTeachingStage(plan, self.network, self.transformer),)
