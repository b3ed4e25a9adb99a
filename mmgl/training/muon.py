"""Muon for hidden convolutions: a step in which all directions of a kernel count alike (Jordan et al. 2024, "Muon: an
optimizer for hidden layers in neural networks"; the size of the step as in Liu et al. 2025, arXiv 2502.16982)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95

SIZE = 0.8
"""Root mean square over a kernel of a step, in learning rates. AdamW's is about 0.2; four times that was best at the
rates of the stages, which are as they were for everything else (docs/methods.md)."""

SMALLEST = 16
"""Rows and columns of a kernel that is worth it: the first layer and the classifiers have fewer."""

FIVE_STEPS = 5 * ((3.4445, -4.7750, 2.0315),)
"""Of Newton and Schulz, with the factors of Jordan et al., which lift small singular values fast."""


class Muon(torch.optim.AdamW):
    """AdamW, but kernels W of hidden convolutions follow their orthogonalised momentum M:

        M <- m M + (1 - m) G,    U S V^T = m M + (1 - m) G,    W <- (1 - r d) W - r 0.8 sqrt(max(rows, columns)) U V^T

    with gradient G, momentum m, learning rate r and weight decay d. A kernel is a matrix of as many rows as it has
    maps on its first axis.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step. Gradients of hidden convolutions are used up by it."""
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is not None and is_hidden_convolution(kernel):
                    self._follow(kernel, kernel.grad, group["lr"], group["weight_decay"])
                    kernel.grad = None  # so that AdamW passes it over
        return super().step(closure)

    def _follow(self, kernel: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[kernel]
        if not state:  # named as AdamW names its own, which looks through all states when it goes on
            state["step"], state["exp_avg"] = torch.zeros(()), torch.zeros_like(kernel)
        state["step"] += 1
        momentum = state["exp_avg"].lerp_(gradient, 1 - MOMENTUM)
        matrix = gradient.lerp(momentum, MOMENTUM).flatten(1)
        size = SIZE * max(matrix.shape) ** 0.5
        kernel.mul_(1 - rate * decay).sub_(orthogonalised(matrix).view_as(kernel), alpha=rate * size)


def is_hidden_convolution(parameter: Tensor) -> bool:
    """Return whether a parameter is a kernel of more than one pixel between many maps."""
    return parameter.ndim == 4 and parameter[0, 0].numel() > 1 and min(parameter.flatten(1).shape) >= SMALLEST


def orthogonalised(matrix: Tensor) -> Tensor:
    """Return about U V^T of a matrix U S V^T: singular values that are not tiny become about 1 (0.7 to 1.2).

    Every step is a polynomial in the same symmetric square, so all of them are taken on that square, which is small,
    and the matrix is multiplied once.
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    square, product = wide @ wide.T, torch.eye(len(wide), device=wide.device, dtype=wide.dtype)
    for one, first, second in FIVE_STEPS:
        step = first * square + second * square @ square
        step.diagonal().add_(one)
        product, square = step @ product, step @ square @ step
    found: Tensor = product @ wide
    return found if matrix.shape[0] <= matrix.shape[1] else found.T
