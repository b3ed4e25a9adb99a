"""What the checks know of each scan and each label: read once from the voxels, then kept in the study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmgl.files import read_json, stamp, write_json
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.reading import read_header
from mmgl.imaging.segmentation import Segmentation
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import BACKGROUND, NOT_LABELLED, Case
from mmgl.study.extents import known_slices, looks_like_strokes, pieces
from mmgl.study.identity import segment_keys
from mmgl.study.meanings import settled
from mmgl.study.voxels import read_scan

VERSION = 1
"""Of what is kept; a new number leaves old files aside."""

SAMPLED, COMPARED = 200_000, 2_000_000
"""About as many voxels of a scan are looked at for its values, and for whether it is the same as another."""

MOST_LEVELS = 1024
"""A scan of more different values is no label."""

PLANES = ("axial", "coronal", "sagittal")
"""What slices across canonical axis z, y and x are called."""


@dataclass(frozen=True)
class ScanStatistics:
    """Attributes:
    size: voxels, canonical z, y, x.
    spacing: mm, canonical z, y, x.
    modality: as ``Scan.modality``.
    channels: how many numbers each voxel has.
    low, high: 0.5 and 99.5 percentile of the first channel.
    digest: the same for the same voxels.
    levels: different values where all are whole numbers in flat areas, as in a label; else 0.
    """

    size: Sequence[int]
    spacing: Sequence[float]
    modality: str
    channels: int
    low: float
    high: float
    digest: str
    levels: int


@dataclass(frozen=True)
class LabelStatistics:
    """Keys are ids of structures, as text because JSON has no others.

    Attributes:
        voxels: of each painted structure, on the grid of the scan.
        centres: mm z, y, x in space, of each painted structure.
        slices: of structures that are painted on some slices only: words such as ``14 of 130 axial``.
        strokes: whether what is painted looks like scribbles.
        background: whether background is painted, or said to be unknown.
        other_grid: the sizes of label and scan in words, where their grids differ.
        outside: share of what is painted that lies outside the scan, 0 to 1.
        overlaps: two structures, the upper one in the file first, and their common voxels.
    """

    voxels: Mapping[str, int] = field(default_factory=dict)
    centres: Mapping[str, Sequence[float]] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)
    strokes: bool = False
    background: bool = False
    other_grid: Sequence[str] = ()
    outside: float = 0.0
    overlaps: Sequence[tuple[int, int, int]] = ()


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
    """Return what is known of a case, from ``cache`` where its files are as they were."""
    scan, scan_error = _kept(cache, "scan", _scan_key(case), lambda: asdict(scan_statistics(case)))
    found = ScanStatistics(**scan) if scan else None
    if case.label is None or scan_error:
        return Statistics(found, scan_error=scan_error)
    key = [_scan_key(case), stamp(case.label.path), dict(case.label.meanings), [s.id for s in structures]]
    label, label_error = _kept(cache, "label", key, lambda: asdict(label_statistics(case, structures)))
    return Statistics(found, LabelStatistics(**label) if label else None, None, label_error)


def _scan_key(case: Case) -> list[Any]:
    return [[str(image.path), image.series, stamp(image.path)] for image in case.images]


def _kept(
    cache: Path, kind: str, key: list[Any], read: Callable[[], dict[str, Any]]
) -> tuple[dict[str, Any] | None, MMGLError | None]:
    """Return what ``read`` gives, or the error it raises, remembered in a file of ``cache`` by its key."""
    name = hashlib.sha256(json.dumps([VERSION, kind, key], sort_keys=True).encode()).hexdigest()[:24]
    file = cache / f"{name}.{kind}.json"
    if file.is_file():
        document = read_json(file)
    else:
        try:
            document = {"found": read()}
        except MMGLError as error:
            parameters = {name: v if isinstance(v, (int, float)) else str(v) for name, v in error.parameters.items()}
            document = {"error": error.key, "parameters": parameters}
        write_json(file, document)
    if "error" in document:
        return None, MMGLError(document["error"], **document["parameters"])
    return document["found"], None


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
    first = scan.array[0].reshape(-1)
    low, high = np.percentile(first[:: max(1, first.size // SAMPLED)], [0.5, 99.5])
    levels = _levels(scan.array[0]) if scan.modality != "picture" else 0
    return ScanStatistics(
        grid.size, grid.spacing, scan.modality, len(scan.array), float(low), float(high), digest, levels
    )


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


def label_statistics(case: Case, structures: Sequence[Structure]) -> LabelStatistics:
    """Return what the voxels of a case's label tell.

    Raises:
        MMGLError: what reading and placing the label raise, or ``label.empty``.
    """
    if case.label is None:
        raise MMGLError("study.unlabelled_case", case=case.name)
    path, first = case.label.path, case.images[0]
    painted = read_segmentation(path)
    meanings = settled(case.label.meanings, painted.segments, structures, case.name, path)
    grid = read_header(first.path, first.series or None).grid
    placed = place(painted, grid, path)
    numbers = [meanings[key] for key in segment_keys(painted.segments)]
    values = {structure.id: i + 1 for i, structure in enumerate(structures)}
    labelmap = placed.labelmap([values.get(number, 0) for number in numbers])
    special = [s for s, number in zip(placed.segments, numbers, strict=True) if number in (BACKGROUND, NOT_LABELLED)]
    found = {str(structures[value - 1].id): piece for value, piece in pieces(labelmap, len(structures)).items()}
    centres = {}
    for key, piece in found.items():
        middle = np.array([indices.mean() for indices in np.nonzero(piece.mask)]) + piece.first
        centres[key] = [round(float(v), 3) for v in grid.position(middle)]
    sparse = {key: [(PLANES[_canonical(grid, k.axis)], *_share(k, grid)) for k in known_slices(piece)] for key, piece
              in found.items()}  # fmt: skip
    return LabelStatistics(
        voxels={key: int(piece.mask.sum()) for key, piece in found.items()},
        centres=centres,
        slices={key: " and ".join(f"{n} of {of} {plane}" for plane, n, of in s) for key, s in sparse.items() if s},
        strokes=looks_like_strokes(labelmap > 0),
        background=any(bool(placed.voxels(segment).any()) for segment in special),
        other_grid=_other_grid(painted.grid, grid),
        outside=_outside(painted, placed),
        overlaps=_overlaps(placed, numbers),
    )


def _canonical(grid: Grid, axis: int) -> int:
    """Return which canonical axis an axis of the array is nearest to."""
    return grid.reorientation().axes.index(axis)


def _share(known: Any, grid: Grid) -> tuple[int, int]:
    return len(known.slices), grid.size[known.axis]


def _words(grid: Grid) -> str:
    size, spacing = reversed(grid.size), reversed(grid.spacing)
    return f"{' x '.join(map(str, size))} voxels of {' x '.join(f'{s:.3g}' for s in spacing)} mm"


def _other_grid(label: Grid, scan: Grid) -> tuple[str, ...]:
    """Return both grids in words where they differ."""
    if label.same_as(scan):
        return ()
    first, second = _words(label), _words(scan)
    return (first, second) if first != second else (f"{first}, moved or turned", second)


def _outside(painted: Segmentation, placed: Segmentation) -> float:
    """Return the share of what is painted that is lost outside the scan, by volume; small shares are rounding."""
    before, after = (np.count_nonzero(s.layers.any(axis=0)) * float(np.prod(s.grid.spacing)) for s in (painted, placed))
    lost = 1 - after / before if before else 0.0
    return round(lost, 3) if lost > (0.01 if painted.grid.spacing == placed.grid.spacing else 0.1) else 0.0


def _overlaps(placed: Segmentation, numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the pairs of structures that share voxels, in the order of the file, and how many."""
    place_of = {(s.layer, s.value): i for i, s in enumerate(placed.segments)}
    shared: dict[tuple[int, int], int] = {}
    for a in range(len(placed.layers)):
        for b in range(a + 1, len(placed.layers)):
            both = (placed.layers[a] > 0) & (placed.layers[b] > 0)
            pairs, counts = np.unique(
                np.stack([placed.layers[a][both], placed.layers[b][both]]), axis=1, return_counts=True
            )
            for (first, second), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
                i, j = sorted((place_of[a, first], place_of[b, second]))
                upper, lower = numbers[i], numbers[j]
                if min(upper, lower) > 0 and upper != lower:
                    shared[upper, lower] = shared.get((upper, lower), 0) + count
    return [(upper, lower, count) for (upper, lower), count in shared.items()]
