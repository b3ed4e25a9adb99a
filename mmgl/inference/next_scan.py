"""Which scan to label next: one that stands for many others which no labelled scan is like and the model is unsure of.

What is strange is not asked for because it is strange: with few labels, scans that are typical of what is not labelled
yet teach more than outliers (Hacohen et al., ICML 2022). Scans are chosen one after the other, and a chosen one counts
as labelled for the next, so that not all of one kind are chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.spatial.distance import cdist

from mmgl.data.plan import PLANES
from mmgl.data.prepare import prepare_scan
from mmgl.finding import Finding
from mmgl.imaging.grid import Array
from mmgl.imaging.scan import Scan
from mmgl.inference.doubt import Doubt, doubt_of
from mmgl.inference.predictor import Predictor
from mmgl.inference.settings import Settings

PIXELS = 4 * 256 * 256
"""Pixels that go through the encoder at once."""

BACKGROUND = 0.02
"""How much background counts for what a scan looks like, against structures."""

DOUBTFUL = 0.75
"""Share of the unlabelled scans that the model is surer of, from which on doubt is the reason that is told."""


@dataclass(frozen=True)
class Look:
    """What a model sees in a scan.

    Attributes:
        features: (F,) means and deviations of the coarsest encoder map, where the model finds structures.
        doubt: of its result.
    """

    features: Array
    doubt: Doubt


@dataclass(frozen=True)
class Suggestion:
    """A scan to label.

    Attributes:
        name: of the scan.
        alike: how many unlabelled scans, itself among them, look more like it than like any labelled one.
        doubt: 0 to 1, the share of the unlabelled scans that the model is less unsure of.
        reason: why, as a finding.
    """

    name: str
    alike: int
    doubt: float
    reason: Finding


def look(predictor: Predictor, scan: Scan) -> Look:
    """Return what a model sees in a scan.

    Raises:
        MMGLError: as ``Predictor.result``.
    """
    fused, _ = predictor.fused(scan, Settings())
    plan, network = predictor.card.plan, predictor.network
    doubt = doubt_of(fused, scan.grid, plan, predictor.structures)
    axis = PLANES.index(plan.planes[0])
    slices = torch.from_numpy(prepare_scan(scan, plan, None, np.float16)).movedim(1 + axis, 0)
    size = max(1, PIXELS // (slices.shape[-2] * slices.shape[-1]))
    total, weights = torch.zeros(2, network.widths[-2], dtype=torch.float64), 0.0
    for start in range(0, len(slices), size):
        part = slices[start : start + size].float()
        height, width = part.shape[-2:]
        pads = (0, -width % network.stride, 0, -height % network.stride)
        with torch.inference_mode():
            features = network.encode(F.pad(part, pads, mode="replicate").to(predictor.device))[-2].cpu()
        found = 1 - fused.slices(axis, start, start + len(part))[:, :1].cpu()
        weight = BACKGROUND + F.adaptive_avg_pool2d(F.pad(found, pads), (features.shape[-2], features.shape[-1]))
        total[0] += (features * weight).sum((0, 2, 3)).double()
        total[1] += (features.square() * weight).sum((0, 2, 3)).double()
        weights += float(weight.sum())
    mean, square = total / weights
    deviation = (square - mean.square()).clamp(min=0).sqrt()
    return Look(torch.cat([mean, deviation]).numpy(), doubt)


def suggest(labelled: Sequence[Look], unlabelled: Mapping[str, Look], count: int) -> list[Suggestion]:
    """Return the scans to label next, the first one first.

    The next one is whichever shortens the way from all unlabelled scans to the nearest labelled one the most, the way
    from doubtful ones counted up to twice.

    Args:
        labelled: what the model sees in the labelled scans.
        unlabelled: what it sees in the others, by name.
        count: how many to name, at most.
    """
    names = list(unlabelled)
    if not names:
        return []
    features = np.stack([one.features for one in (*labelled, *unlabelled.values())])
    features = (features - features.mean(0)) / np.maximum(features.std(0), 1e-6)
    known, others = features[: len(labelled)], features[len(labelled) :]
    between = cdist(others, others)
    away = cdist(others, known).min(1, initial=between.max() + 1)
    doubts = _shares(np.array([_mean_doubt(unlabelled[name].doubt) for name in names]))
    chosen: list[Suggestion] = []
    left = list(range(len(names)))
    while left and len(chosen) < count:
        nearer = np.maximum(away[:, None] - between[:, left], 0)
        number = left.pop(int(np.argmax((1 + doubts) @ nearer)))
        alike, doubt = int((away > between[:, number]).sum()), float(doubts[number])
        chosen.append(Suggestion(names[number], alike, doubt, _reason(alike, doubt, unlabelled[names[number]].doubt)))
        away = np.minimum(away, between[:, number])
    return chosen


def _mean_doubt(doubt: Doubt) -> float:
    """Return the mean doubt of all structures."""
    return sum(s.doubt for s in doubt.structures) / len(doubt.structures)


def _shares(values: Array) -> Array:
    """Return for each value the share of the others that are smaller."""
    shares: Array = (values[:, None] > values[None]).sum(1) / max(1, len(values) - 1)
    return shares


def _reason(alike: int, doubt: float, seen: Doubt) -> Finding:
    """Return in words what speaks most for a scan."""
    if doubt >= DOUBTFUL:
        worst = max(seen.structures, key=lambda s: s.doubt)
        return Finding("next.missing" if worst.doubt == 1 else "next.doubtful", {"structure": worst.structure})
    return Finding("next.typical", {"scans": alike - 1}) if alike > 1 else Finding("next.novel")
