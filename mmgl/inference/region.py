"""A region of interest: the part of a scan that is segmented, and what must be looked at for it."""

from __future__ import annotations

from mmgl.data.plan import PLANES, Plan
from mmgl.data.prepare import Box
from mmgl.imaging.grid import Grid, Size
from mmgl.imaging.resampling import interpolation_matrix
from mmgl.messages import MMGLError

REACH = 7
"""How far a pixel's surroundings matter to the network, in strides: 2 convolutions of 3 pixels in every level down and
up again, and the pooling, sum up to less than that."""


def checked(region: Box, grid: Grid) -> Box:
    """Return the part of a region that lies in the scan.

    Raises:
        MMGLError: ``segment.region`` where it is empty.
    """
    sides = [(max(0, low), min(n, high)) for (low, high), n in zip(region, grid.size, strict=True)]
    if any(low >= high for low, high in sides):
        words = " x ".join(str(n) for n in reversed(grid.size))
        raise MMGLError("segment.region", size=words)
    z, y, x = sides
    return z, y, x


def turned(region: Box, grid: Grid) -> Box:
    """Return a region of the scan's own grid in the canonical orientation."""
    turn = grid.reorientation()
    sides = []
    for axis, flipped in zip(turn.axes, turn.flips, strict=True):
        (low, high), n = region[axis], grid.size[axis]
        sides.append((n - high, n - low) if flipped else (low, high))
    z, y, x = sides
    return z, y, x


def on_plan(region: Box, grid: Grid, size: Size, plan: Plan, stride: int) -> Box:
    """Return what must be segmented on the plan's grid, of ``size``, so that a region comes out as in the whole scan.

    It begins at a multiple of the network's stride, and reaches as far as the network's own reach goes in the planes
    that are segmented.
    """
    before_sizes = grid.reorientation().apply_to_grid(grid).size
    sides = []
    for axis, ((low, high), before, after) in enumerate(zip(turned(region, grid), before_sizes, size, strict=True)):
        touched = interpolation_matrix(after, before)[low:high].any(0).nonzero()[0]
        margin = REACH * stride if any(PLANES.index(plane) != axis for plane in plan.planes) else 0
        begin = max(0, int(touched[0]) - margin) // stride * stride if margin else int(touched[0])
        sides.append((begin, min(after, int(touched[-1]) + 1 + margin)))
    z, y, x = sides
    return z, y, x
