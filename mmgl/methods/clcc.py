"""CLCC: cross-level contrastive learning and consistency constraint (Zhao X. et al., ISBI 2022, arXiv 2202.04074).

Each slice goes through one network twice, whole and as n x n patches by themselves. Two stages, both with the
labelled slices' own loss (cross-entropy and Dice on the finest logits):

1. contrast: the vector of a patch is that of its place in the whole slice, and unlike those of the other places;
2. consistency: the probabilities of a patch are those of its place in the whole slice.

The paper has one structure and a sigmoid; the softmax here is the same for one structure and holds for any number. It
has slices of 320 pixels in 5 x 5 patches of 64; here a patch is the slice's side over 5 or 4. Where the released code
differs from the paper in the contrast, it is the switch ``released``. Ours: the plan's U-Net and augmentation, a Dice
smoothed by 1e-5 instead of 1, and a learning rate that rises and falls in each stage; the released program's rises all
through the first and falls in the second.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.cross_level import cross_level_consistency, cross_level_contrast, join, split
from mmgl.losses.marginal import marginal
from mmgl.losses.segmentation import cross_entropy, soft_dice
from mmgl.methods.stage import Batch, Method, Stage, augmented
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class CrossLevel(Stage):
    """What both stages share: half of a batch is labelled, and the network sees slices whole and in patches."""

    segments = True
    reads_labels = True
    weight_decay = 1e-2

    def __init__(self, plan: Plan, network: UNet, share: float) -> None:
        super().__init__(plan)
        self.network, self.share = network, share
        self.n = patches_along(plan.slice_size)
        self.learning_rate = 1e-3 if plan.published else 2e-3

    def parameters(self) -> Iterable[nn.Parameter]:
        return self.network.finest_parameters()

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        half = max(1, self.plan.batch // 2)
        labelled, labels = augmented(slices.draw_labelled(half), self.plan, slices.generator, device)
        unlabelled, _ = augmented(slices.draw_unlabelled(half), self.plan, slices.generator, device)
        return Batch([labelled], labels, [unlabelled])

    def features(self, images: Tensor) -> Tensor:
        """Return the decoder's finest map (N, width, H, W) of images of any size."""
        height, width = images.shape[-2:]
        stride = self.network.stride
        padded = F.pad(images, (0, -width % stride, 0, -height % stride), mode="replicate")
        padded = padded.contiguous(memory_format=torch.channels_last)
        return self.network.decode(self.network.encode(padded))[0][..., :height, :width]

    def compared(self, whole: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Return what must agree, of the maps of whole slices and of those of their patches."""
        raise NotImplementedError

    def both_levels(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return what must agree of whole slices and of their patches, and the supervised loss of the labelled ones."""

        def networks(images: Tensor) -> tuple[Tensor, ...]:
            whole, patches = self.features(images), self.features(split(images, self.n))
            return self.network.classifiers[0](whole), *self.compared(whole, patches)

        logits, whole, patches = divided(networks, torch.cat([*batch.views, *batch.unlabelled]))
        logits, labels = marginal(logits[: len(batch.labels)], batch.labels, batch.sets)
        return whole, patches, cross_entropy(logits, labels) + soft_dice(logits, labels)


class CrossLevelContrast(CrossLevel):
    """L = L_sup + L_con (stage 1)."""

    name = "contrast"
    temperature = 0.07

    def __init__(self, plan: Plan, network: UNet, head: PatchHead, share: float, *, released: bool = False) -> None:
        super().__init__(plan, network, share)
        self.head, self.released = head, released

    def parameters(self) -> Iterable[nn.Parameter]:
        yield from super().parameters()
        yield from self.head.parameters()

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        grid, alone, supervised = self.both_levels(batch)
        contrast = cross_level_contrast(grid, join(alone, self.n), self.temperature, released=self.released)
        return {"segmentation": supervised, "contrast": contrast}

    def compared(self, whole: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        return self.head(whole), self.head(patches)


class CrossLevelConsistency(CrossLevel):
    """L = L_sup + L_cons (stage 2)."""

    name = "consistency"

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        whole, patches, supervised = self.both_levels(batch)
        return {"segmentation": supervised, "consistency": cross_level_consistency(whole, patches, self.n)}

    def compared(self, whole: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        classify = self.network.classifiers[0]
        return classify(whole), classify(patches)


class Clcc(Method):
    """CLCC on the plan's network and planes.

    Args:
        released: the contrast as in the released code: negatives from the patches, and vectors with a sum of one.
    """

    def __init__(self, plan: Plan, structures: int, *, released: bool = False) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.head = PatchHead(plan.width, plan.slice_size // patches_along(plan.slice_size))
        self.stages = (
            CrossLevelContrast(plan, self.network, self.head, share=1 / 3, released=released),
            CrossLevelConsistency(plan, self.network, share=2 / 3),
        )


class PatchHead(nn.Module):
    """One vector for every patch of a map: three convolutions whose strides multiply to the side of a patch.

    A convolution is as large as its stride, so no vector sees beyond its patch.

    Args:
        channels: of the map.
        side: of a patch in pixels.
        length: of the vector.
    """

    def __init__(self, channels: int, side: int, length: int = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after, stride in zip((channels, 64, 64), (64, 64, length), three_factors(side), strict=True):
            convolution = nn.Conv2d(before, after, stride, stride=stride, bias=False)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the vectors (N, length, h / side, w / side) of maps (N, channels, h, w)."""
        vectors: Tensor = self.layers(maps)
        return vectors


def patches_along(slice_size: int) -> int:
    """Return n, the patches along a side of a slice: the paper's 5 where that divides it, else 4 (2 if it must)."""
    return 5 if slice_size % 5 == 0 else 4 if slice_size % 4 == 0 else 2


def three_factors(number: int) -> tuple[int, int, int]:
    """Return three numbers with this product, as equal as can be, the largest first (64: 4, 4, 4)."""
    divisors = [d for d in range(1, number + 1) if number % d == 0]
    triples = [(a, b, number // (a * b)) for a in divisors for b in divisors if number % (a * b) == 0]
    return min(t for t in triples if t[0] >= t[1] >= t[2])
