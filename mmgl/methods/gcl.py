"""GCL: contrastive learning of global and local features (Chaitanya et al., NeurIPS 2020, arXiv 2006.10511).

Three stages:

a. global, G^D: every scan is cut into four partitions; slices in one partition of two cases attract, slices of other
   partitions repel;
b. local, L^R: with the encoder at rest, the decoder's first three blocks learn to tell regions of a slice apart;
c. segmentation, trained as in the supervised baseline (the paper: Dice with background), so that what differs is the
   pre-training alone.

The paper's batches hold one slice from each partition of a few scans; here slices are drawn at random and all pairs of
the paper that occur are scored. Its heads flatten the map; here the mean over the map is used, which fits slices of
any size; the local head is MMGL's, without the ReLU between its layers. Partitions of different planes are different
partitions, so their slices are plain negatives. Both views are augmented; in the released program one of them is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain

import torch
from torch import Generator, Tensor, nn

from mmgl.data.augment import Spatial
from mmgl.data.plan import Plan
from mmgl.data.slices import Slices, SliceSampler
from mmgl.losses.position_contrast import partition_contrast, partitions, region_contrast
from mmgl.methods.pretraining import GlobalPretraining, PlacedBatch, decoder_map, encoder_maps, places
from mmgl.methods.stage import Batch, Method, Stage, augmented, draw_spatial
from mmgl.methods.supervised import Segmentation
from mmgl.networks.heads import GlobalHead, LocalHead
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class PartitionContrast(GlobalPretraining):
    """G^D (stage a). ``released`` scores the pair of second views of two cases, too, as the released code does."""

    count = 4
    released = False

    def __init__(self, plan: Plan, network: UNet, head: GlobalHead, share: float) -> None:
        super().__init__(plan, network, head, share)
        self.learning_rate = 1e-3 if plan.published else 2e-3

    def contrast(self, first: Tensor, second: Tensor, batch: PlacedBatch) -> Tensor:
        parts = partitions(batch.positions, batch.planes, self.count)
        return partition_contrast(first, second, parts, batch.cases, self.temperature, second_views=self.released)


@dataclass(kw_only=True)
class RegionBatch(PlacedBatch):
    """Two views that differ in intensity only, and regions of the decoder's map.

    Attributes:
        regions: (A, R) the R pixels of each region, as indices into the flattened map.
        others: (A, A) true where the column's region is a negative of the row's.
    """

    regions: Tensor
    others: Tensor

    @staticmethod
    def of(batch: Batch) -> RegionBatch:
        if not isinstance(batch, RegionBatch):
            raise TypeError("this stage needs a batch with regions")
        return batch


class LocalRegions(Stage):
    """L^R (stage b): a region against other regions of its slice, over two views that differ in intensity only.

    The encoder's weights stand still (its batch norm keeps counting); the decoder's first blocks and the head learn.
    """

    name = "local"
    weight_decay = 1e-5
    temperature = 0.1
    count, side = 13, 3
    negatives: int | None = 5  # of each view, among the other regions; None for all of them

    def __init__(self, plan: Plan, network: UNet, head: LocalHead, share: float) -> None:
        super().__init__(plan)
        self.network, self.head, self.share = network, head, share
        self.blocks = local_blocks(plan)
        self.learning_rate = 1e-3 if plan.published else 2e-3

    def parameters(self) -> Iterable[nn.Parameter]:
        parts = (self.network.up[: self.blocks], self.network.decoder[: self.blocks], self.head)
        return chain(*(part.parameters() for part in parts))

    def batch(self, slices: SliceSampler, device: torch.device) -> RegionBatch:
        drawn = slices.draw(self.plan.batch)
        spatial = self.spatial(drawn, slices.generator)
        first, labels = augmented(drawn, self.plan, slices.generator, device, spatial=spatial)
        second, _ = augmented(drawn, self.plan, slices.generator, device, spatial=spatial)
        map_side = self.plan.slice_size >> (self.plan.levels - 1 - self.blocks)
        regions = sample_regions(map_side, self.side, self.count, slices.generator).to(device)
        others = sample_others(len(regions), self.negatives, slices.generator).to(device)
        planes, positions, cases = places(drawn, self.plan, device)
        return RegionBatch(
            [first, second], labels, planes=planes, positions=positions, cases=cases, regions=regions, others=others
        )

    def spatial(self, drawn: Slices, generator: Generator) -> Spatial:
        """Draw where the pixels of both views come from."""
        return draw_spatial(drawn, self.plan, generator)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        batch = RegionBatch.of(batch)
        z = divided(partial(self.embed, regions=batch.regions), torch.cat(batch.views))
        n = len(batch.views[0])
        return {"local": self.contrast(z[:n], z[n:], batch)}

    def contrast(self, first: Tensor, second: Tensor, batch: RegionBatch) -> Tensor:
        """Return the loss of two views' regions (N, A, D)."""
        return region_contrast(first, second, batch.others, self.temperature)

    def embed(self, images: Tensor, regions: Tensor) -> Tensor:
        """Return the embeddings (N, A, D) of regions (A, R) of images: those of their pixels, one after the other."""
        with torch.no_grad():
            maps = encoder_maps(self.network, images)
        decoded = decoder_map(self.network, maps, self.blocks)
        # the head looks at single pixels, so it needs those of the regions only
        pixels = decoded.flatten(2).index_select(2, regions.flatten())
        embedded: Tensor = self.head(pixels.reshape(*pixels.shape[:2], *regions.shape))
        return embedded.movedim(2, 1).flatten(2)


class Gcl(Method):
    """GCL on the plan's network and planes."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.global_head = GlobalHead(self.network.widths[-1], 128)
        self.local_head = LocalHead(self.network.widths[-1 - local_blocks(plan)])
        self.stages = (
            PartitionContrast(plan, self.network, self.global_head, share=0.3),
            LocalRegions(plan, self.network, self.local_head, share=0.1),
            Segmentation(plan, self.network, share=0.6),
        )


def local_blocks(plan: Plan) -> int:
    """Return how many of the decoder's blocks, from the deepest, learn locally: three, fewer in a small network."""
    return min(3, plan.levels - 1)


def sample_regions(map_side: int, side: int, count: int, generator: Generator) -> Tensor:
    """Draw ``count`` square regions that do not overlap: the pixels (A, side * side) of a flattened square map.

    Where the map is too small for so many, as many as it holds.
    """
    side = min(side, map_side)
    cells, rest = divmod(map_side, side)
    shift = torch.randint(rest + 1, (2,), generator=generator)
    chosen = torch.randperm(cells * cells, generator=generator)[:count]
    y = (chosen // cells * side + shift[0])[:, None, None] + torch.arange(side)[:, None]
    x = (chosen % cells * side + shift[1])[:, None, None] + torch.arange(side)
    return (y * map_side + x).flatten(1)


def sample_others(count: int, negatives: int | None, generator: Generator) -> Tensor:
    """Draw for each region which others are its negatives: (A, A) boolean, at most ``negatives`` true in a row."""
    if negatives is None:
        return ~torch.eye(count, dtype=torch.bool)
    order = torch.rand(count, count, generator=generator).fill_diagonal_(2.0).argsort(1)
    chosen = order[:, : min(negatives, count - 1)]
    return torch.zeros(count, count, dtype=torch.bool).scatter_(1, chosen, True)
