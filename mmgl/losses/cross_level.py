"""Cross-level losses: what a network makes of a whole image and of its patches agrees (Zhao X. et al. 2022, CLCC)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def split(images: Tensor, n: int) -> Tensor:
    """Return the n x n patches (N n n, C, s, s) of square images (N, C, n s, n s), row by row of each image."""
    count, channels, side, _ = images.shape
    patches = images.reshape(count, channels, n, side // n, n, side // n)
    return patches.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, side // n, side // n)


def join(patches: Tensor, n: int) -> Tensor:
    """Return the images (N, C, n s, n s) that ``split`` cut into patches (N n n, C, s, s)."""
    channels, side = patches.shape[1:3]
    grid = patches.reshape(-1, n, n, channels, side, side)
    return grid.permute(0, 3, 1, 4, 2, 5).reshape(len(grid), channels, n * side, n * side)


def cross_level_contrast(whole: Tensor, patches: Tensor, temperature: float, *, released: bool = False) -> Tensor:
    """Return the contrast between the grid of a whole image and its patches (CLCC, L_con).

    At every place i of the n x n grid, with Z_i from the whole image and z_i from patch i alone:
    ``-log(exp(Z_i . z_i / t) / (exp(Z_i . z_i / t) + sum over k != i of exp(Z_i . Z_k / t)))``,
    averaged over places and images.

    Args:
        whole, patches: (N, D, n, n), normalised here.
        temperature: positive.
        released: as in the released code: negatives are the other patches ``Z_i . z_k``, nothing is learned through
            the patches, and vectors have a sum of one instead of a length of one.
    """
    norm = 1 if released else 2
    queries = F.normalize(whole.float().flatten(2).mT, p=norm, dim=2)  # (N, n n, D)
    keys = F.normalize(patches.float().flatten(2).mT, p=norm, dim=2)
    keys = keys.detach() if released else keys
    with torch.autocast(queries.device.type, enabled=False):
        positive = (queries * keys).sum(2) / temperature
        similarity = queries @ (keys if released else queries).mT / temperature
    itself = torch.eye(similarity.shape[1], dtype=torch.bool, device=similarity.device)
    negatives = similarity.masked_fill(itself, float("-inf")).logsumexp(2)
    return (torch.logaddexp(positive, negatives) - positive).mean()


def cross_level_consistency(whole: Tensor, patches: Tensor, n: int) -> Tensor:
    """Return how far the probabilities of patches are from the whole image's (CLCC, L_cons).

    The squared difference, averaged over images, pixels and structures, summed over the n x n patches. The whole
    image is the teacher: only the patches' side learns. With one structure this is the paper's sigmoid.

    Args:
        whole: logits (N, K + 1, H, W).
        patches: logits (N n n, K + 1, H / n, W / n), in the order of ``split``.
        n: patches along a side.
    """
    target = whole.detach().float().softmax(1)[:, 1:]
    found = join(patches.float().softmax(1)[:, 1:], n)
    return n * n * F.mse_loss(found, target)
