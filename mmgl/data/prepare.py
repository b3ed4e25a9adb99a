"""A scan on the plan's grid: reoriented, resampled, normalised. Training and segmenting share this one function."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmgl.data.facts import channel_facts
from mmgl.data.plan import Normalisation, Plan
from mmgl.imaging.grid import Array, Reorientation, Size
from mmgl.imaging.resampling import resample, resample_labelmap
from mmgl.imaging.scan import Scan
from mmgl.messages import MMGLError

MOST_VOXELS = 2**31
"""Voxels on the plan's grid beyond which a header is taken for wrong: 8 GB of float32, a cube with sides of 1290."""


def prepare_scan(scan: Scan, plan: Plan) -> Array:
    """Return the scan (channels, z, y, x) as float32 in canonical orientation on the plan's grid, normalised.

    Raises:
        MMGLError: ``scan.too_large``.
    """
    turn, size = _onto_grid(scan, plan)
    if math.prod(size) > MOST_VOXELS:
        raise MMGLError("scan.too_large", scan="The scan", size=" x ".join(map(str, reversed(size))))
    channels = [resample(turn.apply(channel), size) for channel in scan.array]
    return normalise(np.stack(channels), plan.normalisation)


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
