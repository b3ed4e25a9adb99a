"""UniMatch: unified dual-stream perturbations (Yang L. et al., CVPR 2023, arXiv 2208.09910), medical settings.

What the network is sure of in a weakly augmented unlabelled slice, it must also say of two strongly augmented copies
of that slice, and of the weak copy itself with half of the encoder's channels dropped.

Restated from the released program for ACDC: weights, confidence, Dice on unlabelled slices, dropped channels, maps
with and without them in one pass of the decoder. Ours: strong intensity changes in place of its colour jitter and blur;
CutMix boxes of 2 to 40 % of the slice, whose content comes from the next slice of the same batch, and so does what it
is called; a weak copy is moved and bent but keeps its intensities, and labelled slices are augmented as in every other
method here. A batch is a third labelled, a third unlabelled slices.

The network is its own teacher from the first step on. At first it is sure of background alone and teaches itself that:
with three labelled patients the released program, too, stands below a Dice of 0.4 after 400 of its 31,000 steps. A
training of a few hundred steps ends before that is over.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmgl.data.augment import apply_intensity, sample_intensity
from mmgl.data.mix import mix, sample_cutmix_boxes
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.consistency import confident_labels
from mmgl.losses.cross_supervision import half_entropy_half_dice, squared_dice
from mmgl.methods.pretraining import encoder_maps
from mmgl.methods.semi_supervised import SemiSupervised
from mmgl.methods.stage import Batch, Method, augmented, draw_spatial, moved
from mmgl.networks.perturb import dropout
from mmgl.networks.unet import UNet
from mmgl.ranks import divided, shared


class WeakToStrong(SemiSupervised):
    """L = 1/2 [L_x + 1/4 L_s1 + 1/4 L_s2 + 1/2 L_fp].

    L_x is half cross-entropy and half Dice on labelled slices. The others are the Dice of two strong copies (s1, s2)
    and of the weak copy with dropped features (fp) against the structures of the weak copy with a probability of at
    least 0.95; pixels below that take no part.
    """

    parts = 3
    threshold = 0.95
    strength = 2.0

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        count, generator = self.labelled, slices.generator
        images, labels = augmented(slices.draw_labelled(count), self.plan, generator, device)
        weak = self.weak(slices, device)
        # one set of numbers after the other is drawn, so that each copy has its own
        intensities = [sample_intensity(count, generator, strength=self.strength) for _ in range(2)]
        changed = shared(lambda part: [apply_intensity(weak[part], i[part]) for i in intensities], count)
        strong = [copy.contiguous(memory_format=torch.channels_last) for copy in changed]
        size = (self.plan.slice_size, self.plan.slice_size)
        boxes = [sample_cutmix_boxes(count, size, generator) for _ in range(2)]
        seed = int(torch.randint(2**31, (), generator=generator))
        return Batch([images], labels, [weak, *strong], boxes, seed)

    def weak(self, slices: SliceSampler, device: torch.device) -> Tensor:
        """Draw unlabelled slices and return a copy (N, C, H, W) that is moved and bent only."""
        drawn = slices.draw_unlabelled(self.labelled)
        spatial = draw_spatial(drawn, self.plan, slices.generator)
        (weak,) = shared(lambda part: [moved(drawn, part, spatial, self.plan, device)[0]], self.labelled)
        return weak.contiguous(memory_format=torch.channels_last)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        generator = batch.generator()
        weak, *strong = batch.unlabelled

        def both(pairs: Tensor) -> tuple[Tensor, ...]:
            images = pairs.flatten(0, 1).contiguous(memory_format=torch.channels_last)  # painted, weak, painted, ...
            maps = encoder_maps(self.network, images)
            *skips, centre = (torch.cat([m, dropout(m, generator, whole_channels=True)]) for m in maps)
            decoded = self.network.decode([*skips, self.network.enlarged(centre)])
            clean, dropped = self.network.classifiers[0](decoded[0]).chunk(2)
            return clean[::2], clean[1::2], dropped[1::2]

        painted, sure, dropped = divided(both, torch.stack([*batch.views, weak], 1))
        pseudo = confident_labels(sure, self.threshold)
        mixed = [with_next(s, boxes) for s, boxes in zip(strong, batch.boxes, strict=True)]
        first, second = divided(self.network, torch.cat(mixed)).chunk(2)
        y_1, y_2 = (with_next(pseudo, boxes) for boxes in batch.boxes)
        return {
            "supervised": half_entropy_half_dice(painted, batch.labels, batch.sets) / 2,
            "strong": (squared_dice(first, y_1) + squared_dice(second, y_2)) / 8,
            "features": squared_dice(dropped, pseudo) / 4,
        }


class UniMatch(Method):
    """The plan's U-Net, which is its own teacher."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.stages = (WeakToStrong(plan, self.network),)


def with_next(slices: Tensor, boxes: Tensor) -> Tensor:
    """Return images or labels with the box of each filled from the next one of the batch (CutMix)."""
    return mix(slices, slices.roll(-1, 0), boxes)
