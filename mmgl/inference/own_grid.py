"""From probabilities on the plan's grid to a labelmap on the scan's own grid, a few slices at a time."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.resampling import interpolation_matrix

SLAB = 32 * 1024 * 1024
"""Numbers of enlarged probabilities held at once (128 MB of float32)."""


def labelmap_on_own_grid(probabilities: Tensor, grid: Grid) -> Array:
    """Return the most probable structure of every voxel of a scan's own grid.

    Probabilities are enlarged linearly over the same part of space, slab by slab, and only their argmax is kept, so
    all structures never exist at full size.

    Args:
        probabilities: (K + 1, z, y, x) on the plan's grid, canonical orientation.
        grid: the scan's own.

    Returns:
        (z, y, x) of the grid: uint8, or uint16 for more than 255 structures; 0 is background.
    """
    turn = grid.reorientation()
    size = turn.apply_to_grid(grid).size
    outputs = len(probabilities)
    kind = np.uint8 if outputs <= 256 else np.uint16
    labelmap = np.empty(size, dtype=kind)
    rows = torch.from_numpy(interpolation_matrix(probabilities.shape[1], size[0])).to(probabilities)
    step = max(1, SLAB // (outputs * size[1] * size[2]))
    for start in range(0, size[0], step):
        slab = _enlarge(probabilities, rows[start : start + step], size[1:])
        labelmap[start : start + step] = slab.argmax(-1).cpu().numpy().astype(kind)
    return np.ascontiguousarray(turn.undo(labelmap))


def _enlarge(probabilities: Tensor, rows: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the slices (n, y, x, K + 1) that ``rows`` (n, z) mix, enlarged to ``size``; channels last for argmax."""
    used = torch.nonzero(rows.any(0)).flatten()
    low, high = int(used[0]), int(used[-1]) + 1
    mixed = torch.einsum("nz,kzyx->nkyx", rows[:, low:high], probabilities[:, low:high])
    if mixed.shape[-2:] != size:
        shrinks = mixed.shape[-2] > size[0] or mixed.shape[-1] > size[1]
        mixed = mixed.contiguous(memory_format=torch.channels_last)
        mixed = F.interpolate(mixed, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
    return mixed.permute(0, 2, 3, 1).contiguous()
