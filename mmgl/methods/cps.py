"""Cross pseudo supervision (Chen X. et al., CVPR 2021, arXiv 2106.01226).

Two networks that differ only in how they were initialised learn from the labels and, on unlabelled slices, each from
the other's most probable structures. The first one is kept.

Restated from the medical benchmark it is compared on (SSL4MIS), not from the paper, whose weight and whose use of
the labelled images for cross supervision are not reproduced: two U-Nets, one with the initialisation of Kaiming and
one with that of Xavier (as its program for volumes does; the one for slices only prepares it), weight 0.1 rising over
the whole training, 12 labelled and 12 unlabelled slices. Ours: the plan's U-Net, and the loop's optimiser instead of
SGD at rate 0.01.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mmgl.data.plan import Plan
from mmgl.losses.cross_supervision import half_entropy_half_dice, pseudo_labels
from mmgl.losses.ramp import ramp_up
from mmgl.losses.segmentation import cross_entropy
from mmgl.methods.stage import Batch, Method
from mmgl.methods.two_networks import TwoNetworks
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class CrossPseudoSupervision(TwoNetworks):
    """L = sum over m of L_sup(p_m, y) + mu(t) CE(p_m, y^_other), the latter on unlabelled slices.

    L_sup is half cross-entropy and half Dice, y^_m = argmax p_m without a gradient, and mu(t) = 0.1 exp(-5 (1 - t)^2).
    """

    published_labelled = 12

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        n, y = len(batch.labels), batch.labels
        images = torch.cat([*batch.views, *batch.unlabelled])
        first, second = divided(self.network, images), divided(self.second, images)
        supervised = half_entropy_half_dice(first[:n], y, batch.sets) + half_entropy_half_dice(
            second[:n], y, batch.sets
        )
        cross = cross_entropy(first[n:], pseudo_labels(second[n:])) + cross_entropy(
            second[n:], pseudo_labels(first[n:])
        )
        return {"supervised": supervised, "cross": self.highest * ramp_up(progress / self.rise) * cross}


class Cps(Method):
    """The plan's U-Net twice, from different random numbers of different spread; the first one segments."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        outputs = structures + 1
        self.network = UNet(plan.channels, outputs, plan.width, plan.levels, published=plan.published)
        self.second = UNet(plan.channels, outputs, plan.width, plan.levels, published=plan.published)
        _initialise(self.network, nn.init.kaiming_normal_)
        _initialise(self.second, nn.init.xavier_normal_)
        self.stages = (CrossPseudoSupervision(plan, self.network, self.second),)


def _initialise(network: nn.Module, how: Callable[[Tensor], Tensor]) -> None:
    """Draw the weights of all convolutions anew."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            how(module.weight)
