"""Where voxels are: size, spacing, origin and directions, and the way to the canonical orientation and back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

Triple = tuple[float, float, float]
Size = tuple[int, int, int]
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Grid:
    """The voxel grid of a scan, everything in z, y, x order and LPS (so z to superior, y to posterior, x to left).

    The voxel at ``index`` lies at ``origin + directions @ (spacing * index)``, in mm.

    Attributes:
        size: voxels along the array axes z, y, x.
        spacing: mm between voxel centres along the array axes.
        origin: mm, the centre of voxel (0, 0, 0).
        directions: ``directions[i][j]`` is the component along world axis i (z, y, x) of a unit step along array
            axis j; columns are orthonormal.
    """

    size: Size
    spacing: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    directions: tuple[Triple, Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    @property
    def matrix(self) -> Array:
        """The directions as a 3 x 3 array of float64."""
        return np.array(self.directions, dtype=np.float64)

    @property
    def extent(self) -> Triple:
        """Size in mm along the array axes, outer edges of the voxels included."""
        z, y, x = (n * s for n, s in zip(self.size, self.spacing, strict=True))
        return z, y, x

    def position(self, index: Any) -> Array:
        """Return the position in mm (z, y, x) of an index (z, y, x), whole or fractional; shape (..., 3)."""
        steps: Array = (np.asarray(index, dtype=np.float64) * self.spacing) @ self.matrix.T
        return steps + self.origin

    def index(self, position: Any) -> Array:
        """Return the fractional index (z, y, x) of a position in mm (z, y, x); the inverse of ``position``."""
        return (np.asarray(position, dtype=np.float64) - self.origin) @ self.matrix / self.spacing

    def same_as(self, other: Grid, tolerance: float = 1e-3) -> bool:
        """Return whether both grids have the same voxels: corners within ``tolerance`` of a voxel."""
        if self.size != other.size:
            return False
        corners = np.array([(z, y, x) for z in (0, self.size[0]) for y in (0, self.size[1]) for x in (0, self.size[2])])
        return bool(np.abs(other.index(self.position(corners)) - corners).max() <= tolerance)

    def is_orthogonal(self, tolerance: float = 1e-3) -> bool:
        """Return whether the axes are at right angles, as cutting into slices needs."""
        return bool(np.abs(self.matrix.T @ self.matrix - np.eye(3)).max() <= tolerance)

    def reorientation(self) -> Reorientation:
        """Return the permutation and flips of axes that bring this grid nearest to the canonical orientation."""
        matrix = self.matrix
        axes = max(permutations(range(3)), key=lambda order: sum(abs(matrix[i, order[i]]) for i in range(3)))
        return Reorientation(axes, tuple(bool(matrix[i, axes[i]] < 0) for i in range(3)))

    def resized(self, size: Size) -> Grid:
        """Return the grid of another size that covers exactly the same part of space, outer edges included."""
        spacing = np.array([e / n for e, n in zip(self.extent, size, strict=True)])
        first = (spacing / self.spacing - 1) / 2
        z, y, x = (float(s) for s in spacing)
        oz, oy, ox = (float(v) for v in self.position(first))
        return replace(self, size=size, spacing=(z, y, x), origin=(oz, oy, ox))


@dataclass(frozen=True)
class Reorientation:
    """Axes to permute and to flip so that array axes run along z, y, x as nearly as they can; no voxel changes value.

    Attributes:
        axes: canonical axis i is axis ``axes[i]`` of the scan.
        flips: whether canonical axis i runs against that axis.
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    def apply(self, array: Array) -> Array:
        """Return ``array`` (..., z, y, x) of the scan's own orientation as a view in the canonical one."""
        lead = array.ndim - 3
        moved = array.transpose(*range(lead), *(lead + a for a in self.axes))
        return np.flip(moved, tuple(lead + i for i in range(3) if self.flips[i]))

    def undo(self, array: Array) -> Array:
        """Return ``array`` (..., z, y, x) of the canonical orientation as a view in the scan's own one."""
        lead = array.ndim - 3
        flipped = np.flip(array, tuple(lead + i for i in range(3) if self.flips[i]))
        moved: Array = flipped.transpose(*range(lead), *(lead + self.axes.index(i) for i in range(3)))
        return moved

    def apply_to_grid(self, grid: Grid) -> Grid:
        """Return the grid of the voxels after ``apply``."""
        corner = [0, 0, 0]
        for i, axis in enumerate(self.axes):
            if self.flips[i]:
                corner[axis] = grid.size[axis] - 1
        matrix = grid.matrix[:, list(self.axes)] * np.where(self.flips, -1.0, 1.0)
        oz, oy, ox = (float(v) for v in grid.position(corner))
        sz, sy, sx = (grid.size[a] for a in self.axes)
        mz, my, mx = (grid.spacing[a] for a in self.axes)
        rows = tuple(tuple(float(v) for v in row) for row in matrix)
        return Grid((sz, sy, sx), (mz, my, mx), (oz, oy, ox), rows)  # type: ignore[arg-type]
