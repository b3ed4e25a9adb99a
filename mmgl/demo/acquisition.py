"""What a scanner makes of an anatomy: thick slices, dark fat borders, uneven coils, blur, noise and its own numbers."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from mmgl.demo.canvas import Canvas
from mmgl.imaging.grid import Array


def acquire(canvas: Canvas, thin: int, rng: np.random.Generator, noise_rng: np.random.Generator) -> Array:
    """Return the scan (z, y, x) of int16 that a cine scanner would make of what is painted.

    Args:
        canvas: painted on ``thin`` thin slices for each slice of the scan.
        thin: number of thin slices in a slice.
        rng: coils, blur and scale, the same for all frames of a scan.
        noise_rng: noise, another one for each frame.
    """
    # fat and water are out of phase in this sequence, so a voxel that holds both is dark: a line around every organ
    signal = canvas.image * (1 - 2.6 * canvas.fat * (1 - canvas.fat))
    signal = signal * (1 + 0.045 * canvas.field(rng, 20, 4))
    image = thick(signal * _coils(canvas, rng), thin)
    blur = rng.uniform(0.35, 0.75)
    noise = rng.uniform(0.012, 0.05)
    real, imaginary = noise * noise_rng.standard_normal((2, *image.shape), dtype=np.float32)
    image = np.hypot(ndimage.gaussian_filter(image, (0, blur, blur)) + real, imaginary)
    image = ndimage.gaussian_filter(image, (0, 0.4, 0.4))  # the scanner fills its lines up before it reconstructs
    numbers: Array = np.rint(image * rng.uniform(150, 900)).astype(np.int16)
    return numbers


def thick(array: Array, thin: int) -> Array:
    """Return the mean over each ``thin`` slices of an array (z, ...)."""
    mean: Array = array.reshape(-1, thin, *array.shape[1:]).mean(axis=1)
    return mean


def _coils(canvas: Canvas, rng: np.random.Generator) -> Array:
    """Return the sensitivity of the coils: stronger near the front of the chest, and uneven."""
    fall, side = rng.uniform(0.0, 0.0045), rng.uniform(-0.0008, 0.0008)
    sensitivity: Array = np.exp(0.06 * canvas.field(rng, 120, 75) - fall * canvas.y + side * canvas.x)
    return sensitivity
