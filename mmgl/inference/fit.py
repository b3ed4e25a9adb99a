"""Does a scan fit a model? What differs from the scans it learned from, told before the work begins."""

from __future__ import annotations

from mmgl.data.facts import Ranges, ScanFacts, scan_facts
from mmgl.data.plan import PLANES, Plan
from mmgl.finding import Finding
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan

SPACING = 1.5
"""Voxels may be this many times finer or coarser than those of all the model's scans."""

PART, MORE = 0.6, 1.6
"""A scan may reach this much less or more far than all of the model's scans."""

BRIGHTNESS = 0.12
"""How far outside of the model's scans the mean may lie between the darkest and the brightest."""

VALUES = 0.5
"""How far, as a share of their range, numbers with a meaning (CT) may go beyond those of the model's scans."""


def fit(scan: Scan, plan: Plan) -> list[Finding]:
    """Return what may spoil the result because the scan is not of the kind that the model learned from."""
    if plan.scans is None:
        return []
    facts = scan_facts("", scan)
    findings = _modality(facts, plan.scans)
    if not plan.pictures:
        findings += _geometry(facts, plan.scans)
    return findings + _intensities(facts, plan, plan.scans)


def fit_header(modality: str, grid: Grid, plan: Plan) -> list[Finding]:
    """Return what can be said of that before a voxel is looked at: modality, voxel size and how much is shown."""
    if plan.scans is None:
        return []
    own = grid.reorientation().apply_to_grid(grid)
    facts = ScanFacts("", own.size, own.spacing, modality, ())
    return _modality(facts, plan.scans) + ([] if plan.pictures else _geometry(facts, plan.scans))


def _modality(facts: ScanFacts, known: Ranges) -> list[Finding]:
    """Return a finding where the scan says it is of another modality."""
    if not facts.modality or not known.modalities or facts.modality in known.modalities:
        return []
    return [Finding("fit.modality", {"found": facts.modality, "known": ", ".join(known.modalities)})]


def _geometry(facts: ScanFacts, known: Ranges) -> list[Finding]:
    """Return what is unlike the model's scans in voxel size and in how much is shown."""
    findings = []
    for axis, spacing in enumerate(facts.spacing):
        extent = facts.size[axis] * spacing
        (fine, coarse), (short, long) = known.spacing[axis], known.extent[axis]
        across = {"plane": PLANES[axis]}
        if not fine / SPACING <= spacing <= coarse * SPACING:
            key = "fit.coarse" if spacing > coarse else "fit.fine"
            findings.append(Finding(key, {**across, "found": _mm(spacing), "known": _mm(fine, coarse)}))
        if extent < PART * short:
            findings.append(Finding("fit.part", {**across, "found": _mm(extent), "known": _mm(short, long)}))
        elif extent > MORE * long:
            findings.append(Finding("fit.more", {**across, "found": _mm(extent), "known": _mm(short, long)}))
    return findings


def _mm(*lengths: float) -> str:
    """Return one length, or the range of two, in mm."""
    texts = dict.fromkeys(f"{length:.3g}" if length < 100 else f"{length:.0f}" for length in lengths)
    return " to ".join(texts)


def _intensities(facts: ScanFacts, plan: Plan, known: Ranges) -> list[Finding]:
    """Return a finding for each channel whose numbers are distributed unlike those of the model's scans."""
    findings = []
    for number, (channel, rule) in enumerate(zip(facts.channels, plan.normalisation, strict=True)):
        (dark, bright), (low, high) = known.brightness[number], known.values[number]
        beyond = max(low - channel.low, channel.high - high, channel.low - high, low - channel.high)
        strange = rule.kind == "fixed" and beyond > VALUES * (high - low)
        if strange or not dark - BRIGHTNESS <= channel.brightness <= bright + BRIGHTNESS:
            findings.append(Finding("fit.intensity", {"channel": number + 1}))
    return findings
