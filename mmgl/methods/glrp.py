"""GLRP: global and local contrast by relative position (Zhao X. et al., IJIST 34(2) e22992, 2024). A RECONSTRUCTION.

Certain, from the abstract: differences of relative position define positives and negatives, global and local features
are combined, and a fully connected CRF refines the result. All else is reconstructed from the methods it extends
(Zeng et al. 2021, PCL; Chaitanya et al. 2020, GCL), stage by stage:

a. global: slices are positives and negatives by degrees, as far as their relative positions differ;
b. local: a region attracts the same region of the other view and of near slices, and repels the other regions of its
   slice and the same region of far slices; the encoder's weights stand still;
c. segmentation, as in the supervised baseline.

The CRF belongs to the paper's inference and is in ``mmgl.inference.crf``; its parameters are chosen on the check cases,
and where none of them helps there is no refining. Slices of different planes are plain
negatives. The head of the regions is MMGL's, which has no activation between its layers, as GCL's has.
"""

from __future__ import annotations

from torch import Generator, Tensor

from mmgl.data.augment import Spatial
from mmgl.data.plan import Plan
from mmgl.data.slices import Slices
from mmgl.losses.position_contrast import (
    position_contrast,
    position_differences,
    region_contrast,
    soft_position_contrast,
)
from mmgl.methods.gcl import LocalRegions, RegionBatch, local_blocks
from mmgl.methods.pcl import threshold_of
from mmgl.methods.pretraining import GlobalPretraining, PlacedBatch
from mmgl.methods.stage import Method, draw_spatial
from mmgl.methods.supervised import Segmentation
from mmgl.networks.heads import GlobalHead, LocalHead
from mmgl.networks.unet import UNet


class RelativePosition(GlobalPretraining):
    """Contrast by the difference of relative positions (stage a); ``soft = False`` is PCL's hard threshold."""

    soft = True

    def contrast(self, first: Tensor, second: Tensor, batch: PlacedBatch) -> Tensor:
        differences = position_differences(batch.positions, batch.planes)
        contrast = soft_position_contrast if self.soft else position_contrast
        return contrast(first, second, differences, threshold_of(self.plan), self.temperature)


class PlacedRegions(LocalRegions):
    """Contrast between regions, across slices too (stage b): near is d < t, far is d >= 2 t.

    All slices of a batch are turned and bent alike, because one place must mean one place in all of them. It does so
    fully where scans fit into a window; a larger slice is cut at random, and its regions match only roughly.
    """

    negatives = None

    def spatial(self, drawn: Slices, generator: Generator) -> Spatial:
        spatial = draw_spatial(drawn, self.plan, generator)
        return Spatial(spatial.theta[:1].expand_as(spatial.theta), spatial.elastic[:1].expand_as(spatial.elastic))

    def contrast(self, first: Tensor, second: Tensor, batch: RegionBatch) -> Tensor:
        differences, t = position_differences(batch.positions, batch.planes), threshold_of(self.plan)
        near, far = differences < t, differences >= 2 * t
        return region_contrast(first, second, batch.others, self.temperature, near=near, far=far)


class Glrp(Method):
    """GLRP on the plan's network and planes."""

    refines = True

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.global_head = GlobalHead(self.network.widths[-1], 512)
        self.local_head = LocalHead(self.network.widths[-1 - local_blocks(plan)])
        self.stages = (
            RelativePosition(plan, self.network, self.global_head, share=0.3),
            PlacedRegions(plan, self.network, self.local_head, share=0.1),
            Segmentation(plan, self.network, share=0.6),
        )
