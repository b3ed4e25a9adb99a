"""Which patients are held out while training: by patient, the same on every computer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

FEWEST_PATIENTS = 4
"""With fewer labelled patients than this none is held out: each one teaches more than it would tell."""


def choose_patients(patients: Iterable[str], fraction: float = 0.2, seed: int = 0) -> set[str]:
    """Return about ``fraction`` of the labelled ``patients``, at least one; none of fewer than ``FEWEST_PATIENTS``.

    The order of ``patients`` and how often one stands in them do not matter. Each patient has a fixed place in a
    shuffled order that depends only on the seed, so a new patient moves few others.

    Raises:
        ValueError: ``fraction`` is not in (0, 1).
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be in (0, 1), got {fraction}")
    shuffled = sorted(set(patients), key=lambda patient: _digest(f"{seed}:{patient}"))
    if len(shuffled) < FEWEST_PATIENTS:
        return set()
    return set(shuffled[: min(max(1, round(fraction * len(shuffled))), len(shuffled) - 1)])


def pseudonym(patient: str) -> str:
    """Return the name that stands for a DICOM patient: the same for the same patient, and not the patient's own."""
    return f"patient-{_digest(patient)[:8]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
