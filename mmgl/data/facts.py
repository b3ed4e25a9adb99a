"""What the plan needs to know of each scan: size, spacing, intensities, and how far the painted structures reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmgl.imaging.intensities import ChannelFacts, channel_facts
from mmgl.imaging.scan import Scan

if TYPE_CHECKING:
    from mmgl.study import Case
    from mmgl.study.statistics import Statistics


@dataclass(frozen=True)
class ScanFacts:
    """Facts of one scan in its canonical orientation (z, y, x).

    Attributes:
        case: its name.
        size: voxels.
        spacing: mm.
        modality: as ``Scan.modality``.
        channels: intensities of each channel.
        painted: mm along z, y, x of the box around all painted structures, or None when nothing is painted.
    """

    case: str
    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    modality: str
    channels: tuple[ChannelFacts, ...]
    painted: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Ranges:
    """What the scans of a study have in common, to tell later whether another scan is one of their kind.

    Attributes:
        spacing, extent: mm, the smallest and the largest along canonical z, y, x.
        modalities: all that were said.
        brightness: of each channel the lowest and the highest of ``ChannelFacts.brightness``.
        values: of each channel the smallest ``low`` and the largest ``high``.
    """

    spacing: tuple[tuple[float, float], ...]
    extent: tuple[tuple[float, float], ...]
    modalities: tuple[str, ...]
    brightness: tuple[tuple[float, float], ...]
    values: tuple[tuple[float, float], ...]

    @staticmethod
    def of(facts: Sequence[ScanFacts]) -> Ranges:
        """Return the ranges of at least one scan, all of as many channels."""
        channels = list(zip(*(scan.channels for scan in facts), strict=True))
        return Ranges(
            _ranges([scan.spacing for scan in facts]),
            _ranges([[n * s for n, s in zip(scan.size, scan.spacing, strict=True)] for scan in facts]),
            tuple(sorted({scan.modality for scan in facts if scan.modality})),
            _ranges([[channel.brightness for channel in scan.channels] for scan in facts]),
            tuple((min(c.low for c in same), max(c.high for c in same)) for same in channels),
        )

    @staticmethod
    def from_json(value: Any) -> Ranges:
        """Return the ranges that JSON made of them.

        Raises:
            ValueError, KeyError, TypeError: it is none.
        """
        pairs = {
            key: tuple((float(low), float(high)) for low, high in value[key])
            for key in ("spacing", "extent", "brightness", "values")
        }
        return Ranges(**pairs, modalities=tuple(str(m) for m in value["modalities"]))


def _ranges(rows: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    """Return the smallest and the largest of each column."""
    return tuple((float(min(column)), float(max(column))) for column in zip(*rows, strict=True))


def scan_facts(case: str, scan: Scan) -> ScanFacts:
    """Return the facts of a scan; what is painted on it is not looked at."""
    grid = scan.grid.reorientation().apply_to_grid(scan.grid)
    channels = tuple(channel_facts(channel) for channel in scan.array)
    return ScanFacts(case, grid.size, grid.spacing, scan.modality, channels)


def known_facts(case: Case, known: Statistics) -> ScanFacts:
    """Return the facts of a case from what the checks know of it, without reading its voxels.

    Raises:
        MMGLError: why its scan or its label cannot be used.
    """
    if error := known.scan_error or known.label_error:
        raise error
    if known.scan is None:
        raise ValueError("statistics without an error have a scan")
    (nz, ny, nx), (sz, sy, sx) = known.scan.size, known.scan.spacing
    channels = tuple(ChannelFacts(*numbers) for numbers in known.scan.channels)
    facts = ScanFacts(case.name, (nz, ny, nx), (sz, sy, sx), known.scan.modality, channels)
    if known.label and known.label.painted:
        z, y, x = known.label.painted
        facts = replace(facts, painted=(z, y, x))
    return facts
