"""Mean teacher (Tarvainen A. and Valpola H., NeurIPS 2017, arXiv 1703.01780), for segmentation.

The student learns from the labels, and to say of every slice what its averaged teacher says of the slice with noise.
The teacher is kept.

Restated from the medical benchmark it is compared on (SSL4MIS): noise, weight, ramp, decay. From the paper: the
teacher is what is tested, all slices are made consistent, labelled or not, and the weight rises from the first step
on. ``released`` does as the benchmark: unlabelled slices only, and not before a thirtieth of the training. Its student
is what is tested there; here it is the teacher in both. Ours: only the teacher's copy gets the extra noise, and both
share the augmentation, as in the benchmark.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmgl.data.plan import Plan
from mmgl.losses.consistency import masked_mse
from mmgl.losses.cross_supervision import half_entropy_half_dice
from mmgl.losses.ramp import ramp_up
from mmgl.methods.semi_supervised import SemiSupervised
from mmgl.methods.stage import Batch, Method
from mmgl.methods.teacher import AveragedTeacher
from mmgl.networks.perturb import noisy
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class MeanTeacherStage(SemiSupervised):
    """L = L_sup(p, y) + mu(t) mean of (p - p'(x + noise))^2.

    p are the student's probabilities, p' the teacher's, L_sup is half cross-entropy and half Dice on labelled slices,
    and mu(t) = 0.1 exp(-5 (1 - t)^2).
    """

    highest = 0.1
    silent = 1 / 30  # share of the stage in which the released program has no consistency

    def __init__(self, plan: Plan, student: UNet, teacher: AveragedTeacher, *, released: bool = False) -> None:
        super().__init__(plan, student)
        self.teacher, self.released = teacher, released

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        n, y = len(batch.labels), batch.labels
        images = torch.cat([*batch.views, *batch.unlabelled])
        logits = divided(self.network, images)
        first = n if self.released else 0  # of the slices that are made consistent
        target = self.teacher(noisy(images[first:], batch.generator())).float().softmax(1)
        consistency = masked_mse(logits[first:].float().softmax(1), target)
        return {
            "supervised": half_entropy_half_dice(logits[:n], y, batch.sets),
            "consistency": self.weight(progress) * consistency,
        }

    def weight(self, progress: float) -> float:
        """Return mu; where it is zero the consistency is computed all the same, because step 0 times the others."""
        return 0.0 if self.released and progress < self.silent else self.highest * ramp_up(progress)

    def after_step(self, progress: float) -> None:
        self.teacher.update(self.network, self.decay)


class MeanTeacher(Method):
    """The plan's U-Net as student, and its averaged teacher, which segments."""

    def __init__(self, plan: Plan, structures: int, *, released: bool = False) -> None:
        super().__init__()
        self.student = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.teacher = AveragedTeacher(self.student)
        self.stages = (MeanTeacherStage(plan, self.student, self.teacher, released=released),)

    @property
    def network(self) -> UNet:  # type: ignore[override]
        """The teacher's network: not an attribute of its own, or every checkpoint would hold it twice."""
        return self.teacher.network
