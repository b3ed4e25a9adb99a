"""From probabilities on the plan's grid to a labelmap on the scan's own grid, a few slices at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.data.prepare import Box
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.resampling import interpolation_matrix
from mmgl.inference.fused import Fused
from mmgl.inference.region import turned

SLAB = 8 * 1024 * 1024
"""Numbers of enlarged probabilities held at once (32 MB of float32)."""


def labelmap_on_own_grid(
    probabilities: Fused | Tensor, grid: Grid, region: Box | None = None, weights: Sequence[float] | None = None
) -> Array:
    """Return the most probable structure of every voxel of a scan's own grid.

    Probabilities are enlarged linearly over the same part of space, slab by slab, and only their argmax is kept, so
    all structures never exist at full size.

    Args:
        probabilities: on the plan's grid, canonical orientation; (K + 1, z, y, x) where they are a tensor.
        grid: the scan's own.
        region: voxels of the scan beyond which everything is background; all of them unless given.
        weights: of each output, by which its probability is multiplied; 1 unless given.

    Returns:
        (z, y, x) of the grid: uint8, or uint16 for more than 255 structures; 0 is background.
    """
    fused = Fused.of(probabilities) if isinstance(probabilities, Tensor) else probabilities
    turn = grid.reorientation()
    size = turn.apply_to_grid(grid).size
    kind = np.uint8 if fused.outputs <= 256 else np.uint16
    labelmap = np.zeros(size, dtype=kind)
    first, *inside = [slice(*side) for side in (turned(region, grid) if region else [(0, n) for n in size])]
    rows = torch.from_numpy(interpolation_matrix(fused.whole[0], size[0])).to(fused.device)
    step = max(1, SLAB // (fused.outputs * size[1] * size[2]))
    for start in range(first.start, first.stop, step):
        stop = min(start + step, first.stop)
        slab = _enlarged(fused.mixed(rows[start:stop]), size[1:])[:, inside[0], inside[1]]
        if weights is not None:
            slab = slab * slab.new_tensor(weights)
        labelmap[start:stop, inside[0], inside[1]] = slab.argmax(-1).cpu().numpy().astype(kind)
    return np.ascontiguousarray(turn.undo(labelmap))


def _enlarged(mixed: Tensor, size: tuple[int, int]) -> Tensor:
    """Return slices (n, y, x, K + 1) enlarged to ``size`` from (n, K + 1, h, w); channels last for argmax."""
    if mixed.shape[-2:] != size:
        shrinks = mixed.shape[-2] > size[0] or mixed.shape[-1] > size[1]
        mixed = mixed.contiguous(memory_format=torch.channels_last)
        mixed = F.interpolate(mixed, size=size, mode="bilinear", align_corners=False, antialias=shrinks)
    return mixed.permute(0, 2, 3, 1).contiguous()


def map_on_own_grid(volume: Tensor, grid: Grid, whole: tuple[int, int, int], start: tuple[int, int, int]) -> Array:
    """Return a map (z, y, x) of the plan's grid, enlarged linearly to the scan's own grid; float32.

    Args:
        volume: the map, or the part of it that begins at ``start``; beyond it is zero.
        grid: the scan's own.
        whole: size of the plan's grid.
    """
    turn = grid.reorientation()
    size = turn.apply_to_grid(grid).size
    full = volume.new_zeros(whole)
    full[tuple(slice(a, a + n) for a, n in zip(start, volume.shape, strict=True))] = volume
    rows = torch.from_numpy(interpolation_matrix(whole[0], size[0])).to(full)
    result = np.empty(size, dtype=np.float32)
    step = max(1, SLAB // (size[1] * size[2]))
    for first in range(0, size[0], step):
        slab = torch.einsum("nz,zyx->nyx", rows[first : first + step], full)[:, None]
        result[first : first + step] = _enlarged(slab, size[1:])[..., 0].cpu().numpy()
    return np.ascontiguousarray(turn.undo(result))
