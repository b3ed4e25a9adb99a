"""What the phantom is painted on: places in mm, soft-edged shapes, and smooth random fields that no grid changes."""

from __future__ import annotations

import numpy as np

from mmgl.imaging.grid import Array

DOMAIN = 360.0
"""mm, side of the cube around the heart in which random fields are drawn; nothing is painted outside it."""


class Canvas:
    """An image being painted, opaque shape over shape, on thin slices.

    Attributes:
        z: (z, 1, 1), mm from the base of the heart at end diastole towards its apex.
        y: (1, y, 1), mm from the centre of the field of view towards the back.
        x: (1, 1, x), mm from the centre of the field of view towards the patient's left.
        image: (z, y, x), signal in parts of the signal of blood.
        fat: (z, y, x), the part of each voxel that is fat, 0 to 1.
        edge: mm over which one tissue turns into the next.
    """

    def __init__(self, z: Array, y: Array, x: Array) -> None:
        self.z, self.y, self.x = (a.astype(np.float32) for a in (z[:, None, None], y[None, :, None], x[None, None, :]))
        self.image = np.zeros((len(z), len(y), len(x)), np.float32)
        self.fat = np.zeros_like(self.image)
        self.edge = float(abs(y[1] - y[0]))

    def paint(self, distance: Array, signal: Array | float, fat: float = 0.0) -> None:
        """Paint a tissue.

        Args:
            distance: broadcastable to (z, y, x), mm to the border of the tissue, positive inside.
            signal: of the tissue, in parts of the signal of blood.
            fat: 1 for fat, 0 for what is none.
        """
        cover = np.clip(distance / self.edge + np.float32(0.5), 0, 1)
        self.image += cover * (signal - self.image)
        self.fat += cover * (np.float32(fat) - self.fat)

    def field(self, rng: np.random.Generator, along: float, across: float) -> Array:
        """Return a smooth random field (z, y, x) of mean 0 and variance 1.

        The field belongs to the place and not to the grid: from the same generator it is the same on thin slices and
        on thick ones.

        Args:
            rng: drawn from once for each knot of the field, however large the canvas is.
            along: mm, typical size of a blob through the slices.
            across: mm, typical size of a blob in a slice.
        """
        knots = [np.arange(-DOMAIN / 2, DOMAIN / 2 + s, s) for s in (along, across, across)]
        values = rng.standard_normal([len(k) for k in knots], dtype=np.float32)
        for axis, (k, place, size) in enumerate(
            zip(knots, (self.z, self.y, self.x), (along, across, across), strict=True)
        ):
            reach = (place.reshape(-1, 1) - k.astype(np.float32)) / np.float32(0.7 * size)
            weights = np.exp(-0.5 * reach**2)
            weights /= np.sqrt((weights**2).sum(axis=1, keepdims=True))
            values = np.moveaxis(np.tensordot(weights, values, axes=(1, axis)), 0, axis)
        return values
