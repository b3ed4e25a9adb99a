"""What the numbers of a channel are like, from evenly spread voxels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmgl.imaging.grid import Array

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
