"""Class-balanced contrast between the blocks of many maps (MCSC, Liu Q. et al., BMVC 2023).

The maps of several networks and images are cut into square blocks. A set is one block of each map, drawn anew for
every map, so that its vectors come from different places, slices and networks. Within a set, vectors of one structure
attract and all others repel, every structure with the same weight however many pixels it has.

The published program cuts one block less a side than fit, which leaves most of a small map out; ``released=True``
does the same. Without it every pixel belongs to a block, and blocks at the right and lower edge are filled up with
unlabelled pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

CHUNK = 8 * 1024 * 1024
"""Similarities held at once (32 MB of float32)."""

NOTHING = -1e4
"""Logarithm of the weight of an unlabelled vector; its exponential is zero in float32."""


def sample_sets(
    maps: int, height: int, width: int, block: int, generator: Generator, *, limit: int | None = None, released: bool
) -> Tensor:
    """Draw the sets of one step: the order of the blocks is shuffled for every map on its own.

    Args:
        maps: how many maps of ``height`` x ``width``.
        block: side of a block in pixels.
        limit: draw only as many sets; all without it. Each set is as likely, so the expected loss is the same.
        released: leave out blocks as the published program does.

    Returns:
        (sets, maps) number of the block, row by row, that each set takes from each map.
    """
    rows, columns = _blocks(height, block), _blocks(width, block)
    numbers = torch.arange(rows * columns).reshape(rows, columns)
    if released:
        numbers = numbers[: max(1, height // block - 1), : max(1, width // block - 1)]
    numbers = numbers.flatten()
    orders = [torch.randperm(len(numbers), generator=generator)[:limit] for _ in range(maps)]
    return torch.stack([numbers[order] for order in orders], 1)


def apply_sets(maps: Tensor, sets: Tensor, block: int, fill: int = 0) -> Tensor:
    """Return the vectors of each set: (sets, M * block * block, C) of maps (M, C, H, W).

    Args:
        sets: what ``sample_sets`` drew for M maps of this size.
        fill: value of the pixels with which blocks at the edge are filled up.
    """
    count, channels, height, width = maps.shape
    rows, columns = _blocks(height, block), _blocks(width, block)
    full = F.pad(maps, (0, columns * block - width, 0, rows * block - height), value=fill)
    cut = full.reshape(count, channels, rows, block, columns, block).permute(0, 2, 4, 3, 5, 1)
    cut = cut.reshape(count * rows * columns, block * block, channels)
    places = sets.to(maps.device) + rows * columns * torch.arange(count, device=maps.device)
    return cut.index_select(0, places.flatten()).reshape(len(sets), -1, channels)


def balanced_contrast(features: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Return the balanced contrast of each set, averaged over the sets that show a structure.

    For every vector i of a set, with P(i) the others of its label and n_c the vectors of label c:
    ``-1/|P(i)| * sum over p in P(i) of [z_i . z_p / t - log(sum over j != i of exp(z_i . z_j / t) / w_ij)]``,
    where ``w_ij`` is n of j's label, less one where i has it too. So each label present adds its mean to the
    denominator. Averaged over the vectors with a P(i); background is an anchor like any structure.

    Args:
        features: (S, N, D), normalised here.
        labels: (S, N), 0 background, positive for structures, negative for vectors that take no part.
        temperature: positive.

    Returns:
        A scalar; 0 when no set shows a structure.
    """
    z = F.normalize(features.float(), dim=-1)
    known = labels >= 0
    structures = torch.arange(int(labels.max()) + 1 if labels.numel() else 0, device=labels.device)
    member = (labels[..., None] == structures).float()  # (S, N, K + 1); rows of zeros for what takes no part
    counts = member.sum(1, keepdim=True)
    own_count = (member * counts).sum(-1)
    partners = (own_count - 1).clamp(min=1)
    with torch.autocast(z.device.type, enabled=False):
        # the mean of the brackets is the mean similarity to P(i), less the logarithm, which is the same for all p
        sums = member.transpose(1, 2) @ z
        positive = (z * (member @ sums - z)).sum(-1) / partners / temperature
        denominator = _log_sum_exp_others(*_with_weights(z, member, counts, known, temperature))
    anchors = known & (own_count > 1)
    per_set = ((denominator - positive) * anchors).sum(1) / anchors.sum(1).clamp(min=1)
    shown = (labels > 0).any(1)
    return (per_set * shown).sum() / shown.sum().clamp(min=1)


def _with_weights(
    z: Tensor, member: Tensor, counts: Tensor, known: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Return queries and keys (S, N, D + K + 2) whose products are ``z_i . z_j / t - log w_ij``.

    The weights become part of the vectors, so that one matrix product gives similarity and weight together:
    ``-log w_ij`` is ``-log n_c`` for all, and ``log(n_c / (n_c - 1))`` more where both have the label c.
    """
    share = -(member * counts.clamp(min=1).log()).sum(-1, keepdim=True)
    share = share.masked_fill(~known[..., None], NOTHING)
    same = member * (counts / (counts - 1).clamp(min=1)).clamp(min=1).log()
    queries = torch.cat([z / temperature, member, torch.ones_like(share)], -1)
    return queries, torch.cat([z, same, share], -1)


def _log_sum_exp_others(queries: Tensor, keys: Tensor) -> Tensor:
    """Return ``log(sum over j != i of exp(queries_i . keys_j))`` (S, N) of two tensors (S, N, E)."""
    result: Tensor = _LogSumExpOthers.apply(queries, keys)  # type: ignore[no-untyped-call]
    return result


class _LogSumExpOthers(torch.autograd.Function):
    """Some rows of all sets at a time; backwards computes them again instead of keeping N x N numbers.

    With P the softmax of a row without its own column and g the incoming gradient, the gradient is ``diag(g) P k``
    for the queries and ``P^T diag(g) q`` for the keys.
    """

    @staticmethod
    def forward(ctx: Any, queries: Tensor, keys: Tensor) -> Tensor:
        result = torch.cat([s.logsumexp(2) for _, s in _products(queries, keys)], 1)
        ctx.save_for_backward(queries, keys, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        queries, keys, result = ctx.saved_tensors
        (g,) = gradients
        to_queries, to_keys = torch.empty_like(queries), torch.zeros_like(keys)
        for part, product in _products(queries, keys):
            p = product.sub_(result[:, part, None]).exp_().mul_(g[:, part, None])
            to_queries[:, part] = p @ keys
            to_keys.baddbmm_(p.transpose(1, 2), queries[:, part])
        return to_queries, to_keys


def _products(queries: Tensor, keys: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield parts of the rows and their products with all keys, minus infinity with their own."""
    sets, count, _ = keys.shape
    size = max(1, CHUNK // max(1, sets * count))
    for start in range(0, count, size):
        part = slice(start, min(start + size, count))
        product = queries[:, part] @ keys.transpose(1, 2)
        product.diagonal(start, 1, 2).fill_(float("-inf"))
        yield part, product


def _blocks(side: int, block: int) -> int:
    """Return how many blocks cover a side, the last one perhaps in part."""
    return -(-side // block)
