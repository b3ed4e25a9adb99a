"""A scan on the plan's grid: reoriented, resampled, normalised. Training and segmenting share this one function."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mmgl.data.normalisation import Normalisation
from mmgl.data.plan import Plan
from mmgl.imaging.grid import Array, Reorientation, Size
from mmgl.imaging.intensities import VOXELS, channel_facts, spread_facts
from mmgl.imaging.resampling import resample_labelmap, resample_rows
from mmgl.imaging.scan import Scan
from mmgl.messages import MMGLError

MOST_VOXELS = 2**31
"""Voxels on the plan's grid beyond which a header is taken for wrong: 8 GB of float32, a cube with sides of 1290."""

SLAB = 16 * 1024 * 1024
"""Voxels that are resampled at once (64 MB of float32)."""

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""First voxel and the one after the last, along z, y, x."""


def prepare_scan(scan: Scan, plan: Plan, box: Box | None = None, kind: type[np.floating[Any]] = np.float32) -> Array:
    """Return the scan (channels, z, y, x) in canonical orientation on the plan's grid, normalised.

    Beside the result only ``SLAB`` voxels are held at once.

    Args:
        box: first voxel of the plan's grid and the one after the last, along z, y, x; all of them unless given. They
            are what they are in the whole scan.
        kind: of the numbers returned.

    Raises:
        MMGLError: ``scan.too_large``.
    """
    turn, size = _onto_grid(scan, plan)
    if math.prod(high - low for low, high in box or [(0, n) for n in size]) > MOST_VOXELS:
        raise MMGLError("scan.too_large", scan="The scan", size=" x ".join(map(str, reversed(size))))
    (low, high), *inside = box or [(0, n) for n in size]
    y, x = (slice(*side) for side in inside)
    prepared = np.empty((len(scan.array), high - low, *(b - a for a, b in inside)), dtype=kind)
    for channel, rule, target in zip(scan.array, plan.normalisation, prepared, strict=True):
        slabs = _Slabs(turn.apply(channel), size)
        if rule.kind == "scan":
            rule = _own_rule(slabs)
        for start, slab in slabs:
            first, last = max(low, start), min(high, start + len(slab))
            if first < last:
                part = normalise(slab[None, first - start : last - start, y, x], [rule])
                target[first - low : last - low] = part[0]
    return prepared


def plan_size(scan: Scan, plan: Plan) -> Size:
    """Return the size (z, y, x) of a scan on the plan's grid."""
    return _onto_grid(scan, plan)[1]


class _Slabs:
    """Slabs of a channel (z, y, x) resampled to ``size``, float32 and not shared, and where along z they begin.

    What is a single slab is resampled once however often it is asked for.
    """

    def __init__(self, channel: Array, size: Size) -> None:
        self._channel, self.size = channel, size
        self._step = max(1, SLAB // (size[1] * size[2]))
        self._only = self._slab(0) if self._step >= size[0] else None

    def __iter__(self) -> Iterator[tuple[int, Array]]:
        for start in range(0, self.size[0], self._step):
            yield start, self._slab(start) if self._only is None else self._only

    def _slab(self, start: int) -> Array:
        slab = resample_rows(self._channel, self.size, start, min(start + self._step, self.size[0]))
        return slab.copy() if np.may_share_memory(slab, self._channel) else slab


def _own_rule(slabs: _Slabs) -> Normalisation:
    """Return the normalisation by a scan's own intensities, from voxels evenly spread over its slabs."""
    spread, values = max(1, math.prod(slabs.size) // VOXELS), []
    for start, slab in slabs:
        values.append(slab.reshape(-1)[-start * slab[0].size % spread :: spread].copy())
    own = spread_facts(np.concatenate(values))
    return Normalisation("fixed", own.low, own.high, own.mean, own.deviation)


def prepare_labelmap(labelmap: Array, scan: Scan, plan: Plan) -> Array:
    """Return the labelmap (z, y, x) of a scan as int16 in canonical orientation on the plan's grid.

    What is not labelled keeps its negative codes.
    """
    turn, size = _onto_grid(scan, plan)
    return resample_labelmap(np.ascontiguousarray(turn.apply(labelmap)).astype(np.int16), size)


def _onto_grid(scan: Scan, plan: Plan) -> tuple[Reorientation, Size]:
    """Return how a scan is turned to the canonical orientation, and its size on the plan's grid."""
    turn = scan.grid.reorientation()
    grid = turn.apply_to_grid(scan.grid)
    return turn, plan.size_on_grid(grid.size, grid.spacing)


def normalise(channels: Array, rules: Sequence[Normalisation]) -> Array:
    """Return the channels (channels, z, y, x) as numbers near zero; float32, changed in place where it can be."""
    for channel, rule in zip(channels, rules, strict=True):
        if rule.kind == "scan":
            own = channel_facts(channel)
            rule = Normalisation("scan", own.low, own.high, own.mean, own.deviation)
        np.clip(channel, rule.low, rule.high, out=channel)
        channel -= rule.mean
        channel /= max(rule.deviation, 1e-6)
    return channels
