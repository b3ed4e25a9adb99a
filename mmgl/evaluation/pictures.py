"""Pictures of a segmentation on its scan: a strip of slices, for a look and for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

from mmgl.imaging.grid import Array, Triple
from mmgl.imaging.resampling import resample, resample_labelmap
from mmgl.imaging.scan import Scan
from mmgl.structures import Structure

TILE = 256
"""Pixels of the longer side of a tile, at least; slices with more voxels than that keep them up to twice as many."""
GAP = 4
"""Pixels between tiles."""
FILL = 0.3
"""Opacity of the fill; the outline is opaque."""
ISOTROPIC = 1.1
"""Largest over smallest spacing up to which a scan has no acquired plane."""


def overlay(
    scan: Scan,
    labelmap: Array,
    structures: Sequence[Structure],
    *,
    reference: Array | None = None,
    slices: int = 5,
) -> Array:
    """Return a strip of slices with the segmentation on them, RGB (y, x, 3) of uint8.

    The slices lie in the plane the scan was acquired in (axial where its voxels are cubes), spread evenly over those
    that are painted, cut to the painted part and as much again around it. Superior or anterior is up; the patient's
    left, or posterior, is to the right. With a reference, the row above shows it alone, and the row below the result
    with the outline of the reference in white.

    Args:
        scan: the scan; of several channels the first is shown, a colour picture is shown in its colours.
        labelmap: (z, y, x) on the scan's grid; value i + 1 is ``structures[i]``, other values are not shown.
        structures: what the values are; only the colours are used.
        reference: labelmap like ``labelmap``, or None.
        slices: largest number of slices shown.

    Raises:
        ValueError: a labelmap does not have the size of the scan.
    """
    for painted in (labelmap, reference):
        if painted is not None and painted.shape != scan.grid.size:
            raise ValueError(f"a labelmap on this scan must have the size {scan.grid.size}, got {painted.shape}")
    turn = scan.grid.reorientation()
    spacing = turn.apply_to_grid(scan.grid).spacing
    values = np.arange(1, len(structures) + 1)
    maps = [
        turn.apply(np.where(np.isin(painted, values), painted, 0))
        for painted in (labelmap, reference)
        if painted is not None
    ]
    window = _window(scan)
    array = turn.apply(scan.array)
    colours = np.array([(0, 0, 0), *(s.colour for s in structures)], dtype=np.float32)
    columns = []
    for cut in _cuts(maps, spacing, slices):
        image = _shown(cut.of(array), window, cut.pixels)
        tiles = [_labels(cut.of(painted[None])[0], cut.pixels) for painted in maps]
        rows = [_painted(image, tiles[0], colours)]
        if reference is not None:
            rows[0][_borders(tiles[1])] = 255
            rows.insert(0, _painted(image, tiles[1], colours))
        columns.append(_joined(rows, axis=0))
    return _joined(columns, axis=1)


@dataclass(frozen=True)
class _Cut:
    """One slice to show: where it is in the canonical array, and how many pixels (y, x) it gets."""

    axis: int
    box: tuple[slice, slice, slice]
    pixels: tuple[int, int]

    def of(self, array: Array) -> Array:
        """Return the slice of ``array`` (channels, z, y, x) as (channels, 1, rows, columns), seen as on a monitor."""
        flat = np.moveaxis(array[:, self.box[0], self.box[1], self.box[2]], self.axis + 1, 1)
        return flat if self.axis == 0 else flat[:, :, ::-1]  # outside the axial plane rows are z, and superior is up


def _cuts(maps: Sequence[Array], spacing: Triple, count: int) -> list[_Cut]:
    """Return the slices to show, evenly spread over those that are painted in any of the maps."""
    painted = np.logical_or.reduce([m > 0 for m in maps])
    if not painted.any():
        painted = np.ones_like(painted)
    axis = _plane(painted.shape, spacing)
    found = [np.flatnonzero(painted.any(tuple(a for a in range(3) if a != other))) for other in range(3)]
    count = min(count, len(found[axis]))
    chosen = [int(found[axis][int((i + 0.5) * len(found[axis]) / count)]) for i in range(count)]
    box = [_around(found[a], painted.shape[a]) for a in range(3)]
    sides = [(box[a].stop - box[a].start) * spacing[a] for a in range(3) if a != axis]
    finest = min(spacing[a] for a in range(3) if a != axis)
    longest = min(max(max(sides) / finest, TILE), 2 * TILE)
    height, width = (max(1, round(side / max(sides) * longest)) for side in sides)
    boxes = [[slice(i, i + 1) if a == axis else box[a] for a in range(3)] for i in chosen]
    return [_Cut(axis, (z, y, x), (height, width)) for z, y, x in boxes]


def _plane(size: tuple[int, ...], spacing: Triple) -> int:
    """Return the axis across the slices as acquired: the only one of a single voxel, or that of the largest spacing."""
    single = [axis for axis in range(3) if size[axis] == 1]
    if len(single) == 1:
        return single[0]
    return int(np.argmax(spacing)) if max(spacing) > ISOTROPIC * min(spacing) else 0


def _around(found: Array, length: int) -> slice:
    """Return the range of the painted indices and half as much again on either side, within the scan."""
    first, last = int(found[0]), int(found[-1])
    margin = (last - first + 1) // 2 + 2
    return slice(max(0, first - margin), min(length, last + 1 + margin))


def _window(scan: Scan) -> tuple[float, float]:
    """Return the values shown black and white: 1st and 99th percentile, and 0 and 255 of a colour picture."""
    if _is_coloured(scan):
        return 0.0, 255.0
    step = max(1, round((scan.array[0].size / 1e6) ** (1 / 3)))
    low, high = np.percentile(scan.array[0, ::step, ::step, ::step], [1, 99])
    return float(low), float(high)


def _is_coloured(scan: Scan) -> bool:
    """Return whether the channels are red, green and blue."""
    return scan.modality == "picture" and scan.array.shape[0] == 3


def _shown(channels: Array, window: tuple[float, float], pixels: tuple[int, int]) -> Array:
    """Return channels (C, 1, rows, columns) as RGB (y, x, 3) of float32, 0 to 255, at this size."""
    low, high = window
    image = resample(channels if len(channels) == 3 else channels[:1], (1, *pixels))[:, 0]
    grey = (image - low) / max(high - low, 1e-12) * 255
    rgb: Array = np.broadcast_to(np.moveaxis(grey.clip(0, 255), 0, -1), (*pixels, 3))
    return rgb


def _labels(values: Array, pixels: tuple[int, int]) -> Array:
    """Return one slice of a labelmap (1, rows, columns) as (y, x) at this size, its borders smooth."""
    size = (1, *pixels)
    labels: Array = resample_labelmap(np.ascontiguousarray(values), size)[0]
    return labels


def _painted(image: Array, labels: Array, colours: Array) -> Array:
    """Return the image (y, x, 3) with the labels (y, x) as a transparent fill and a thin outline, as uint8."""
    inside = (labels > 0)[..., None]
    colour = colours[labels]
    filled = np.where(inside, (1 - FILL) * image + FILL * colour, image)
    edges = inside & (maximum_filter(labels, 5) != minimum_filter(labels, 5))[..., None]
    rgb: Array = np.where(edges, colour, filled).round().astype(np.uint8)
    return rgb


def _borders(labels: Array) -> Array:
    """Return where the next pixel to the right or below has another label: a line one pixel wide along each border."""
    borders = np.zeros(labels.shape, dtype=bool)
    borders[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    borders[:-1] |= labels[:-1] != labels[1:]
    return borders


def _joined(tiles: Sequence[Array], axis: int) -> Array:
    """Return tiles beside (axis 1) or below (axis 0) each other with a dark gap between them."""
    shape = list(tiles[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 20, np.uint8)
    return np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=axis)
