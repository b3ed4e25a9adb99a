"""How well a segmentation fits its reference: Dice, distances between surfaces, volumes, and their means.

Dice and distances are MONAI's. A surface voxel is a voxel of the structure with at least one of its six face
neighbours (four in a single slice) outside it; beyond the edge of the scan counts as outside. Distances are Euclidean,
in mm, between the centres of surface voxels, each surface voxel counting once.
"""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects

from mmgl.imaging.grid import Array, Triple
from mmgl.structures import UNLABELLED

MEAN = "mean"
"""What the overall row is called."""

Box = tuple[slice, ...]
MARGIN = 1
"""Voxels kept around the structures when cropping: no more is needed, as nothing outside is a surface."""


@dataclass(frozen=True)
class Score:
    """How well one structure of one case fits its reference.

    Attributes:
        case: name of the case.
        structure: name of the structure.
        dice: 0 to 1, or NaN where there is nothing to compare.
        hd95: 95 % Hausdorff distance in mm: the larger of the 95th percentiles of the two directions.
        surface_distance: mean symmetric surface distance in mm, over the surface voxels of both together.
        volume: of the result, in ml.
        reference_volume: of the reference, in ml.
        labelled: share of the scan in which the reference says whether the structure is there; what lies outside is
            in none of the other figures.
    """

    case: str
    structure: str
    dice: float
    hd95: float
    surface_distance: float
    volume: float
    reference_volume: float
    labelled: float = 1.0


def score(
    case: str,
    result: Array,
    reference: Array,
    spacing: Triple,
    structures: Sequence[str],
    sets: Sequence[Sequence[int]] = (),
) -> list[Score]:
    """Return the score of each structure, in the order of ``structures``.

    Voxels where the reference is ``UNLABELLED`` count as background in both, so nobody gains or loses by them; so do,
    for the structures in a set, the voxels whose code says "background or one of these".

    A structure that nobody labelled in the reference has nothing to compare either, as voxels of other structures alone
    tell nothing of it.

    A structure that is in neither has NaN for Dice and distances: there is nothing to compare, and it is left out of
    means. One that is in only one of the two has Dice 0, and both distances are the diagonal of the scan in mm, larger
    than any distance in it, so that missing a structure is never better than drawing it badly.

    Args:
        case: name that the scores carry.
        result: labelmap (z, y, x); value i + 1 is ``structures[i]``, other values are background.
        reference: labelmap (z, y, x) with the same values, and ``UNLABELLED`` where nobody said what is there.
        spacing: mm, z, y, x.
        structures: names.
        sets: what the codes -2, -3, ... of the reference stand for, as ``study.read_label`` gives them.

    Raises:
        ValueError: the labelmaps differ in shape, or are not volumes (z, y, x), or a code has no set.
    """
    if result.shape != reference.shape or result.ndim != 3:
        raise ValueError(f"result and reference must be volumes of one size, got {result.shape} and {reference.shape}")
    if reference.min(initial=0) < UNLABELLED - len(sets):
        raise ValueError(f"reference has the code {reference.min()}, and there are {len(sets)} sets")
    ignored = reference == UNLABELLED
    if ignored.any():
        result = np.where(ignored, 0, result)
    codes, reference = reference, np.maximum(reference, 0)
    counts, painted = _negative(codes), int(np.count_nonzero(reference))
    boxes = zip(_boxes(result, len(structures)), _boxes(reference, len(structures)), strict=True)
    diagonal = math.dist((0, 0, 0), [n * s for n, s in zip(result.shape, spacing, strict=True)])
    scores = []
    for value, (name, pair) in enumerate(zip(structures, boxes, strict=True), start=1):
        box = _joint(pair, result.shape)
        first, second = (result[box] == value, reference[box] == value) if box else (np.zeros(0), np.zeros(0))
        hidden = [-2 - i for i, values in enumerate(sets) if value in values]
        if box and hidden:
            first = np.where(np.isin(codes[box], hidden), False, first)
        unknown = sum(counts.get(code, 0) for code in (UNLABELLED, *hidden))
        if unknown and codes.size - unknown <= painted and not second.any():
            first, unknown = np.zeros_like(first), codes.size
        dice, hd95, surface_distance = _measure(first, second, spacing, diagonal)
        volume, reference_volume = (float(mask.sum() * math.prod(spacing) / 1000) for mask in (first, second))
        share = (codes.size - unknown) / codes.size if unknown else 1.0
        scores.append(Score(case, name, dice, hd95, surface_distance, volume, reference_volume, share))
    return scores


def _negative(codes: Array) -> dict[int, int]:
    """Return how many voxels have each of the negative codes."""
    values, counts = np.unique(codes[codes < 0], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


@dataclass(frozen=True)
class Summary:
    """The scores of one structure over its cases, or of all structures in the row called ``MEAN``.

    Cases in which there is nothing to compare are left out; a figure without any case is NaN.

    Attributes:
        structure: its name, or ``MEAN``.
        cases: number of cases with something to compare.
        dice: mean Dice.
        dice_deviation: standard deviation of Dice between cases (n - 1), NaN for a single case.
        worst: smallest Dice.
        worst_case: the case that has it, or an empty string.
        hd95: mean, in mm.
        surface_distance: mean, in mm.
    """

    structure: str
    cases: int
    dice: float
    dice_deviation: float
    worst: float
    worst_case: str
    hd95: float
    surface_distance: float


def summarise(scores: Sequence[Score]) -> list[Summary]:
    """Return one summary a structure, in order of appearance, and last the overall one.

    The means of the overall row are the means of the structures' means, so that a structure that is in few cases
    counts as much as the others; its deviation and its worst case are those of each case's mean over its structures.
    No scores give no rows.
    """
    if not scores:
        return []
    names = list(dict.fromkeys(s.structure for s in scores))
    rows = [_summary(name, [s for s in scores if s.structure == name]) for name in names]
    by_case: dict[str, list[float]] = {}
    for s in scores:
        by_case.setdefault(s.case, []).append(s.dice)
    case_means = {case: _mean(values) for case, values in by_case.items()}
    overall = (_mean([r.dice for r in rows]), _mean([r.hd95 for r in rows]), _mean([r.surface_distance for r in rows]))
    return [*rows, _row(MEAN, case_means, *overall)]


def _summary(name: str, scores: Sequence[Score]) -> Summary:
    """Return the summary of the scores of one structure."""
    dice = _mean([s.dice for s in scores])
    distances = _mean([s.hd95 for s in scores]), _mean([s.surface_distance for s in scores])
    return _row(name, {s.case: s.dice for s in scores}, dice, *distances)


def _row(name: str, dices: Mapping[str, float], dice: float, hd95: float, surface_distance: float) -> Summary:
    """Return a summary with these means, its deviation and its worst case from the Dice of each case."""
    found = {case: value for case, value in dices.items() if not math.isnan(value)}
    deviation = statistics.stdev(found.values()) if len(found) > 1 else math.nan
    worst_case = min(found, key=lambda case: found[case], default="")
    worst = found.get(worst_case, math.nan)
    return Summary(name, len(found), dice, deviation, worst, worst_case, hd95, surface_distance)


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the values that are numbers, NaN where none is."""
    found = [value for value in values if not math.isnan(value)]
    return math.fsum(found) / len(found) if found else math.nan


def _boxes(labelmap: Array, count: int) -> list[Box | None]:
    """Return the bounding box of each value from 1 to ``count``, None where it is not painted."""
    boxes: list[Box | None] = find_objects(labelmap, max_label=count) if count else []
    return boxes


def _joint(boxes: tuple[Box | None, Box | None], size: tuple[int, ...]) -> Box | None:
    """Return the box around those of ``boxes`` that are there, with a margin, or None where none is."""
    found = [box for box in boxes if box]
    if not found:
        return None
    sides = zip(size, *found, strict=True)
    return tuple(
        slice(max(0, min(s.start for s in side) - MARGIN), min(length, max(s.stop for s in side) + MARGIN))
        for length, *side in sides
    )


def _measure(result: Array, reference: Array, spacing: Triple, diagonal: float) -> tuple[float, float, float]:
    """Return Dice, 95 % Hausdorff distance and mean surface distance of two boolean masks (z, y, x)."""
    if not result.any() and not reference.any():
        return math.nan, math.nan, math.nan
    if not result.any() or not reference.any():
        return 0.0, diagonal, diagonal
    import torch
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.meandice import compute_dice
    from monai.metrics.surface_distance import compute_average_surface_distance

    # In a single slice every voxel would be a surface voxel towards the slices that are not there.
    axes = [axis for axis in range(3) if result.shape[axis] > 1]
    axes = axes if len(axes) == 2 else [0, 1, 2]
    shape = [result.shape[axis] for axis in axes]
    first, second = (torch.from_numpy(mask.reshape(1, 1, *shape)) for mask in (result, reference))
    steps = [float(spacing[axis]) for axis in axes]
    dice = compute_dice(first, second)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # MONAI 1.6 warns of an argument that it uses itself
        hd95 = compute_hausdorff_distance(first, second, include_background=True, percentile=95, spacing=steps)
        mean = compute_average_surface_distance(first, second, include_background=True, symmetric=True, spacing=steps)
    return float(dice), float(hd95), float(mean)
