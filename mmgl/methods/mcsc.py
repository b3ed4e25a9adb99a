"""MCSC: multi-scale cross supervised contrastive learning (Liu Q. et al., BMVC 2023, arXiv 2306.14293).

A U-Net and a Swin-UNet learn from the labels, from each other on unlabelled slices (cross teaching), and from one
class-balanced contrast that both share at two scales of their decoders, where unlabelled pixels are called what the
other network calls them. The U-Net is kept.

Restated from the paper's abstract and released program; every number below is the program's. The full text was not
at hand. What the program does and probably does not mean is off, and on with ``released``: blocks left out at the
edges (one block alone is left at the coarse scale), and a U-Net whose batch normalisation stands still after the
first check. Ours: the plan's U-Net and augmentation, a Swin-UNet without ImageNet weights, the loop's schedule of the
learning rate, blocks that keep their share of the slice when it is not 224 pixels. Unless the plan is the published
one, only some of the sets are drawn in each step, which hardly changes the expected loss and costs about a tenth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mmgl.data.plan import Plan
from mmgl.losses.balanced_contrast import apply_sets, balanced_contrast, sample_sets
from mmgl.losses.cross_supervision import half_entropy_half_dice, pseudo_labels, squared_dice
from mmgl.losses.ramp import ramp_up
from mmgl.methods.stage import Batch, Method
from mmgl.methods.two_networks import TwoNetworks, repeatable, swin_unet
from mmgl.networks.swin import SwinUNet
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


@dataclass
class Maps:
    """What one network makes of slices: logits (N, K + 1, H, W), and its maps (N, C, h, w) at full size and 1/8."""

    logits: Tensor
    scales: tuple[Tensor, Tensor]


class SharedHead(nn.Module):
    """Embeddings of both networks in one space: a first layer each, and one last layer for both.

    Args:
        first, second: channels of the networks' maps.
        norm: normalise the second network's vectors before (the coarse scale).
    """

    def __init__(self, first: int, second: int, *, norm: bool, length: int = 128) -> None:
        super().__init__()
        self.first = nn.Linear(first, 2 * length)
        self.norm = nn.LayerNorm(second) if norm else nn.Identity()
        self.second = nn.Linear(second, 2 * length)
        self.shared = nn.Linear(2 * length, length)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the embeddings (S, N + M, length) of vectors (S, N, C) and (S, M, C') of the two networks."""
        both = torch.cat([self.first(first), self.second(self.norm(second))], 1)
        result: Tensor = self.shared(F.relu(both))
        return result


class CrossSupervisedContrast(TwoNetworks):
    """L = sum over m of L_sup(p_m, y) + mu(t) Dice(p_m, y^_other) + 0.001 (L_con at full size + L_con at 1/8).

    L_sup is half cross-entropy and half Dice; the second term is on unlabelled slices, with y^_m = argmax p_m without
    a gradient and mu(t) = 0.1 exp(-5 (1 - t)^2), t reaching 1 after three quarters of the stage; L_con is the same for
    both networks, so it counts twice.
    """

    weight_decay = 5e-4
    rise = 0.75
    second_pace = 0.2
    published_labelled = 2
    temperature = 0.1
    contrast_weight = 0.001
    contrasted = 2  # labelled slices that are contrasted, and as many unlabelled ones
    unlabelled_from = 0.075  # share of the stage after which these are contrasted
    frozen_from = 0.03  # share of the stage after which the released program's batch normalisation stands still

    def __init__(
        self, plan: Plan, network: UNet, second: SwinUNet, heads: nn.ModuleList, *, released: bool = False
    ) -> None:
        super().__init__(plan, network, second)
        self.swin, self.heads, self.released = second, heads, released
        self.blocks = (max(2, round(plan.slice_size * 19 / 224)), max(2, round(plan.slice_size * 14 / 224)))
        self.sets = None if plan.published else 16

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        return [*super().groups(), (list(self.heads.parameters()), self.learning_rate)]

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        if self.released and progress >= self.frozen_from:
            self.network.eval()
        n, y = len(batch.labels), batch.labels
        cnn, swin = self.maps(torch.cat([*batch.views, *batch.unlabelled]), batch.seed)
        y_cnn, y_swin = pseudo_labels(cnn.logits[n:]), pseudo_labels(swin.logits[n:])
        supervised = half_entropy_half_dice(cnn.logits[:n], y, batch.sets) + half_entropy_half_dice(
            swin.logits[:n], y, batch.sets
        )
        cross = squared_dice(cnn.logits[n:], y_swin) + squared_dice(swin.logits[n:], y_cnn)
        # the features of each network are called what the other one calls them
        for_cnn, for_swin = torch.cat([y, y_swin]), torch.cat([y, y_cnn])
        chosen = self.chosen(n, len(batch.unlabelled[0]), progress).to(y.device)
        contrast = self.contrast(cnn, swin, for_cnn, for_swin, chosen, torch.Generator().manual_seed(batch.seed))
        return {
            "supervised": supervised,
            "cross": self.highest * ramp_up(progress / self.rise) * cross,
            "contrast": 2 * self.contrast_weight * contrast,
        }

    def maps(self, images: Tensor, seed: int) -> tuple[Maps, Maps]:
        """Return what the U-Net and the Swin-UNet make of images (N, C, H, W)."""
        fine, coarse = divided(self.decoded, images)
        with repeatable(seed, images.device):
            full, eighth = divided(self.swin.maps, images)
        if coarse.shape[-2:] != eighth.shape[-2:]:  # a U-Net of fewer levels
            coarse = F.interpolate(coarse, size=eighth.shape[-2:], mode="area")
        cnn = Maps(self.network.classifiers[0](fine), (fine, coarse))
        return cnn, Maps(self.swin.classifier(full), (full, eighth))

    def decoded(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the decoder's maps of images at full size and at 1/8, or at the smallest size of fewer levels."""
        maps = self.network.decode(self.network.encode(images))
        return maps[0], maps[min(3, len(maps) - 1)]

    def chosen(self, labelled: int, unlabelled: int, progress: float) -> Tensor:
        """Return which slices are contrasted: a few labelled ones, later as many unlabelled ones, which follow them."""
        numbers = list(range(min(self.contrasted, labelled)))
        if progress >= self.unlabelled_from:
            numbers += [labelled + i for i in range(min(self.contrasted, unlabelled))]
        return torch.tensor(numbers)

    def contrast(
        self, cnn: Maps, swin: Maps, for_cnn: Tensor, for_swin: Tensor, chosen: Tensor, generator: Generator
    ) -> Tensor:
        """Return the sum over both scales of the balanced contrast between the vectors of both networks.

        Args:
            for_cnn, for_swin: (N, H, W) labels for the features of each, negative where unlabelled.
            chosen: numbers of the slices to contrast.
            generator: on the CPU; shuffles the blocks.
        """
        terms = []
        for head, a, b, block in zip(self.heads, cnn.scales, swin.scales, self.blocks, strict=True):
            size = a.shape[-2:]
            height, width = int(size[0]), int(size[1])
            sets = sample_sets(
                2 * len(chosen), height, width, block, generator, limit=self.sets, released=self.released
            )
            vectors, labels = [], []
            for maps, y, own in zip((a, b), (for_cnn, for_swin), sets.chunk(2, 1), strict=True):
                vectors.append(apply_sets(maps.index_select(0, chosen), own, block))
                small = F.interpolate(y[chosen, None].float(), size=size, mode="nearest-exact").long()
                labels.append(apply_sets(small, own, block, fill=-1)[..., 0])
            terms.append(balanced_contrast(head(*vectors), torch.cat(labels, 1), self.temperature))
        return torch.stack(terms).sum()


class Mcsc(Method):
    """The plan's U-Net, the Swin-UNet that goes with it, and the heads of the contrast; the U-Net segments."""

    def __init__(self, plan: Plan, structures: int, *, released: bool = False) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.swin = swin_unet(plan, structures)
        fine, coarse = self.network.widths[0], self.network.widths[min(3, plan.levels - 2)]
        token = self.swin.widths[0]
        self.heads = nn.ModuleList([SharedHead(fine, token, norm=False), SharedHead(coarse, 2 * token, norm=True)])
        self.stages = (CrossSupervisedContrast(plan, self.network, self.swin, self.heads, released=released),)
