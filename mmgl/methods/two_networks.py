"""What methods of two networks that teach each other share: their pace, and the chance in a transformer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import nn

from mmgl.data.plan import Plan
from mmgl.methods.semi_supervised import SemiSupervised
from mmgl.networks.swin import SwinUNet, window_for
from mmgl.networks.unet import UNet

PUBLISHED_SWIN_WIDTH = 96


class TwoNetworks(SemiSupervised):
    """Both networks see the same labelled and unlabelled slices, and move at their own learning rates.

    Class attributes:
        highest: the weight of what the networks teach each other, once it has risen.
        rise: share of the stage over which it rises.
        second_pace: learning rate of the second network as a share of the first one's.
    """

    highest = 0.1
    rise = 1.0
    second_pace = 1.0

    def __init__(self, plan: Plan, network: UNet, second: nn.Module) -> None:
        super().__init__(plan, network)
        self.second = second

    def parameters(self) -> list[nn.Parameter]:
        return list(chain.from_iterable(parameters for parameters, _ in self.groups()))

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        second = self.second.finest_parameters() if isinstance(self.second, UNet) else list(self.second.parameters())
        return [
            (self.network.finest_parameters(), self.learning_rate),
            (second, self.second_pace * self.learning_rate),
        ]


def swin_unet(plan: Plan, structures: int) -> SwinUNet:
    """Return the Swin-UNet that goes with the plan's U-Net: of the published width, or twice as wide as the U-Net."""
    width = PUBLISHED_SWIN_WIDTH if plan.published else 2 * plan.width
    return SwinUNet(plan.channels, structures + 1, width, window=window_for(plan.slice_size))


@contextmanager
def repeatable(seed: int, device: torch.device) -> Iterator[None]:
    """Let torch's own generator, which the dropped paths of a transformer draw from, start at ``seed`` for a while.

    Outside nothing is changed, so that neither resuming nor another method in the same process sees a difference.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
