"""What the checks know of each scan and each label: read once from the voxels, then kept in the study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np

from mmgl.files import read_json, stamp, write_json
from mmgl.imaging.grid import Array
from mmgl.imaging.intensities import ChannelFacts, channel_facts
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import Case
from mmgl.study.kept import fits
from mmgl.study.label_statistics import LabelStatistics, label_statistics
from mmgl.study.voxels import read_scan

FOLDER = "statistics"
"""Of the study, where they are kept."""

VERSION = 3
"""Of what is kept; a new number leaves old files aside."""

SAMPLED, COMPARED = 200_000, 2_000_000
"""About as many voxels of a scan are looked at for whether it is a label, and for whether it is the same as another."""

Kept = TypeVar("Kept")

MOST_LEVELS = 1024
"""A scan of more different values is no label."""


@dataclass(frozen=True)
class ScanStatistics:
    """Attributes:
    size: voxels, canonical z, y, x.
    spacing: mm, canonical z, y, x.
    modality: as ``Scan.modality``.
    channels: of each the numbers of ``ChannelFacts``, in their order.
    digest: the same for the same voxels.
    levels: different values where all are whole numbers in flat areas, as in a label; else 0.
    """

    size: Annotated[Sequence[int], 3]
    spacing: Annotated[Sequence[float], 3]
    modality: str
    channels: Sequence[Annotated[Sequence[float], len(fields(ChannelFacts))]]
    digest: str
    levels: int


@dataclass(frozen=True)
class Statistics:
    """Of one case: of its scan and label, each None where there is none or it cannot be used, and why not.

    Attributes:
        scan_error, label_error: key and parameters of the message, or None.
    """

    scan: ScanStatistics | None = None
    label: LabelStatistics | None = None
    scan_error: MMGLError | None = None
    label_error: MMGLError | None = None


def statistics(case: Case, structures: Sequence[Structure], cache: Path) -> Statistics:
    """Return what is known of a case, from ``cache`` where its files are as they were. Nothing raises.

    Args:
        case: of a study.
        structures: of the study.
        cache: ``Study.folder / FOLDER``.
    """
    images = [[str(image.path), image.series, stamp(image.path)] for image in case.images]
    found, error = _kept(cache, "scan", images, case, lambda: asdict(scan_statistics(case)), ScanStatistics)
    if case.label is None or error:
        return Statistics(found, scan_error=error)
    # what the file means is in its meanings; other structures of the study change nothing
    of_label = [images, stamp(case.label.path), dict(case.label.meanings)]
    label, error = _kept(
        cache, "label", of_label, case, lambda: asdict(label_statistics(case, structures)), LabelStatistics
    )
    return Statistics(found, label, None, error)


def _kept(
    cache: Path, kind: str, key: list[Any], case: Case, read: Callable[[], dict[str, Any]], make: type[Kept]
) -> tuple[Kept | None, MMGLError | None]:
    """Return what ``make`` makes of what ``read`` gives, remembered in a file of ``cache`` by its key, or the error.

    Errors of scans are remembered too, as they are found by reading the voxels.
    """
    name = hashlib.sha256(json.dumps([VERSION, kind, key], sort_keys=True).encode()).hexdigest()[:24]
    file = cache / f"{name}.{kind}.json"
    with suppress(MMGLError, KeyError, TypeError, ValueError):  # not there, or damaged: it is made again
        kept = read_json(file)
        if "error" in kept or fits(kept["found"], make):
            return _told(kept, make)
    document: dict[str, Any]
    try:
        document = {"found": read()}
    except MMGLError as error:
        parameters = {name: v if isinstance(v, (int, float)) else str(v) for name, v in error.parameters.items()}
        document = {"error": error.key, "parameters": parameters}
    except MemoryError:
        return None, MMGLError("memory.scan", case=case.name)
    if "found" in document or kind == "scan":
        write_json(file, document, lasting=False)
    return _told(document, make)


def _told(document: dict[str, Any], make: type[Kept]) -> tuple[Kept | None, MMGLError | None]:
    """Return what was found, or the error, that a document tells."""
    if "error" in document:
        return None, MMGLError(document["error"], **document["parameters"])
    return make(**document["found"]), None


def scan_statistics(case: Case) -> ScanStatistics:
    """Return what the voxels of a case's scan tell.

    Raises:
        MMGLError: what reading the scan raises.
    """
    scan = read_scan(case)
    grid = scan.grid.reorientation().apply_to_grid(scan.grid)
    flat = scan.array.reshape(-1)
    compared = flat[:: max(1, flat.size // COMPARED)].astype(np.float32)
    digest = hashlib.blake2b(repr(scan.array.shape).encode() + compared.tobytes(), digest_size=16).hexdigest()
    levels = _levels(scan.array[0]) if scan.modality != "picture" else 0
    channels = [astuple(channel_facts(channel)) for channel in scan.array]
    return ScanStatistics(grid.size, grid.spacing, scan.modality, channels, digest, levels)


def _levels(channel: Array) -> int:
    """Return how many different values there are where they are whole numbers in flat areas, else 0."""
    lines = channel.reshape(-1, channel.shape[-1])
    lines = lines[:: max(1, channel.size // SAMPLED)]
    values, counts = np.unique(lines, return_counts=True)
    if len(values) > MOST_LEVELS or (values != np.rint(values)).any() or lines.shape[1] < 2:
        return 0
    usual = values[counts.argmax()]
    shown = (lines[:, 1:] != usual) | (lines[:, :-1] != usual)
    same = (lines[:, 1:] == lines[:, :-1])[shown]
    return len(values) if same.size and same.mean() >= 0.7 else 0
