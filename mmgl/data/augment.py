"""Augmentation of whole batches on their device: ``sample_*`` draws parameters, ``apply_*`` is deterministic.

Parameters have one row for each slice, so a batch comes out exactly as its slices would one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from mmgl.structures import UNLABELLED

CONTROL_POINTS = 6
"""Elastic deformation is drawn on a coarse grid of this many points a side and interpolated."""


@dataclass(frozen=True)
class Spatial:
    """Where the pixels of each augmented slice come from.

    Attributes:
        theta: (N, 2, 3) affine maps from output to input, both in [-1, 1] of the window and of the output.
        elastic: (N, 2, CONTROL_POINTS, CONTROL_POINTS) displacements in the same units.
    """

    theta: Tensor
    elastic: Tensor

    def __getitem__(self, part: slice) -> Spatial:
        """Return that of some of the slices."""
        return Spatial(self.theta[part], self.elastic[part])


@dataclass(frozen=True)
class Intensity:
    """How the numbers of each augmented slice change; every field (N, 1, 1, 1) unless said.

    Attributes:
        gamma: exponent on the slice's own range, 1 for none.
        contrast, brightness: factor and offset.
        noise: deviation of the Gaussian noise, 0 for none.
        blur: deviation of the Gaussian blur in pixels, 0 for none.
        seed: of the noise of each slice, (N,).
    """

    gamma: Tensor
    contrast: Tensor
    brightness: Tensor
    noise: Tensor
    blur: Tensor
    seed: Tensor

    def __getitem__(self, part: slice) -> Intensity:
        """Return that of some of the slices."""
        return Intensity(*(getattr(self, field.name)[part] for field in fields(self)))


def sample_spatial(
    count: int, scale_to: float, generator: Generator, *, mirror: bool = False, strength: float = 1.0
) -> Spatial:
    """Draw rotation, scale, shift, elastic deformation and, if asked, mirroring for ``count`` slices.

    Args:
        scale_to: side of the output as a share of the side of the window it is taken from.
        mirror: mirror half of the slices left to right. Off where a mirrored body would be a wrong one.
        strength: 0 for none of it, 1 for the usual amount.
    """

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(count, generator=generator)

    def chance(p: float) -> Tensor:
        return (torch.rand(count, generator=generator) < p).float()

    angle = uniform(-1, 1) * math.radians(25) * chance(0.6) + uniform(-1, 1) * math.pi * chance(0.3)
    angle = angle * strength
    scale = torch.exp(uniform(-0.3, 0.3) * chance(0.7) * strength) * scale_to
    stretch = torch.exp(uniform(-0.1, 0.1) * chance(0.3) * strength)
    side = 1 - 2 * chance(0.5) if mirror else torch.ones(count)
    free = (1 - scale_to) * strength
    shift_x, shift_y = uniform(-free, free), uniform(-free, free)
    cos, sin = angle.cos(), angle.sin()
    rows_x = torch.stack([cos * scale * stretch * side, -sin * scale, shift_x], 1)
    rows_y = torch.stack([sin * scale * stretch * side, cos * scale, shift_y], 1)
    bend = torch.randn(count, 2, CONTROL_POINTS, CONTROL_POINTS, generator=generator) * 0.04 * strength
    return Spatial(torch.stack([rows_x, rows_y], 1), bend * chance(0.3)[:, None, None, None])


def sample_intensity(count: int, generator: Generator, *, strength: float = 1.0) -> Intensity:
    """Draw gamma, contrast, brightness, noise and blur for ``count`` slices.

    Args:
        strength: the probability of each change is multiplied by it: 0 for none, 1 for the usual ones, 2 for a
            strong view.
    """

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(count, generator=generator))[:, None, None, None]

    def chance(p: float) -> Tensor:
        return (torch.rand(count, generator=generator) < min(1.0, p * strength)).float()[:, None, None, None]

    return Intensity(
        gamma=torch.exp(uniform(-0.7, 0.7) * chance(0.5)),
        contrast=1 + uniform(-0.25, 0.25) * chance(0.5),
        brightness=uniform(-0.25, 0.25) * chance(0.5),
        noise=uniform(0, 0.15) * chance(0.3),
        blur=uniform(0.5, 1.0) * chance(0.2),
        seed=torch.randint(2**31, (count,), generator=generator),
    )


def apply_spatial(images: Tensor, labels: Tensor, spatial: Spatial, size: int) -> tuple[Tensor, Tensor]:
    """Return images (N, C, size, size) and labels (N, size, size) taken from windows (N, C, W, W) and (N, W, W).

    Images are interpolated linearly and continue at the edge; labels are taken from the nearest pixel and are
    unlabelled beyond the edge.
    """
    n = len(images)
    grid = F.affine_grid(spatial.theta.to(images.device), [n, 1, size, size], align_corners=False)
    if bool(spatial.elastic.any()):
        bend = F.interpolate(spatial.elastic.to(images.device), size=(size, size), mode="bicubic", align_corners=True)
        grid = grid + bend.movedim(1, -1)
    moved = F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
    # nearest with zeros outside: shift so that "outside" reads as unlabelled
    shifted = (labels - UNLABELLED).float()[:, None]
    nearest = F.grid_sample(shifted, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return moved, nearest[:, 0].round().long() + UNLABELLED


def apply_intensity(images: Tensor, intensity: Intensity) -> Tensor:
    """Return images (N, C, H, W) with changed numbers and unchanged places."""
    gamma, contrast, brightness, noise, blur = (
        value.to(images.device)
        for value in (intensity.gamma, intensity.contrast, intensity.brightness, intensity.noise, intensity.blur)
    )
    low = images.amin((1, 2, 3), keepdim=True)
    span = (images.amax((1, 2, 3), keepdim=True) - low).clamp(min=1e-6)
    images = ((images - low) / span).clamp(min=1e-6) ** gamma * span + low
    images = images * contrast + brightness
    images = _blur(images, blur)
    if bool(noise.any()):
        images = images + noise * _noise(images, intensity.seed)
    return images


def _blur(images: Tensor, deviation: Tensor) -> Tensor:
    """Blur each slice by its own deviation in pixels (up to 1; 0 leaves it as it is) with a 5 x 5 Gaussian."""
    chosen = (deviation > 0).flatten()
    if not bool(chosen.any()):
        return images
    x, sigma = images[chosen], deviation[chosen].flatten()
    n, channels, height, width = x.shape
    places = torch.arange(-2, 3, device=x.device, dtype=x.dtype)
    kernel = torch.exp(-(places[None] ** 2) / (2 * sigma[:, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(channels, 0)[:, None]
    flat = F.pad(x, (2, 2, 2, 2), mode="replicate").reshape(1, n * channels, height + 4, width + 4)
    flat = F.conv2d(flat, kernel[:, :, :, None], groups=n * channels)
    flat = F.conv2d(flat, kernel[:, :, None, :], groups=n * channels)
    result = images.clone()
    result[chosen] = flat.reshape(n, channels, height, width)
    return result


def _noise(images: Tensor, seeds: Tensor) -> Tensor:
    """Return Gaussian noise like ``images``, each slice from its own seed."""
    noise = torch.empty_like(images)
    generator = torch.Generator(images.device)
    for target, seed in zip(noise, seeds.tolist(), strict=True):
        target.normal_(generator=generator.manual_seed(seed))
    return noise
