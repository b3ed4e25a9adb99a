"""Contrast that knows where slices lie: by relative position, by partition of the scan, and between regions of a map.

Two slices at one height of the body show nearly the same tissue, so they are no negatives of one another. The losses
here are small (some dozens of slices, a dozen regions), so all similarities are held at once. Similarity is the
cosine over the temperature, s_ij; features of any length are normalised here.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NEVER = -1e4
"""Logarithm of a weight of zero: finite, because gradients of minus infinity are not numbers."""


def position_differences(positions: Tensor, planes: Tensor) -> Tensor:
    """Return how far apart slices lie, d_ij = |p_i - p_j| (N, N); infinity between slices of different planes.

    Positions mean the same only within one plane, so slices of different planes are plain negatives of one another.

    Args:
        positions: (N,) relative positions (k + 1) / D in (0, 1], over all scans (Zeng et al. 2021, PCL).
        planes: (N,) number of the plane.
    """
    differences = (positions[:, None] - positions[None]).abs()
    return differences.masked_fill(planes[:, None] != planes[None], float("inf"))


def partitions(positions: Tensor, planes: Tensor, count: int) -> Tensor:
    """Return a number for the part of its scan and plane that each slice lies in (N,), ``count`` parts to a scan."""
    # the margin, because (k + 1) / D * count may come out just above the whole number it is
    part = (positions * count - 1e-4).ceil().long().sub(1).clamp(0, count - 1)
    return planes * count + part


def position_contrast(
    first: Tensor, second: Tensor, differences: Tensor, threshold: float, temperature: float
) -> Tensor:
    """Return the hard contrast by relative position (Zeng et al. 2021, PCL).

    For each of the 2N views i, with P(i) its other view and all views of slices with d_ip < t:
    ``-1/|P(i)| * sum over p in P(i) of log(exp(s_ip) / sum over a != i of exp(s_ia))``, averaged.
    With t above 1 all slices of a plane are positives; with t towards 0 it is SimCLR with more positives where two
    slices lie at exactly one position. The released code multiplies by the constant temperature / 0.07, left out here.

    Args:
        first, second: (N, D), row i of both from the same slice.
        differences: (N, N) of ``position_differences``.
        threshold: t, at least 0.
        temperature: positive.
    """
    similarity, itself, other = _similarities(first, second, temperature)
    positive = ((differences.repeat(2, 2) < threshold) | other) & ~itself
    total = similarity.masked_fill(itself, NEVER).logsumexp(1, keepdim=True)
    per_view = ((total - similarity) * positive).sum(1) / positive.sum(1)
    return per_view.mean()


def soft_position_contrast(
    first: Tensor, second: Tensor, differences: Tensor, threshold: float, temperature: float
) -> Tensor:
    """Return the soft contrast by relative position difference (Zhao X. et al. 2024, GLRP; a reconstruction).

    Slices are positives by ``w_ip = max(0, 1 - d_ip / t)`` and negatives by ``v_ia = min(1, d_ia / t)``, so that
    neighbours are neither strong positives nor strong negatives. For each of the 2N views i:
    ``-1/W_i * sum over p != i of w_ip log(exp(s_ip) / (exp(s_ip) + sum over a != i, p of v_ia exp(s_ia)))``
    with ``W_i`` the sum of the w_ip; averaged. With t towards 0 and no two slices at one position it is SimCLR.

    Args:
        first, second: (N, D), row i of both from the same slice.
        differences: (N, N) of ``position_differences``.
        threshold: t, positive.
        temperature: positive.
    """
    similarity, itself, _ = _similarities(first, second, temperature)
    apart = (differences / threshold).clamp(max=1).repeat(2, 2)
    positive = (1 - apart).masked_fill(itself, 0)
    negative = apart.masked_fill(itself, 0)
    negatives = (similarity + _log(negative)).logsumexp(1, keepdim=True)
    # w + v = 1: with w_ip exp(s_ip) more, the positive stands in its own denominator exactly once
    total = torch.logaddexp(negatives, similarity + _log(positive))
    per_view = ((total - similarity) * positive).sum(1) / positive.sum(1)
    return per_view.mean()


def partition_contrast(
    first: Tensor, second: Tensor, parts: Tensor, cases: Tensor, temperature: float, *, second_views: bool = False
) -> Tensor:
    """Return the contrast between partitions of the scans (Chaitanya et al. 2020, GCL, G^D).

    Positive pairs (i, p), scored in both directions: the two views of a slice, and the first views of two cases in
    one partition. Negatives of i are the views of other partitions; what else lies in its own is left out. A pair
    costs ``-log(exp(s_ip) / (exp(s_ip) + sum over the negatives a of exp(s_ia)))``; averaged over the pairs.

    Args:
        first, second: (N, D), row i of both from the same slice.
        parts: (N,) of ``partitions``.
        cases: (N,) number of the case.
        temperature: positive.
        second_views: score the second views of two cases in one partition, too (as released).
    """
    similarity, _, other = _similarities(first, second, temperature)
    same = parts[:, None] == parts[None]
    partner = same & (cases[:, None] != cases[None])
    nothing = torch.zeros_like(partner)
    rows = torch.cat([partner, nothing], 1), torch.cat([nothing, partner if second_views else nothing], 1)
    positive = torch.cat(rows) | other
    negatives = similarity.masked_fill(same.repeat(2, 2), NEVER).logsumexp(1, keepdim=True)
    return ((torch.logaddexp(negatives, similarity) - similarity) * positive).sum() / positive.sum()


def region_contrast(
    first: Tensor,
    second: Tensor,
    others: Tensor,
    temperature: float,
    *,
    near: Tensor | None = None,
    far: Tensor | None = None,
) -> Tensor:
    """Return the contrast between regions of maps (GCL, L^R; with ``near`` and ``far`` GLRP's, a reconstruction).

    For each region u of each view i, the positives p are region u of the slice's other view and of both views of
    near slices; the negatives are the ``others`` of u in both views of its slice, and region u of far slices. A pair
    costs ``-log(exp(s_p) / (exp(s_p) + sum over the negatives a of exp(s_a)))``; averaged over the positives of a
    region, then over regions and views.

    Args:
        first, second: (N, A, D), A regions at the same places of both views of N slices.
        others: (A, A) true where the region of the column is a negative of that of the row.
        temperature: positive.
        near, far: (N, N) true where the same region of another slice is a positive or a negative; a slice's own
            views are never far. None for nowhere.
    """
    z = F.normalize(torch.cat([first, second]).float(), dim=2)
    slices = torch.zeros(len(first), len(first), dtype=torch.bool, device=z.device)
    itself, other = _views_of_itself(len(first), z.device)
    near = ((slices if near is None else near).repeat(2, 2) | other) & ~itself
    far = (slices if far is None else far).repeat(2, 2) & ~itself & ~other
    with torch.autocast(z.device.type, enabled=False):
        own = z @ z.mT / temperature  # (2N, A, A)
        across = z @ z.roll(len(first), 0).mT / temperature
        place = z.movedim(1, 0)
        same_place = (place @ place.mT / temperature).movedim(0, 1)  # (2N, A, 2N)
    candidates = [own.masked_fill(~others, NEVER), across.masked_fill(~others, NEVER)]
    candidates.append(same_place.masked_fill(~far[:, None], NEVER))
    negatives = torch.cat(candidates, 2).logsumexp(2, keepdim=True)
    costs = (torch.logaddexp(negatives, same_place) - same_place) * near[:, None]
    return (costs.sum(2) / near.sum(1)[:, None]).mean()


def _similarities(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return s_ij between all 2N views, and where j is i itself and where it is the other view of i (2N, 2N)."""
    z = F.normalize(torch.cat([first, second]).float(), dim=1)
    with torch.autocast(z.device.type, enabled=False):
        similarity = z @ z.T / temperature
    return similarity, *_views_of_itself(len(first), z.device)


def _views_of_itself(count: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return where of 2N views (2N, 2N) two are one, and where they are the two of one slice."""
    itself = torch.eye(2 * count, dtype=torch.bool, device=device)
    return itself, itself.roll(count, 0)


def _log(weights: Tensor) -> Tensor:
    """Return the logarithm of weights, ``NEVER`` for zero."""
    return weights.log().clamp(min=NEVER)
