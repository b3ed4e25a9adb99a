"""The live picture: one slice of a case with what the network finds in it now, beside what was painted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.grid import Array
from mmgl.structures import Structure

FILL = 0.45
"""Opacity of a structure."""

LONGEST = 512
"""Pixels of the longer side of a slice beyond which every second, third, ... pixel is shown."""


def shown_slice(case: PreparedCase, plan: Plan) -> tuple[int, int]:
    """Return axis and index of the slice shown: in the plan's first plane, where most is painted, or half way."""
    axis = PLANES.index(plan.planes[0])
    if case.labelmap is None:
        return axis, case.image.shape[1 + axis] // 2
    counts = (case.labelmap > 0).sum(axis=tuple(a for a in range(3) if a != axis))
    return axis, int(counts.argmax()) if counts.any() else len(counts) // 2


def preview(case: PreparedCase, found: Array, plan: Plan, structures: Sequence[Structure]) -> Array:
    """Return the shown slice as a picture, RGB (y, x, 3) of uint8, with the label on the right where there is one.

    Superior or anterior is up, the patient's left or posterior on the right.

    Args:
        case: prepared on the plan's grid.
        found: labelmap (y, x) of the shown slice.
    """
    axis, index = shown_slice(case, plan)
    image = np.take(case.image[0], index, axis=axis).astype(np.float32)
    maps = [found] if case.labelmap is None else [found, np.take(case.labelmap, index, axis=axis)]
    stride = -(-max(image.shape) // LONGEST)
    tiles = [_painted(image, m, structures)[::stride, ::stride] for m in maps]
    picture = np.concatenate(tiles, axis=1)
    return np.ascontiguousarray(picture[::-1] if axis != 0 else picture)


def _painted(image: Array, labelmap: Array, structures: Sequence[Structure]) -> Array:
    """Return a slice (y, x) in grey with its structures in their colours."""
    low, high = np.percentile(image, [1, 99])
    grey = (np.clip((image - low) / max(high - low, 1e-6), 0, 1) * 255)[..., None].repeat(3, 2)
    for number, structure in enumerate(structures, start=1):
        there = labelmap == number
        grey[there] = (1 - FILL) * grey[there] + FILL * np.array(structure.colour, np.float32)
    return np.asarray(grey.round(), dtype=np.uint8)
