"""Checks of the scans: cannot be read, twice the same, unlike all others, or no scans at all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from mmgl.finding import Finding, Severity
from mmgl.study.cases import Case
from mmgl.study.statistics import ScanStatistics, Statistics

FEWEST = 4
"""With fewer scans than this nobody can say which of them is unlike the others."""

SPACING, FIELD, INTENSITY = 4.0, 3.0, 10.0
"""How many times larger or smaller than usual is told: mixed scanners are fine, other protocols are not."""


def check_scans(cases: Sequence[Case], known: Mapping[str, Statistics]) -> Iterator[Finding]:
    """Yield what is wrong with the scans of ``cases``; ``known`` is by their names."""
    for case in cases:
        error = known[case.name].scan_error
        if error:
            severity = Severity.ERROR if case.label else Severity.WARNING  # an unlabelled scan is passed over
            yield Finding(error.key, error.parameters, severity=severity, case=case.name)
    scans = {case.name: scan for case in cases if (scan := known[case.name].scan)}
    yield from _duplicates(scans)
    labels = {name: scan.levels for name, scan in scans.items() if scan.levels > 0}
    for name, levels in labels.items():
        yield Finding("check.looks_like_label", {"count": levels}, severity=Severity.WARNING, case=name)
    yield from _unlike({name: scan for name, scan in scans.items() if name not in labels})


def _duplicates(scans: Mapping[str, ScanStatistics]) -> Iterator[Finding]:
    """Yield the scans whose voxels are those of an earlier one."""
    first: dict[str, str] = {}
    for name, scan in scans.items():
        other = first.setdefault(scan.digest, name)
        if other != name:
            yield Finding("check.duplicate", {"other": other}, severity=Severity.WARNING, case=name)


def _unlike(scans: Mapping[str, ScanStatistics]) -> Iterator[Finding]:
    """Yield the scans that differ widely from most of the others."""
    channels = Counter(len(scan.channels) for scan in scans.values())
    for name, scan in scans.items():
        if len(scan.channels) != (expected := channels.most_common(1)[0][0]):
            yield Finding(
                "scan.other_channels",
                {"found": len(scan.channels), "expected": expected},
                severity=Severity.ERROR,
                case=name,
            )
    modalities = Counter(scan.modality for scan in scans.values() if scan.modality)
    for name, scan in scans.items():
        if scan.modality and scan.modality != (most := modalities.most_common(1)[0][0]):
            yield Finding(
                "check.modality", {"found": scan.modality, "usual": most}, severity=Severity.WARNING, case=name
            )
    if len(scans) < FEWEST or all(scan.modality == "picture" for scan in scans.values()):
        return
    spacings = {name: sorted(scan.spacing) for name, scan in scans.items()}
    fields = {name: sorted(n * s for n, s in zip(scan.size, scan.spacing, strict=True)) for name, scan in scans.items()}
    for key, values, factor in (("check.spacing", spacings, SPACING), ("check.field_of_view", fields, FIELD)):
        usual = [float(v) for v in np.median(list(values.values()), axis=0)]
        for name, value in values.items():
            if not 1 / factor < float(np.prod(np.divide(value, usual))) ** (1 / 3) < factor:
                yield Finding(
                    key, {"found": _sides(value), "usual": _sides(usual)}, severity=Severity.WARNING, case=name
                )
    yield from _intensities(scans)


def _intensities(scans: Mapping[str, ScanStatistics]) -> Iterator[Finding]:
    """Yield the scans whose range of brightness is far from the usual one."""
    groups: dict[str, dict[str, ScanStatistics]] = defaultdict(dict)
    for name, scan in scans.items():
        groups[scan.modality][name] = scan
    for group in groups.values():
        ends = {name: (scan.channels[0][0], scan.channels[0][1]) for name, scan in group.items()}
        ranges = {name: max(high - low, 1e-12) for name, (low, high) in ends.items()}
        usual = float(np.median(list(ranges.values())))
        darkest, brightest = (float(v) for v in np.median(list(ends.values()), axis=0))
        for name, (low, high) in ends.items():
            off = abs((low + high) / 2 - (darkest + brightest) / 2) / usual
            if len(group) >= FEWEST and (not 1 / INTENSITY < ranges[name] / usual < INTENSITY or off > INTENSITY):
                parameters = {"found": f"{low:g} to {high:g}", "usual": f"{darkest:g} to {brightest:g}"}
                yield Finding("check.intensity", parameters, severity=Severity.WARNING, case=name)


def _sides(values: Sequence[float]) -> str:
    return " x ".join(f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in values)
