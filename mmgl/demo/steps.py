"""The demo as one picture in three steps: hearts with labels, hearts without, and what was found in new ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmgl.demo.phantom import STRUCTURES
from mmgl.evaluation.pictures import GAP, TILE, overlay
from mmgl.imaging.grid import Array
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import read_segmentation

FOUND = 4
"""New hearts that are shown."""
SPACE = 24
"""White pixels between two steps."""


def steps_picture(folder: Path, method: str) -> Array:
    """Return the picture, RGB (y, x, 3) of uint8, of what a demo left.

    Left the labelled hearts, in the middle those without labels, at half the size, right what a method found in new
    ones, with the outline of the truth in white. Of each heart the middle one of its painted slices is shown.

    Args:
        folder: of the demo.
        method: one of those that were trained.
    """
    labelled = [_tile(scan, folder / "labels") for scan in _scans(folder / "labelled")]
    unlabelled = [_halved(_tile(scan)) for scan in _scans(folder / "unlabelled")]
    found = [
        _tile(scan, folder / "results" / method, folder / "unseen labels") for scan in _scans(folder / "unseen")[:FOUND]
    ]
    parts = [_grid(labelled, 1), _grid(unlabelled, 3), _grid(found, 2)]
    height = max(len(part) for part in parts)
    padded = [np.pad(p, ((0, height - len(p)), (0, SPACE), (0, 0)), constant_values=255) for p in parts]
    return np.concatenate(padded, axis=1)[:, :-SPACE]


def _scans(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def _tile(scan_path: Path, painted: Path | None = None, truth: Path | None = None) -> Array:
    """Return a slice of a scan as a square, with what is painted on it, and the outline of the truth."""
    scan, name = read_scan(scan_path), scan_path.name.removesuffix(".nii.gz")
    values = range(1, len(STRUCTURES) + 1)
    shown, reference = (
        read_segmentation(where / f"{name}.seg.nrrd").labelmap(values) if where else None for where in (painted, truth)
    )
    labelmap = np.zeros(scan.grid.size, np.uint8) if shown is None else shown
    picture = overlay(scan, labelmap, STRUCTURES, reference=reference, slices=1)
    if reference is not None:  # the row above shows the truth alone
        picture = picture[(len(picture) + GAP) // 2 :]
    square = np.zeros((TILE, TILE, 3), np.uint8)
    top, left = ((TILE - side) // 2 for side in picture.shape[:2])
    square[top : top + len(picture), left : left + picture.shape[1]] = picture
    return square


def _halved(tile: Array) -> Array:
    """Return a tile such that four, with their gaps, are as high as two whole ones."""
    small: Array = tile.reshape(TILE // 2, 2, TILE // 2, 2, 3).mean((1, 3)).round().astype(np.uint8)
    less = GAP // 4
    return small[less:-less, less:-less]


def _grid(tiles: Sequence[Array], columns: int) -> Array:
    """Return tiles of one size row by row, with white gaps."""
    side, rows = len(tiles[0]), -(-len(tiles) // columns)
    picture = np.full((rows * (side + GAP) - GAP, columns * (side + GAP) - GAP, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = ((side + GAP) * place for place in divmod(number, columns))
        picture[top : top + side, left : left + side] = tile
    return picture
