"""The settings and versions of a training, for its report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmgl.report.page import Section
from mmgl.report.run_facts import RunFacts


def settings_section(facts: RunFacts) -> Section:
    """Return what was asked for and what was decided."""
    config, plan = facts.config, facts.config.get("plan", {})
    fits = (facts.told("fits") or [{}])[-1]
    rows = [
        ("method", str(config.get("method", ""))),
        ("budget", _budget(config)),
        ("seed", str(config.get("seed", ""))),
        ("device", " ".join(filter(None, (_device(fits), str(fits.get("name", "")))))),
        ("precision", str(fits.get("precision", ""))),
        ("network", f"U-Net, {plan.get('levels')} levels, width {plan.get('width')}"),
        ("slices in a step", str(plan.get("batch"))),
        ("planes", ", ".join(plan.get("planes", ()))),
        ("side of a slice", f"{plan.get('slice_size')} pixels"),
        ("voxels", _voxels(plan)),
        ("intensities", ", ".join(_normalisation(rule) for rule in plan.get("normalisation", ()))),
        ("structures", str(len(config.get("structures", ())))),
        ("time", _time(facts)),
    ]
    if start := config.get("start"):
        rows.insert(1, ("started from", str(start.get("model"))))
    return Section("Settings", header=("setting", "value"), rows=rows)


def versions_section(facts: RunFacts, weights: str) -> Section:
    """Return what the training was done with.

    Args:
        weights: checksum of the model, or an empty string.
    """
    rows = [(str(name), str(value)) for name, value in facts.config.get("versions", {}).items()]
    if weights:
        rows.append(("checksum of the weights (SHA-256)", weights))
    words = "The same seed, steps, plan and processor give the same weights."
    return Section("Versions", words, ("of", "version"), rows)


def _budget(config: Mapping[str, Any]) -> str:
    """Return how long it was to take."""
    if config.get("steps"):
        return f"{config['steps']} steps"
    return f"{config['minutes']:g} minutes" if config.get("minutes") else "until a time of day"


def _device(fits: Mapping[str, Any]) -> str:
    """Return where it was done."""
    return {"cuda": "graphics card", "cpu": "processor"}.get(str(fits.get("device")), str(fits.get("device", "")))


def _voxels(plan: Mapping[str, Any]) -> str:
    """Return the spacing that scans are brought to."""
    if plan.get("pictures"):
        return "pictures without millimetres"
    each = ["own" if spacing is None else f"{spacing:g}" for spacing in reversed(plan.get("spacing", ()))]
    return f"{' x '.join(each)} mm (x, y, z)"


def _normalisation(rule: Mapping[str, Any]) -> str:
    """Return how the intensities of a channel are made comparable."""
    if rule.get("kind") == "scan":
        return "by each scan's own mean and deviation"
    return f"cut to {rule.get('low'):g} to {rule.get('high'):g}, then by mean and deviation of all scans"


def _time(facts: RunFacts) -> str:
    """Return how long the work took, interruptions left out: the sum of what lies between two events of one process."""
    seconds, before = 0.0, None
    for event in facts.events:
        if before is not None and event["event"] != "resumed":
            seconds += max(0.0, float(event["time"]) - before)
        before = float(event["time"])
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
