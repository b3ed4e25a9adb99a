"""How the weight of what a network cannot yet be trusted with rises over a stage."""

from __future__ import annotations

import math


def ramp_up(progress: float) -> float:
    """Return ``exp(-5 (1 - progress)^2)``: 0.0067 at 0, rising as half a bell to 1 at 1 (Laine and Aila, ICLR 2017).

    Args:
        progress: 0 to 1 over the rise; what lies beyond is taken as 0 or 1.
    """
    return math.exp(-5 * (1 - min(max(progress, 0.0), 1.0)) ** 2)
