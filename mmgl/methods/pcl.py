"""PCL: positional contrastive learning (Zeng et al., MICCAI 2021, arXiv 2106.09157).

SimCLR, in which slices at nearly the same relative height of any two scans are positives instead of negatives:
M_ij = 1[|p_i - p_j| < t] with p = (k + 1) / D. The encoder then goes into the segmentation network. The paper
trains the latter by cross-entropy; here it is trained as in the supervised baseline, so that what differs is the
pre-training alone. The paper slices across one axis; here slices of different planes are plain negatives.
"""

from __future__ import annotations

from torch import Tensor

from mmgl.data.plan import Plan
from mmgl.losses.position_contrast import position_contrast, position_differences
from mmgl.methods.pretraining import GlobalPretraining, PlacedBatch
from mmgl.methods.stage import Method
from mmgl.methods.supervised import Segmentation
from mmgl.networks.heads import GlobalHead
from mmgl.networks.unet import UNet

THICK_THRESHOLD, THIN_THRESHOLD = 0.35, 0.1
"""The paper's t for a dozen thick slices (heart MR, ACDC) and for hundreds of thin ones (heart CT)."""


def threshold_of(plan: Plan) -> float:
    """Return t: that of the paper's data set whose slices are like the plan's."""
    return THICK_THRESHOLD if None in plan.spacing else THIN_THRESHOLD


class PositionContrast(GlobalPretraining):
    """Slices at nearly one relative position attract, all others repel (the paper's equation, hard threshold)."""

    def contrast(self, first: Tensor, second: Tensor, batch: PlacedBatch) -> Tensor:
        differences = position_differences(batch.positions, batch.planes)
        return position_contrast(first, second, differences, threshold_of(self.plan), self.temperature)


class Pcl(Method):
    """PCL on the plan's network and planes."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        self.network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        self.global_head = GlobalHead(self.network.widths[-1], 512)
        self.stages = (
            PositionContrast(plan, self.network, self.global_head, share=0.4),
            Segmentation(plan, self.network, share=0.6),
        )
