"""MMGL+: the recipe of this project: self-training in two rounds, on the pipeline that ``supervised`` has too.

a. Deeply supervised segmentation of labelled slices, followed by an averaged teacher.
b. The teacher labels unlabelled slices. The student learns its labels on strong copies, into which a box of another
   slice, labelled or not, is pasted; the teacher follows the student (pseudo-labels, Lee 2013; noisy student, Xie et
   al. 2020; strong copies, ST++, Yang et al. 2022; CutMix, Yun et al. 2019; BCP, Bai et al. 2023).
c. The same once more, with the labels of the teacher that came out of b.

The teacher is kept. One learning rate falls through all three, because an averaged teacher is good before the rate is
low. Within a round the teacher labels as it was at its beginning: one that labels while it follows hands on to the
student what it has forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from mmgl.data.mix import mix, sample_cutmix_boxes
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.segmentation import deep_supervision
from mmgl.methods.stage import Batch, Method, Stage, augmented
from mmgl.methods.supervised import Segmentation
from mmgl.methods.teacher import AveragedTeacher
from mmgl.networks.unet import UNet
from mmgl.ranks import divided

DECAY = 0.99
"""Of the averaged teacher."""


class FollowedSegmentation(Segmentation):
    """Deeply supervised segmentation of labelled slices, which the teacher follows (stage a)."""

    def __init__(self, plan: Plan, student: UNet, teacher: AveragedTeacher) -> None:
        super().__init__(plan, student, share=0.5)
        self.teacher = teacher

    def after_step(self, progress: float) -> None:
        self.teacher.update(self.network, DECAY)


class SelfTraining(Stage):
    """L = L_seg^M(p(x), y) + 1/2 L_seg^M(p(u'), y') (stages b and c).

    Half of a batch are labelled slices x. u' is a strong copy of an unlabelled slice with a box of another slice of
    the batch, and y' what the labeller, the teacher as it was when the stage began, calls them in their whole scans,
    or the label where a labelled slice was pasted (``training/pseudo_labels.py``: of a structure that is of one piece
    in all labels, only the largest piece of a scan is believed, if it is clearly the largest).

    Args:
        name: of the round, as a stage is called.
        labeller: gets the weights of the teacher when the stage begins.
    """

    share = 0.25
    segments = True
    reads_labels = True
    weight = 0.5
    strength = 2.0
    labeller: UNet
    area = (0.1, 0.45)  # of a box, as a share of the slice; half of the slices get one

    def __init__(self, plan: Plan, student: UNet, teacher: AveragedTeacher, labeller: UNet, name: str) -> None:
        super().__init__(plan)
        self.network, self.teacher, self.labeller, self.name = student, teacher, labeller, name
        self.learning_rate = 5e-4 if plan.published else 2e-3

    def begin(self) -> None:
        self.labeller.load_state_dict(self.teacher.network.state_dict())

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.network.parameters()

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        count, side, generator = max(1, self.plan.batch // 2), self.plan.slice_size, slices.generator
        images, labels = augmented(slices.draw_labelled(count), self.plan, generator, device)
        drawn = slices.draw_pseudo_labelled(count)
        strong, called = augmented(drawn, self.plan, generator, device, strength=self.strength)
        boxes = sample_cutmix_boxes(count, (side, side), generator, area=self.area)
        partners = torch.randint(2 * count, (count,), generator=generator)
        return Batch([images], labels, [strong, called], [boxes, partners])

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        (images,), (strong, called), (boxes, partners) = batch.views, batch.unlabelled, batch.boxes
        partners = partners.to(images.device)
        others = torch.cat([strong, images]).index_select(0, partners)
        others_called = torch.cat([called, batch.labels]).index_select(0, partners)
        mixed, target = mix(strong, others, boxes), mix(called, others_called, boxes)
        n = len(images)
        logits = divided(self.network.deep_logits, torch.cat([images, mixed]))
        return {
            "supervised": deep_supervision([scale[:n] for scale in logits], batch.labels, batch.sets),
            "pseudo": self.weight * deep_supervision([scale[n:] for scale in logits], target, batch.sets),
        }

    def after_step(self, progress: float) -> None:
        self.teacher.update(self.network, DECAY)


class MmglPlus(Method):
    """The plan's U-Net as student, its averaged teacher, which segments, and the teacher as it was, which labels."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.student = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.teacher = AveragedTeacher(self.student)
        self.labeller = AveragedTeacher(self.student)  # stays in evaluation mode as one
        networks = (self.student, self.teacher, self.labeller.network)
        self.stages = (
            FollowedSegmentation(plan, self.student, self.teacher),
            SelfTraining(plan, *networks, "semi-supervised"),
            SelfTraining(plan, *networks, "semi-supervised-again"),
        )
        begun = 0.0
        for stage in self.stages:
            stage.curve = (begun, begun + stage.share)
            begun += stage.share

    @property
    def network(self) -> UNet:  # type: ignore[override]
        """The teacher's network: not an attribute of its own, or every checkpoint would hold it twice."""
        return self.teacher.network
