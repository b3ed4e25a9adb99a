"""Contrastive losses: NT-Xent between two views, and supervised contrast between labelled pixels.

All take features of any length and normalise them themselves. The similarity of two vectors is their cosine, divided
by the temperature. Positives are summed by class, which costs O(N D); only the log-sum-exp over all pairs needs the
N x N similarities, and these exist a few rows at a time, forwards and backwards.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 8 * 1024 * 1024
"""Similarities held at once (32 MB of float32)."""


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return the NT-Xent loss of two views (SimCLR, Chen et al. 2020, equation 1; MMGL's L_g at one scale).

    For every one of the 2N vectors, minus the log of the share that its other view has among all others:
    ``-log(exp(z_i . z_j(i) / t) / sum over k != i of exp(z_i . z_k / t))``, averaged.

    Args:
        first, second: (N, D), row i of both from the same slice.
        temperature: positive.
    """
    z = F.normalize(torch.cat([first, second]).float(), dim=1)
    n = len(first)
    positive = (z * z.roll(n, 0)).sum(1) / temperature
    return (log_sum_exp_others(z, temperature) - positive).mean()


def supervised_contrast(features: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the supervised contrastive loss between pixels (Hu et al. 2021; MMGL's L_l inside one block).

    For every foreground pixel u, with P(u) the other pixels of its structure:
    ``-1/|P(u)| * sum over p in P(u) of log(exp(f_u . f_p / t) / sum over n != u of exp(f_u . f_n / t))``,
    averaged over the foreground pixels that have a P(u). Background is never an anchor but stands in the
    denominator. Pixels with a negative label are unlabelled and take no part at all.

    Args:
        features: (N, D).
        labels: (N,), 0 background, positive for structures, negative for unlabelled.
        temperature: positive.

    Returns:
        A scalar; 0 when no pixel has a partner.
    """
    # index_select, because the gradient of indexing adds up in any order and a run could not be repeated
    known = torch.nonzero(labels >= 0).flatten()
    z, y = F.normalize(features.index_select(0, known).float(), dim=1), labels[known]
    if len(z) == 0:
        return features.sum() * 0.0
    structures, member = torch.unique(y, return_inverse=True)
    counts = torch.bincount(member, minlength=len(structures))
    sums = torch.zeros(len(structures), z.shape[1], dtype=z.dtype, device=z.device).index_add(0, member, z)
    partners = counts[member] - 1
    anchors = (y > 0) & (partners > 0)
    if not bool(anchors.any()):
        return features.sum() * 0.0
    rows = torch.nonzero(anchors).flatten()
    # the mean of the logarithms is the mean similarity to P(u), less the logarithm of the denominator
    own = z.index_select(0, rows)
    positive = (own * (sums.index_select(0, member[rows]) - own)).sum(1) / partners[rows] / temperature
    return (log_sum_exp_others(z, temperature, rows) - positive).mean()


def block_supervised_contrast(features: Tensor, labels: Tensor, temperature: float, block: int) -> Tensor:
    """Return ``supervised_contrast`` inside each square block of the map, averaged over blocks with foreground.

    A block holds the pixels of that place in all images and views of the batch (Hu et al. 2021, "block").

    Args:
        features: (N, D, H, W).
        labels: (N, H, W), negative for unlabelled.
        temperature: positive.
        block: side of a block in pixels; blocks at the right and lower edge may be smaller.
    """
    losses = []
    for top in range(0, labels.shape[1], block):
        for left in range(0, labels.shape[2], block):
            inside = (..., slice(top, top + block), slice(left, left + block))
            y = labels[inside].flatten()
            if bool((y > 0).any()):
                z = features[inside].movedim(1, -1).flatten(0, 2)
                losses.append(supervised_contrast(z, y, temperature))
    return torch.stack(losses).mean() if losses else features.sum() * 0.0


def log_sum_exp_others(z: Tensor, temperature: float, rows: Tensor | None = None) -> Tensor:
    """Return ``log(sum over k != i of exp(z_i . z_k / temperature))`` for the rows i of ``z`` (N, D).

    Args:
        rows: the i that are asked for; all without it.
    """
    if rows is None:
        rows = torch.arange(len(z), device=z.device)
    result: Tensor = _LogSumExpOthers.apply(z, temperature, rows)  # type: ignore[no-untyped-call]
    return result


class _LogSumExpOthers(torch.autograd.Function):
    """A chunk of rows at a time; backwards computes a chunk again instead of keeping it.

    With P the softmax of the rows without their own column, g the incoming gradient and z_r the rows of z, the
    gradient is ``diag(g) P z`` in the rows plus ``P^T diag(g) z_r``, over the temperature.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, temperature: float, rows: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            result = torch.cat([s.logsumexp(1) for _, s in _similarities(z, temperature, rows)])
        ctx.save_for_backward(z, result, rows)
        ctx.temperature = temperature
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        z, result, rows = ctx.saved_tensors
        (g,) = gradients
        total = torch.zeros_like(z)
        with torch.autocast(z.device.type, enabled=False):
            for part, similarity in _similarities(z, ctx.temperature, rows):
                p = similarity.sub_(result[part, None]).exp_().mul_(g[part, None])
                total.index_add_(0, rows[part], p @ z)
                total.addmm_(p.T, z[rows[part]])
        return total / ctx.temperature, None, None


def _similarities(z: Tensor, temperature: float, rows: Tensor) -> Any:
    """Yield parts of ``rows`` and their similarities to all of ``z``, minus infinity to themselves."""
    size = max(1, CHUNK // max(1, len(z)))
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        similarity = (z[rows[part]] @ z.T).div_(temperature)
        similarity.scatter_(1, rows[part, None], float("-inf"))
        yield part, similarity
