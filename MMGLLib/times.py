"""Times as people say them, and how long a training takes on this computer."""

from __future__ import annotations

from mmgl.training.budget import WORDS

PER_SCAN = 2.0
"""Seconds that preparing a scan takes where it was never measured."""


def about(seconds: float) -> str:
    """Return a time as people say it: "about 12 minutes"."""
    if seconds < 45:
        return "less than a minute"
    minutes = round(seconds / 60)
    if minutes < 75:
        return "about 1 minute" if minutes <= 1 else f"about {minutes} minutes"
    halves = round(seconds / 1800)
    whole, half = divmod(halves, 2)
    return f"about {whole} ½ hours" if half else f"about {whole} hours"


def needed(budget: str, scans: int, per_scan: float = 0.0) -> float:
    """Return the seconds a training takes from the click to the model.

    Args:
        budget: ``quick``, ``standard`` or ``overnight``; the core keeps to it, whatever the computer.
        scans: that are to be prepared first.
        per_scan: seconds that preparing one took on this computer; 0 where that was never measured.
    """
    return WORDS[budget] * 60 + scans * (per_scan or PER_SCAN)
