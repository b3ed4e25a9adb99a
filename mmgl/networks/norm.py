"""Batch normalisation over the slices of all processes that train together (``mmgl/ranks.py``).

torch has it for graphics cards only; this one works wherever the processes can talk to one another.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mmgl.ranks import total, world

DIMS = (0, 2, 3)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """As ``nn.BatchNorm2d`` of the whole batch, of which every process has some slices."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised maps (N, C, H, W) of this process's slices."""
        if not self.training or world() == 1:
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            result, mean, variance, count = _Normalised.apply(x, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum or 0.0)
            self.running_var.lerp_(variance * (count / (count - 1)), self.momentum or 0.0)
        return result  # type: ignore[no-any-return]


def share_norms(module: nn.Module) -> None:
    """Let all batch norms of a module count the slices of all processes; names and weights stay as they are."""
    for child in module.modules() if world() > 1 else ():
        if type(child) is nn.BatchNorm2d:
            child.__class__ = SharedBatchNorm2d


class _Normalised(torch.autograd.Function):
    """The gradient is that of batch normalisation, with both of its means over all processes.

    With x^ the normalised map and g the incoming gradient times the weight:
    ``(g - mean(g) - x^ mean(g x^)) / deviation``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        full = x.float()
        sums = total(torch.cat([full.sum(DIMS), full.new_full((1,), x.numel() / x.shape[1])]))
        count = sums[-1:]
        mean = sums[:-1] / count
        variance = total((full - _wide(mean)).square_().sum(DIMS)) / count
        scale = torch.rsqrt(variance + eps)
        ctx.save_for_backward(x, weight, mean, scale, count)
        ctx.mark_non_differentiable(mean, variance, count)
        factor = weight * scale
        result = full * _wide(factor) + _wide(bias - mean * factor)
        return result.to(x.dtype), mean, variance, count

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, scale, count = ctx.saved_tensors
        g = gradients[0].float()
        normalised = (x.float() - _wide(mean)) * _wide(scale)
        own = torch.stack([g.sum(DIMS), (g * normalised).sum(DIMS)])
        plain, along = total(own) / count
        to_x = _wide(weight * scale) * (g - _wide(plain) - normalised * _wide(along))
        return to_x.to(x.dtype), own[1], own[0], None


def _wide(values: Tensor) -> Tensor:
    """Return one value for each channel (C,) in the shape of maps."""
    return values[None, :, None, None]
