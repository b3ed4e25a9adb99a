"""How intensities become numbers near zero: one rule for each channel, decided by all scans together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmgl.data.facts import ScanFacts


@dataclass(frozen=True)
class Normalisation:
    """How one channel's intensities become numbers near zero.

    Attributes:
        kind: ``scan``: clipped to the scan's own 0.5 and 99.5 percentiles, then minus mean, over deviation (MR).
            ``fixed``: clipped to ``low`` and ``high``, then minus ``mean``, over ``deviation`` (CT, colour).
    """

    kind: str
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 1.0

    @staticmethod
    def from_json(value: Any) -> Normalisation:
        """Return the normalisation that JSON made of one.

        Raises:
            ValueError, TypeError: it is none.
        """
        made = Normalisation(**value)
        numbers = (made.low, made.high, made.mean, made.deviation)
        if not isinstance(made.kind, str) or not all(type(n) in (int, float) and math.isfinite(n) for n in numbers):
            raise ValueError("a normalisation is none")
        return made


def normalisations(facts: Sequence[ScanFacts]) -> tuple[Normalisation, ...]:
    """Return one normalisation for each channel: fixed for CT and pictures, by the scan itself for everything else."""
    rules = []
    for channel in zip(*(scan.channels for scan in facts), strict=True):
        means, deviations = np.array([c.mean for c in channel]), np.array([c.deviation for c in channel])
        mean = float(means.mean())
        deviation = float(np.sqrt((deviations**2 + (means - mean) ** 2).mean()))
        if all(scan.modality == "picture" for scan in facts):
            low, high = 0.0, max(c.high for c in channel)
            rules.append(Normalisation("fixed", low, high, mean, deviation or 1.0))
        elif _is_ct(facts):
            low, high = float(np.median([c.low for c in channel])), float(np.median([c.high for c in channel]))
            rules.append(Normalisation("fixed", low, high, mean, deviation or 1.0))
        else:
            rules.append(Normalisation("scan"))
    return tuple(rules)


def _is_ct(facts: Sequence[ScanFacts]) -> bool:
    """Return whether the scans are CT: by what they say, or else by air far below zero in most of them."""
    said = [scan.modality for scan in facts if scan.modality]
    if said:
        return said.count("CT") * 2 > len(said)
    return float(np.median([c.low for scan in facts for c in scan.channels])) < -300
