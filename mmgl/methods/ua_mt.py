"""UA-MT: uncertainty-aware mean teacher (Yu L. et al., MICCAI 2019, arXiv 1907.07034).

A mean teacher whose student follows it only where it is certain: several passes with noise and dropout are averaged,
and pixels whose entropy is above a threshold, which rises as training goes on, are left out. The student is kept.

The paper segments one structure; for several, its highest entropy is the logarithm of their number plus background.
``released`` does as the program and the medical benchmark (SSL4MIS): ln 2 however many structures there are, half the
squared distance, and unlabelled slices only. Reconstructed: where the U-Net of the plan, which has no dropout of its
own, drops (the deepest map and the last one, as in the paper's V-Net). Ours: norms of the teacher use the student's
statistics, so that only noise and dropout differ from pass to pass.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from mmgl.data.plan import Plan
from mmgl.losses.consistency import certain, masked_mse, predictive_entropy
from mmgl.losses.cross_supervision import half_entropy_half_dice
from mmgl.losses.ramp import ramp_up
from mmgl.methods.semi_supervised import SemiSupervised
from mmgl.methods.stage import Batch, Method
from mmgl.methods.teacher import AveragedTeacher
from mmgl.networks.perturb import dropout, noisy
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class UncertaintyAwareStage(SemiSupervised):
    """L = L_sup(p, y) + mu(t) sum over v of 1[u_v < H(t)] |p_v - p'_v|^2 / sum over v of 1[u_v < H(t)].

    v runs over pixels, p are the student's probabilities, p' those of one pass of the teacher, u is the entropy of the
    mean over T passes, H(t) = (3/4 + 1/4 ramp(t)) ln(K + 1), and mu(t) = 0.1 ramp(t) with ramp(t) = exp(-5 (1 - t)^2).
    """

    highest = 0.1
    passes = 8

    def __init__(self, plan: Plan, student: UNet, teacher: AveragedTeacher, *, released: bool = False) -> None:
        super().__init__(plan, student)
        self.teacher, self.released = teacher, released

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        n, y, generator = len(batch.labels), batch.labels, batch.generator()
        images = torch.cat([*batch.views, *batch.unlabelled])
        logits = divided(lambda part: dropping_logits(self.network, part, generator), images)
        first = n if self.released else 0  # of the slices that are made consistent
        target, mean = self.ask_teacher(images[first:], generator)
        outputs = logits.shape[1]
        mask = certain(predictive_entropy(mean), math.log(2 if self.released else outputs), progress)
        # the squared length is the mean square times the number of outputs
        distance = outputs * masked_mse(logits[first:].float().softmax(1), target, mask)
        weight = self.highest * ramp_up(progress) / (2 if self.released else 1)
        return {"supervised": half_entropy_half_dice(logits[:n], y, batch.sets), "consistency": weight * distance}

    @torch.no_grad()
    def ask_teacher(self, images: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return the probabilities (N, K + 1, H, W) of one pass of the teacher, and the mean of T other passes."""

        def one_pass() -> Tensor:
            network, slices = self.teacher.network, noisy(images, generator)
            return divided(lambda part: dropping_logits(network, part, generator), slices).float().softmax(1)

        target, mean = one_pass(), one_pass()
        for _ in range(self.passes - 1):
            mean += one_pass()
        return target, mean / self.passes

    def after_step(self, progress: float) -> None:
        self.teacher.update(self.network, self.decay)


class UaMt(Method):
    """The plan's U-Net as student, which segments, and its averaged teacher."""

    def __init__(self, plan: Plan, structures: int, *, released: bool = False) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.teacher = AveragedTeacher(self.network)
        self.stages = (UncertaintyAwareStage(plan, self.network, self.teacher, released=released),)


def dropping_logits(network: UNet, images: Tensor, generator: Generator) -> Tensor:
    """Return the logits of images with half of the deepest map, and half of the last one, dropped at random."""
    *skips, deepest = network.encode(images)
    last = network.decode([*skips, dropout(deepest, generator)])[0]
    logits: Tensor = network.classifiers[0](dropout(last, generator))
    return logits
