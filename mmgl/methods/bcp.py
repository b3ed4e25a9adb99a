"""BCP: bidirectional copy-paste (Bai Y. et al., CVPR 2023, arXiv 2305.00673).

Labelled and unlabelled slices are pasted into each other, so that one image holds both and the network cannot treat
them apart:

a. labelled slices pasted into labelled ones;
b. a labelled box in an unlabelled slice, and an unlabelled box in a labelled slice, where unlabelled pixels are called
   what an averaged teacher calls them. Teacher and student both start from stage a. The student is kept.

Restated from the released program: size of the box, weights, decay, lengths of the stages, largest piece of each
structure, a loss for each part of a mixed slice by itself. Ours: pasting both ways in stage a too, a box for each pair
of slices instead of one for all, both mixed batches in one pass of the network, and a stage b that starts from the last
weights of stage a instead of its best.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmgl.data.components import largest_components
from mmgl.data.mix import mix, sample_boxes
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.cross_supervision import half_entropy_half_dice
from mmgl.methods.semi_supervised import SemiSupervised
from mmgl.methods.stage import Batch, Method, augmented
from mmgl.methods.teacher import AveragedTeacher
from mmgl.networks.unet import UNet
from mmgl.ranks import divided
from mmgl.structures import UNLABELLED


class CopyPaste(SemiSupervised):
    """L = L_in + L_out of x_b's box in x_a, and of x_a's in x_b, each L_seg in the box and L_seg around it (stage a).

    L_seg is half cross-entropy and half Dice.
    """

    name = "segmentation"
    share = 0.25
    parts = 1

    @property
    def pairs(self) -> int:
        """Pairs of labelled slices; each gives two mixed slices."""
        return max(1, self.labelled // 2)

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        images, labels = augmented(slices.draw_labelled(2 * self.pairs), self.plan, slices.generator, device)
        return Batch([images], labels, boxes=[self.boxes(slices)])

    def boxes(self, slices: SliceSampler) -> Tensor:
        """Draw one box of two thirds of the height and of the width, rounded down, for each pair."""
        side = self.plan.slice_size
        return sample_boxes(self.pairs, (side, side), (2 * side // 3, 2 * side // 3), slices.generator)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        (boxes,) = batch.boxes
        (x_a, x_b), (y_a, y_b) = batch.views[0].chunk(2), batch.labels.chunk(2)
        q_in, q_out = divided(self.network, torch.cat([mix(x_a, x_b, boxes), mix(x_b, x_a, boxes)])).chunk(2)
        parts = by_part(q_in, y_a, y_b, boxes, batch.sets) + by_part(q_out, y_b, y_a, boxes, batch.sets)
        return {"supervised": torch.stack(parts).sum()}


class BidirectionalCopyPaste(CopyPaste):
    """L = L_in + L_out, each L_seg on the labelled part of a mixed slice plus 0.5 L_seg on the unlabelled part.

    X_in = U_a M + X_a (1 - M) and X_out = X_b M + U_b (1 - M), with M zero in the box and one around it; targets are
    mixed alike from labels and the teacher's largest pieces. L_seg is half cross-entropy and half Dice (stage b).
    """

    name = "semi-supervised"
    share = 0.75
    alpha = 0.5

    def __init__(self, plan: Plan, student: UNet, teacher: AveragedTeacher) -> None:
        super().__init__(plan, student)
        self.teacher = teacher

    def begin(self) -> None:
        self.teacher.start_from(self.network)

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        batch = super().batch(slices, device)
        others, _ = augmented(slices.draw_unlabelled(2 * self.pairs), self.plan, slices.generator, device)
        batch.unlabelled = [others]
        return batch

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        (boxes,), (unlabelled,) = batch.boxes, batch.unlabelled
        (x_a, x_b), (y_a, y_b), (u_a, u_b) = batch.views[0].chunk(2), batch.labels.chunk(2), unlabelled.chunk(2)
        p_a, p_b = largest_components(self.teacher(unlabelled).argmax(1)).chunk(2)
        q_in, q_out = divided(self.network, torch.cat([mix(u_a, x_a, boxes), mix(x_b, u_b, boxes)])).chunk(2)
        guessed_in, painted_in = by_part(q_in, p_a, y_a, boxes, batch.sets)
        painted_out, guessed_out = by_part(q_out, y_b, p_b, boxes, batch.sets)
        return {"supervised": painted_in + painted_out, "pseudo": self.alpha * (guessed_in + guessed_out)}

    def after_step(self, progress: float) -> None:
        self.teacher.update(self.network, self.decay)


def by_part(logits: Tensor, around: Tensor, inside: Tensor, boxes: Tensor, sets: Tensor | None) -> list[Tensor]:
    """Return L_seg around the boxes and L_seg inside of them: what is called unlabelled takes no part.

    Args:
        logits: (N, K + 1, H, W) of mixed slices.
        around, inside: (N, H, W) labels, each for its own part.
        boxes, sets: as ``mix`` and the loss take them.
    """
    none = torch.full_like(around, UNLABELLED)
    return [half_entropy_half_dice(logits, y, sets) for y in (mix(around, none, boxes), mix(none, inside, boxes))]


class Bcp(Method):
    """The plan's U-Net as student, which segments, and its averaged teacher."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.teacher = AveragedTeacher(self.network)
        self.stages = (
            CopyPaste(plan, self.network),
            BidirectionalCopyPaste(plan, self.network, self.teacher),
        )
