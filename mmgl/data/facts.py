"""What the plan needs to know of each scan: size, spacing, intensities, and how far the painted structures reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmgl.imaging.grid import Array
from mmgl.imaging.scan import Scan

VOXELS = 500_000
"""About as many voxels of a channel are looked at for its intensities."""


@dataclass(frozen=True)
class ChannelFacts:
    """Intensities of one channel: the 0.5 and 99.5 percentiles, and mean and deviation between them."""

    low: float
    high: float
    mean: float
    deviation: float


@dataclass(frozen=True)
class ScanFacts:
    """Facts of one scan in its canonical orientation (z, y, x).

    Attributes:
        case: its name.
        size: voxels.
        spacing: mm.
        modality: as ``Scan.modality``.
        channels: intensities of each channel.
        painted: mm along z, y, x of the box around all painted structures, or None when nothing is painted.
    """

    case: str
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    modality: str
    channels: tuple[ChannelFacts, ...]
    painted: tuple[float, float, float] | None = None


def channel_facts(channel: Array) -> ChannelFacts:
    """Return the facts of one channel (z, y, x), from at most about ``VOXELS`` evenly spread voxels."""
    flat = channel.reshape(-1)
    values = np.sort(flat[:: max(1, flat.size // VOXELS)].astype(np.float32))
    low, high = np.percentile(values, [0.5, 99.5])
    middle = np.clip(values, low, high)
    return ChannelFacts(float(low), float(high), float(middle.mean()), float(middle.std()))


def scan_facts(case: str, scan: Scan, labelmap: Array | None = None) -> ScanFacts:
    """Return the facts of a scan and its labelmap (z, y, x; positive where a structure is painted)."""
    turn = scan.grid.reorientation()
    grid = turn.apply_to_grid(scan.grid)
    painted = None
    if labelmap is not None and (labelmap > 0).any():
        found = turn.apply(labelmap) > 0
        spans = []
        for axis in range(3):
            occupied = np.flatnonzero(found.any(axis=tuple(a for a in range(3) if a != axis)))
            spans.append(float((occupied[-1] - occupied[0] + 1) * grid.spacing[axis]))
        painted = (spans[0], spans[1], spans[2])
    channels = tuple(channel_facts(channel) for channel in scan.array)
    return ScanFacts(case, grid.size, grid.spacing, scan.modality, channels, painted)
