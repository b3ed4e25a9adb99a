"""What the voxels of a label tell: how much of each structure is painted, where, on which slices, and over what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import numpy as np

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.reading import read_header
from mmgl.imaging.segmentation import Segmentation
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import Case
from mmgl.study.extents import Known, Piece, looks_like_strokes, pieces, sparse_slices
from mmgl.study.identity import segment_keys
from mmgl.study.meanings import settled
from mmgl.study.voxels import painted_labelmap

PLANES = ("axial", "coronal", "sagittal")
"""What slices across canonical axis z, y and x are called."""


@dataclass(frozen=True)
class LabelStatistics:
    """Keys are ids of structures, as text because JSON has no others.

    Attributes:
        voxels: of each painted structure, on the grid of the scan.
        centres: mm z, y, x in space, of each painted structure.
        slices: of structures that are painted on some slices only: words such as ``14 of 130 axial``.
        painted: mm along canonical z, y, x of the box around all structures; empty where none is painted.
        strokes: whether what is painted looks like scribbles.
        background: whether background is painted, or said to be unknown.
        other_grid: the sizes of label and scan in words, where their grids differ.
        outside: share of what is painted that lies outside the scan, 0 to 1.
        overlaps: two structures, the upper one in the file first, and their common voxels.
    """

    voxels: Mapping[str, int] = field(default_factory=dict)
    centres: Mapping[str, Annotated[Sequence[float], 3]] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)
    painted: Annotated[Sequence[float], 0, 3] = ()
    strokes: bool = False
    background: bool = False
    other_grid: Annotated[Sequence[str], 0, 2] = ()
    outside: float = 0.0
    overlaps: Sequence[Annotated[Sequence[int], 3]] = ()


def label_statistics(case: Case, structures: Sequence[Structure]) -> LabelStatistics:
    """Return what the voxels of a case's label tell.

    Raises:
        MMGLError: what reading and placing the label raise, or what must be asked (``meanings.settled``).
    """
    if case.label is None:
        raise MMGLError("study.unlabelled_case", case=case.name)
    path, first = case.label.path, case.images[0]
    painted = read_segmentation(path)
    meanings = settled(case.label.meanings, painted.segments, structures, case.name, path)
    grid = read_header(first.path, first.series or None).grid
    placed = place(painted, grid, path)
    numbers = [meanings[key] for key in segment_keys(painted.segments)]
    corner, cut = _cut_out(placed)
    labelmap = painted_labelmap(cut, numbers, structures)
    inside = (labelmap > 0) & (labelmap <= len(structures))
    found = {
        str(structures[value - 1].id): Piece(piece.mask, _plus(corner, piece.first), grid.size)
        for value, piece in pieces(labelmap, len(structures)).items()
    }
    sparse = sparse_slices({int(key): piece for key, piece in found.items()})
    return LabelStatistics(
        voxels={key: int(piece.mask.sum()) for key, piece in found.items()},
        centres={key: _centre(piece, grid) for key, piece in found.items()},
        slices={str(key): _words_of(slices, grid) for key, slices in sparse.items()},
        painted=_reach(list(found.values()), grid),
        strokes=looks_like_strokes(inside),
        background=bool((labelmap > len(structures)).any()),
        other_grid=_other_grid(painted.grid, grid),
        outside=_outside(painted, placed),
        overlaps=overlaps(cut, numbers),
    )


def _cut_out(placed: Segmentation) -> tuple[tuple[int, ...], Segmentation]:
    """Return the first voxel of the box around all that is painted, a voxel wider, and the layers in that box.

    Most of a large scan is not painted. The grid keeps its place and has the size of the box.
    """
    layers, corner = placed.layers, []
    for axis in range(1, 4):
        occupied = np.flatnonzero(layers.any(axis=tuple(a for a in range(4) if a != axis)))
        first, last = (int(occupied[0]), int(occupied[-1])) if len(occupied) else (0, 0)
        first = max(0, first - 1)
        layers = layers[(slice(None),) * axis + (slice(first, last + 2),)]
        corner.append(first)
    return tuple(corner), replace(placed, layers=layers, grid=replace(placed.grid, size=layers.shape[1:]))


def _plus(first: Sequence[int], second: Sequence[int]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _centre(piece: Piece, grid: Grid) -> list[float]:
    """Return the middle of a piece in space, mm z, y, x."""
    middle = np.array([indices.mean() for indices in np.nonzero(piece.mask)]) + piece.first
    return [round(float(v), 3) for v in grid.position(middle)]


def _reach(found: Sequence[Piece], grid: Grid) -> list[float]:
    """Return how far all pieces together reach, mm along canonical z, y, x; nothing where there is none."""
    if not found:
        return []
    spans = []
    for axis in grid.reorientation().axes:
        first = min(piece.first[axis] for piece in found)
        last = max(piece.first[axis] + piece.mask.shape[axis] for piece in found)
        spans.append(float((last - first) * grid.spacing[axis]))
    return spans


def _words_of(slices: Sequence[Known], grid: Grid) -> str:
    """Return words such as ``14 of 130 axial``."""
    axes = grid.reorientation().axes
    return " and ".join(
        f"{len(known.slices)} of {grid.size[known.axis]} {PLANES[axes.index(known.axis)]}" for known in slices
    )


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
    if placed.layers is painted.layers:
        return 0.0
    before, after = (np.count_nonzero(s.layers.any(axis=0)) * float(np.prod(s.grid.spacing)) for s in (painted, placed))
    lost = 1 - after / before if before else 0.0
    return round(lost, 3) if lost > (0.01 if painted.grid.spacing == placed.grid.spacing else 0.1) else 0.0


def overlaps(placed: Segmentation, numbers: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return the pairs of structures that share voxels, in the order of the file, and how many.

    Args:
        placed: what is painted.
        numbers: of the structure that each segment is, 0 for none.
    """
    place_of = {(s.layer, s.value): i for i, s in enumerate(placed.segments)}
    shared: dict[tuple[int, int], int] = {}
    for a in range(len(placed.layers)):
        for b in range(a + 1, len(placed.layers)):
            for first, second, count in _pairs(placed.layers[a], placed.layers[b]):
                if (a, first) not in place_of or (b, second) not in place_of:  # left over from a segment that is gone
                    continue
                i, j = sorted((place_of[a, first], place_of[b, second]))
                upper, lower = numbers[i], numbers[j]
                if min(upper, lower) > 0 and upper != lower:
                    shared[upper, lower] = shared.get((upper, lower), 0) + count
    return [(upper, lower, count) for (upper, lower), count in shared.items()]


def _pairs(first: Array, second: Array) -> list[Any]:
    """Return the values of two layers that lie over one another, and in how many voxels."""
    both = (first > 0) & (second > 0)
    pairs, counts = np.unique(np.stack([first[both], second[both]]), axis=1, return_counts=True)
    return [(a, b, n) for (a, b), n in zip(pairs.T.tolist(), counts.tolist(), strict=True)]
