"""Which patients are held out while training: by patient, the same on every computer."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

FEWEST_PATIENTS, ENOUGH_PATIENTS = 4, 6
"""With fewer labelled patients than the first none is held out: each one teaches more than it would tell. From the
second on there are enough to hold out ``TRUSTED`` scans."""

TRUSTED = 3
"""Check cases below which nobody should trust a number."""


def choose_patients(patients: Iterable[str], fraction: float = 0.2, seed: int = 0) -> set[str]:
    """Return about ``fraction`` of the labelled ``patients``, at least one; none of fewer than ``FEWEST_PATIENTS``.

    Of ``ENOUGH_PATIENTS`` or more, so many that they have at least ``TRUSTED`` scans together. The order of
    ``patients`` does not matter. Each patient has a fixed place in a shuffled order that depends only on the seed, so
    a new patient moves few others.

    Args:
        patients: of each labelled scan.
        fraction: of the patients.
        seed: of the order.

    Raises:
        ValueError: ``fraction`` is not in (0, 1).
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be in (0, 1), got {fraction}")
    scans = Counter(patients)
    shuffled = sorted(scans, key=lambda patient: _digest(f"{seed}:{patient}"))
    if len(shuffled) < FEWEST_PATIENTS:
        return set()
    count = min(max(1, round(fraction * len(shuffled))), len(shuffled) - 1)
    while len(shuffled) >= ENOUGH_PATIENTS and sum(scans[patient] for patient in shuffled[:count]) < TRUSTED:
        count += 1
    return set(shuffled[:count])


def pseudonym(patient: str) -> str:
    """Return the name that stands for a DICOM patient: the same for the same patient, and not the patient's own."""
    return f"patient-{_digest(patient)[:8]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
