"""The averaged teacher: a network that follows another one slowly (Tarvainen A. and Valpola H., NeurIPS 2017)."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from mmgl.networks.unet import UNet
from mmgl.ranks import divided

MANY = 10_000
"""Updates after which a teacher follows with the decay that it is given."""


class AveragedTeacher(nn.Module):
    """A copy of a network whose weights are the exponential moving average of that network's weights.

    It learns nothing by gradients, its norms use the averaged statistics of the student (never those of a batch), and
    the number of its updates is saved with its weights.

    Args:
        student: the network to follow, as it is now.
    """

    steps: Tensor

    def __init__(self, student: UNet) -> None:
        super().__init__()
        self.network = deepcopy(student).requires_grad_(False)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.train()

    def train(self, mode: bool = True) -> AveragedTeacher:
        """Stay in evaluation mode, whatever the method that owns the teacher is put into."""
        super().train(False)
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K + 1, H, W) of images (N, C, H, W), without a gradient."""
        logits: Tensor = divided(self.network, images)
        return logits

    def start_from(self, student: UNet) -> None:
        """Take over the student as an earlier stage has trained it: worth as much as a mean of many."""
        self.network.load_state_dict(student.state_dict())
        self.steps.fill_(MANY)

    @torch.no_grad()
    def update(self, student: UNet, decay: float) -> None:
        """Follow the student: ``teacher = alpha teacher + (1 - alpha) student`` with ``alpha = min(1 - 1/t, decay)``.

        t counts the updates from 1, so the first ones are the plain mean of the student so far, and the random
        weights it began with are forgotten. Statistics of norms follow like weights, because those of the student
        do not fit averaged weights while it learns fast; counters are copied.
        """
        alpha = min(1 - 1 / (int(self.steps) + 1), decay)
        # all weights in a few kernels, as torch's own optimisers do
        torch._foreach_lerp_(list(self.network.parameters()), list(student.parameters()), 1 - alpha)
        for own, followed in zip(self.network.buffers(), student.buffers(), strict=True):
            if own.is_floating_point():
                own.lerp_(followed, 1 - alpha)
            else:
                own.copy_(followed)
        self.steps += 1
