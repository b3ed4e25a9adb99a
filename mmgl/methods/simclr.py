"""SimCLR: global contrast of two views, then segmentation (Chen et al., ICML 2020, arXiv 2002.05709).

The encoder learns to tell slices apart: two augmented copies of a slice attract, all other slices of the batch repel.
The embedding and the temperature are those that the methods built on it compare with (Zeng et al. 2021). Batches are
what memory holds, far smaller than the paper's. The segmentation is that of the supervised baseline, so that what
differs is the pre-training alone.
"""

from __future__ import annotations

from torch import Tensor

from mmgl.data.plan import Plan
from mmgl.losses.contrastive import nt_xent
from mmgl.methods.pretraining import GlobalPretraining, PlacedBatch
from mmgl.methods.stage import Method
from mmgl.methods.supervised import Segmentation
from mmgl.networks.heads import GlobalHead
from mmgl.networks.unet import UNet


class SliceContrast(GlobalPretraining):
    """NT-Xent (the paper's equation 1): the other view of the slice against all other slices of the batch."""

    def contrast(self, first: Tensor, second: Tensor, batch: PlacedBatch) -> Tensor:
        return nt_xent(first, second, self.temperature)


class SimClr(Method):
    """SimCLR on the plan's network and planes."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.global_head = GlobalHead(self.network.widths[-1], 512)
        self.stages = (
            SliceContrast(plan, self.network, self.global_head, share=0.4),
            Segmentation(plan, self.network, share=0.6),
        )
