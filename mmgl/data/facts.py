"""What the plan needs to know of each scan: size, spacing, intensities, and how far the painted structures reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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

    @property
    def brightness(self) -> float:
        """Where the mean lies between ``low`` (0) and ``high`` (1), whatever the units."""
        return (self.mean - self.low) / (self.high - self.low) if self.high > self.low else 0.5


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


@dataclass(frozen=True)
class Ranges:
    """What the scans of a study have in common, to tell later whether another scan is one of their kind.

    Attributes:
        spacing, extent: mm, the smallest and the largest along canonical z, y, x.
        modalities: all that were said.
        brightness: of each channel the lowest and the highest of ``ChannelFacts.brightness``.
        values: of each channel the smallest ``low`` and the largest ``high``.
    """

    spacing: tuple[tuple[float, float], ...]
    extent: tuple[tuple[float, float], ...]
    modalities: tuple[str, ...]
    brightness: tuple[tuple[float, float], ...]
    values: tuple[tuple[float, float], ...]

    @staticmethod
    def of(facts: Sequence[ScanFacts]) -> Ranges:
        """Return the ranges of at least one scan, all of as many channels."""
        channels = list(zip(*(scan.channels for scan in facts), strict=True))
        return Ranges(
            _ranges([scan.spacing for scan in facts]),
            _ranges([[n * s for n, s in zip(scan.size, scan.spacing, strict=True)] for scan in facts]),
            tuple(sorted({scan.modality for scan in facts if scan.modality})),
            _ranges([[channel.brightness for channel in scan.channels] for scan in facts]),
            tuple((min(c.low for c in same), max(c.high for c in same)) for same in channels),
        )

    @staticmethod
    def from_json(value: Any) -> Ranges:
        """Return the ranges that JSON made of them.

        Raises:
            ValueError, KeyError, TypeError: it is none.
        """
        pairs = {
            key: tuple((float(low), float(high)) for low, high in value[key])
            for key in ("spacing", "extent", "brightness", "values")
        }
        return Ranges(**pairs, modalities=tuple(str(m) for m in value["modalities"]))


def _ranges(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """Return the smallest and the largest of each column."""
    return tuple((float(min(column)), float(max(column))) for column in zip(*rows, strict=True))


def channel_facts(channel: Array) -> ChannelFacts:
    """Return the facts of one channel (z, y, x), from at most about ``VOXELS`` evenly spread voxels."""
    flat = channel.reshape(-1)
    return spread_facts(flat[:: max(1, flat.size // VOXELS)])


def spread_facts(values: Array) -> ChannelFacts:
    """Return the facts of a channel from values of evenly spread voxels."""
    values = np.sort(values.astype(np.float32))
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
