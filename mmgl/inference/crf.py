"""A 2-D dense conditional random field that sharpens probabilities along the edges of the image.

After Krahenbuhl and Koltun 2011, as GLRP (Zhao X. et al. 2024) refines its slices. The energy of a labelling x is

    sum over i of -log P_i(x_i) + sum over i < j of [x_i differs from x_j] k_ij
    k_ij = w1 exp(-|p_i - p_j|^2 / 2 sa^2 - |I_i - I_j|^2 / 2 sb^2) + w2 exp(-|p_i - p_j|^2 / 2 sg^2)

and mean-field iterations look for its minimum. Pairs count inside a square window only, which turns the sum
over all pairs into a few dozen shifted products; with a window as large as the image the field is dense.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmgl.model import CRF

WEIGHTS = 32 * 1024 * 1024
"""Weights of pairs held at once (128 MB of float32)."""

LEAST = 1e-10
"""Probabilities below are taken for this: what the network excludes, a neighbourhood can still bring back."""

Shift = tuple[int, int]
"""From a pixel to its partner: rows down (at least 0), columns to the right."""


@dataclass(frozen=True)
class Crf:
    """What a dense CRF believes about images. Start values for heart MR; tune them on labelled slices.

    Attributes:
        appearance: w1, of pairs that are near and look alike.
        appearance_mm: sa, how far they may be apart, in mm.
        intensity: sb, how different they may look, in the units of the image (deviations of a prepared scan).
        smoothness: w2, of pairs that are near whatever they look like.
        smoothness_mm: sg, how far they may be apart, in mm.
        window: pairs are at most this many pixels apart along each axis; as large as the image, the field is dense.
        iterations: at most; a slice is done earlier once no probability changes by ``tolerance``.
        tolerance: of a change.
        normalised: either kernel is divided by the roots of its sums over all pixels at i and at j, so that the weights
            mean the same at the border, for any window and any spacing. Without it, the equation as it stands.
    """

    appearance: float = 5.0
    appearance_mm: float = 40.0
    intensity: float = 0.2
    smoothness: float = 3.0
    smoothness_mm: float = 4.0
    window: int = 5
    iterations: int = 10
    tolerance: float = 1e-3
    normalised: bool = True

    def to_json(self) -> dict[str, float]:
        """Return what is chosen for a model, as its card holds it."""
        return {name: float(getattr(self, name)) for name in CRF}

    @staticmethod
    def from_json(value: Mapping[str, float]) -> Crf:
        """Return what ``to_json`` wrote."""
        return Crf(
            appearance=value["appearance"],
            appearance_mm=value["appearance_mm"],
            intensity=value["intensity"],
            smoothness=value["smoothness"],
            smoothness_mm=value["smoothness_mm"],
        )


def refine(probabilities: Tensor, images: Tensor, spacing: tuple[float, float], crf: Crf | None = None) -> Tensor:
    """Return the probabilities (N, K + 1, H, W) of slices after mean-field iterations of a dense CRF; float32.

    Slices do not influence one another.

    Args:
        probabilities: (N, K + 1, H, W), any number of structures.
        images: (N, C, H, W), the slices they belong to.
        spacing: of a pixel, mm, y and x.
        crf: the start values where it is None.

    Raises:
        ValueError: probabilities and images are not of the same slices, or the spacing is not positive.
    """
    crf = crf or Crf()
    count, _, height, width = probabilities.shape
    if images.shape[0] != count or images.shape[-2:] != (height, width):
        raise ValueError(f"probabilities {tuple(probabilities.shape)} do not fit images {tuple(images.shape)}")
    if min(spacing) <= 0:
        raise ValueError(f"spacing must be positive, got {spacing}")
    shifts = _shifts(crf.window, height, width)
    size = max(1, WEIGHTS // (max(1, len(shifts)) * height * width))
    refined = torch.empty(probabilities.shape, dtype=torch.float32, device=probabilities.device)
    for start in range(0, count, size):
        part = slice(start, start + size)
        weights = _pair_weights(images[part].float(), spacing, crf, shifts)
        refined[part] = _mean_field(probabilities[part].float(), weights, shifts, crf)
    return refined


def _mean_field(probabilities: Tensor, weights: list[Tensor], shifts: list[Shift], crf: Crf) -> Tensor:
    """Return Q after iterations of ``Q_i(l) = softmax over l of (log P_i(l) + sum over j of k_ij Q_j(l))``.

    (Disagreeing with all others costs ``sum over j of k_ij (1 - Q_j(l))``, whose 1 is the same for every l.)
    """
    unary = probabilities.clamp(min=LEAST).log()
    q = unary.softmax(1)
    running = torch.ones(len(q), 1, 1, 1, dtype=torch.bool, device=q.device)
    for _ in range(crf.iterations):
        support = unary.clone()
        for k, shift in zip(weights, shifts, strict=True):
            (to_here, to_there), (here, there) = _pair(support, shift), _pair(q, shift)
            to_here.addcmul_(k, there)
            to_there.addcmul_(k, here)
        # a slice that is done stays as it is, so that it comes out as it would alone
        updated = torch.where(running, support.softmax(1), q)
        running = running & ((updated - q).abs().amax((1, 2, 3), keepdim=True) >= crf.tolerance)
        q = updated
        if not bool(running.any()):
            break
    return q


def _pair_weights(images: Tensor, spacing: tuple[float, float], crf: Crf, shifts: list[Shift]) -> list[Tensor]:
    """Return k_ij (N, 1, h, w) of the pairs of every shift."""
    alike, near = [], []
    for shift in shifts:
        here, there = _pair(images, shift)
        away = sum((n * mm) ** 2 for n, mm in zip(shift, spacing, strict=True))
        difference = (here - there).square().sum(1, keepdim=True)
        alike.append(torch.exp(-away / (2 * crf.appearance_mm**2) - difference / (2 * crf.intensity**2)))
        near.append(torch.full_like(alike[-1][:1], math.exp(-away / (2 * crf.smoothness_mm**2))))
    if crf.normalised:
        plain = torch.ones_like(images[:, :1])
        alike, near = _normalised(alike, shifts, plain), _normalised(near, shifts, plain[:1])
    return [crf.appearance * a + crf.smoothness * n for a, n in zip(alike, near, strict=True)]


def _normalised(kernel: list[Tensor], shifts: list[Shift], ones: Tensor) -> list[Tensor]:
    """Return a kernel over the roots of its sums at both pixels of a pair.

    A pixel counts as its own partner there, or else one that is like no other would be tied to the least unlike.
    """
    total = ones.clone()
    for k, shift in zip(kernel, shifts, strict=True):
        for end in _pair(total, shift):
            end += k
    scale = total.rsqrt()
    scaled = []
    for k, shift in zip(kernel, shifts, strict=True):
        here, there = _pair(scale, shift)
        scaled.append(k * here * there)
    return scaled


def _shifts(window: int, height: int, width: int) -> list[Shift]:
    """Return one shift for every two pixels of a window: the lower one from the upper, the right one from the left."""
    down, right = min(window, height - 1), min(window, width - 1)
    return [(y, x) for y in range(down + 1) for x in range(-right, right + 1) if y > 0 or x > 0]


def _pair(maps: Tensor, shift: Shift) -> tuple[Tensor, Tensor]:
    """Return views (N, C, h, w) of the pixels that have a partner at this shift, and of their partners."""
    (down, right), (height, width) = shift, maps.shape[-2:]
    here = maps[..., : height - down, max(0, -right) : width - max(0, right)]
    there = maps[..., down:, max(0, right) : width + min(0, right)]
    return here, there
