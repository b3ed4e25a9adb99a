"""Why a training ended, in words for the panel: those of the core are for a terminal, or there are none."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from mmgl.jobs import Look
from mmgl.messages import CATALOGUE

FULL = 50 * 1000 * 1000
"""Bytes free on a disk below which a training that ended without a word is taken to have had no space."""

LAUNCHER = "exit abnormally"
"""In the last line of a log where Python was killed or crashed: Slicer's launcher, which started it, ends with 1."""

ELSEWHERE = {
    "again.scans": "train.not_again",
    "check.failed": "train.faults",
    "device.no_cuda": "train.no_card",
    "job.lost": "train.lost",
    "plan.planes": "train.planes",
    "run.stopped": "train.stopped",
}
"""Keys whose words are meant for a terminal, and those that say it here."""


def in_our_words(look: Look) -> Look:
    """Return a look whose words are for the panel, and name a model as the panel does."""
    parameters = dict(look.parameters)
    if "model" in parameters:
        parameters["model"] = Path(str(parameters["model"])).stem
    return Look(look.state, ELSEWHERE.get(look.key, look.key), parameters, look.status)


def lost(look: Look, log: str, study: Path) -> Look:
    """Return what its log, or the disk, tells of a training that ended without a word.

    Args:
        log: what it printed last.
        study: its folder.
    """
    told = [line.removeprefix("mmgl: ") for line in log.splitlines() if line.startswith("mmgl: ")]
    if told and look.key == "job.lost":
        return Look("failed", _key_of(told[-1]), {"words": told[-1]}, look.status)
    if re.search(r"No module named '(torch|safetensors)'", log):
        return Look("failed", "slicer.no_torch")
    if "libtorch" in log or "DLL load failed" in log:
        return Look("failed", "slicer.broken_torch")
    if shutil.disk_usage(study).free < FULL:
        return Look("failed", "train.disk_full", {"folder": study}, look.status)
    if look.key == "job.lost" and LAUNCHER in log.rstrip().rpartition("\n")[2]:
        crashed = re.search("fatal (python error|exception)", log, re.IGNORECASE)  # as its fault handler writes
        return Look("lost", "job.crashed" if crashed else "job.memory", look.parameters, look.status)
    return in_our_words(look)


def _key_of(words: str) -> str:
    """Return the key that says here what was said for a terminal."""
    if "--again" in words:
        return "train.not_again"
    starts = {CATALOGUE[key].partition("{")[0]: here for key, here in ELSEWHERE.items()}
    return next((here for start, here in starts.items() if start and words.startswith(start)), "train.said")
