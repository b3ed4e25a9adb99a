"""What methods share that learn from labelled and unlabelled slices at once: batches, pace, and what is left to chance.

Their common frame is that of the medical benchmark (SSL4MIS): 12 labelled and 12 unlabelled slices, half
cross-entropy and half Dice on the labels. Ours: the plan's U-Net, batch and augmentation, and the loop's optimiser
instead of SGD at rate 0.01 with momentum, for which the rate of the published plan is 5e-4.
"""

from __future__ import annotations

import torch
from torch import nn

from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.methods.stage import Batch, Stage, augmented
from mmgl.networks.unet import UNet


class SemiSupervised(Stage):
    """As many labelled as unlabelled slices, one network that learns by gradients.

    Class attributes:
        published_labelled: labelled slices of a batch in the paper, and as many unlabelled ones.
        parts: views that the network gets of a labelled and an unlabelled slice together; a batch of the plan is
            divided by it, because the plan's batch is what fits into memory.
        decay: of the averaged teacher, for methods that have one.
    """

    name = "semi-supervised"
    share = 1.0
    segments = True
    reads_labels = True
    published_labelled = 12
    parts = 2
    decay = 0.99

    def __init__(self, plan: Plan, network: UNet) -> None:
        super().__init__(plan)
        self.network = network
        self.learning_rate = 5e-4 if plan.published else 2e-3

    @property
    def labelled(self) -> int:
        """Labelled slices of a batch, and as many unlabelled ones."""
        return self.published_labelled if self.plan.published else max(1, self.plan.batch // self.parts)

    def parameters(self) -> list[nn.Parameter]:
        return self.network.finest_parameters()

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        labelled, unlabelled = slices.draw_labelled(self.labelled), slices.draw_unlabelled(self.labelled)
        images, labels = augmented(labelled, self.plan, slices.generator, device)
        others, _ = augmented(unlabelled, self.plan, slices.generator, device)
        seed = int(torch.randint(2**31, (), generator=slices.generator))
        return Batch([images], labels, [others], seed=seed)
