"""Metrics against two independent implementations: distance transforms, and every pair of surface voxels."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, gaussian_filter

from mmgl.evaluation.metrics import MEAN, Score, score, summarise
from mmgl.structures import UNLABELLED

SPACINGS = [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (0.9, 1.3, 2.1)]


def surface(mask):
    """Voxels of the mask with a face neighbour outside it, written as a loop over the neighbours."""
    padded = np.pad(mask, 1)
    core = (slice(1, -1),) * mask.ndim
    inner = padded[core].copy()
    for axis in range(mask.ndim):
        for step in (-1, 1):
            inner &= np.roll(padded, step, axis)[core]
    return mask & ~inner


def by_transform(first, second, spacing):
    """Dice, HD95 and mean surface distance by distance transforms of the surfaces."""
    a, b = surface(first), surface(second)
    there = distance_transform_edt(~b, sampling=spacing)[a]
    back = distance_transform_edt(~a, sampling=spacing)[b]
    hd95 = max(np.percentile(there, 95), np.percentile(back, 95))
    return overlap(first, second), hd95, np.concatenate([there, back]).mean()


def by_pairs(first, second, spacing):
    """The same from the distances of every pair of surface voxels."""
    a, b = (np.argwhere(surface(mask)) * spacing for mask in (first, second))
    distances = np.linalg.norm(a[:, None] - b[None], axis=-1)
    there, back = distances.min(1), distances.min(0)
    hd95 = max(np.quantile(there, 0.95), np.quantile(back, 0.95))
    return overlap(first, second), hd95, (there.sum() + back.sum()) / (len(there) + len(back))


def overlap(first, second):
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def blobs(generator, size, structures):
    """A smooth random labelmap that reaches the edges of its volume."""
    fields = [gaussian_filter(generator.standard_normal(size), 1.5) for _ in range(structures + 1)]
    return np.argmax(fields, axis=0)


def check(found: Score, expected):
    assert found.dice == pytest.approx(expected[0], abs=1e-6)
    assert found.hd95 == pytest.approx(expected[1], abs=0.01)
    assert found.surface_distance == pytest.approx(expected[2], abs=0.01)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_distance_transforms(spacing, seed):
    generator = np.random.default_rng(seed)
    result, reference = (blobs(generator, (12, 23, 19), 3) for _ in range(2))
    scores = score("a", result, reference, spacing, ["one", "two", "three"])
    for value, found in enumerate(scores, start=1):
        check(found, by_transform(result == value, reference == value, spacing))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_agrees_with_all_pairs_on_scattered_voxels(spacing):
    generator = np.random.default_rng(3)
    for _ in range(5):
        result, reference = (generator.random((4, 5, 6)) < 0.2 for _ in range(2))
        (found,) = score("a", result.astype(np.uint8), reference.astype(np.uint8), spacing, ["one"])
        check(found, by_pairs(result, reference, spacing))
        check(found, by_transform(result, reference, spacing))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_measured_as_a_picture(axis):
    generator = np.random.default_rng(4)
    result, reference = (blobs(generator, (20, 30), 1) for _ in range(2))
    spacing = [0.8, 0.5]
    spacing.insert(axis, 7.0)
    volumes = (np.expand_dims(m, axis) for m in (result, reference))
    (found,) = score("a", *volumes, tuple(spacing), ["one"])
    check(found, by_transform(result == 1, reference == 1, (0.8, 0.5)))


def test_a_structure_in_one_slice_of_a_volume_is_all_surface():
    generator = np.random.default_rng(7)
    result, reference = np.zeros((2, 5, 20, 30), int)
    result[2], reference[2] = (blobs(generator, (20, 30), 1) for _ in range(2))
    (found,) = score("a", result, reference, (6, 0.5, 0.5), ["one"])
    check(found, by_transform(result == 1, reference == 1, (6, 0.5, 0.5)))


def test_known_distances():
    result, reference = np.zeros((3, 9, 40), int), np.zeros((3, 9, 40), int)
    result[1, 4, 5] = reference[1, 4, 25] = 1
    (found,) = score("a", result, reference, (2.0, 1.0, 0.5), ["one"])
    assert (found.dice, found.hd95, found.surface_distance) == (0, 10, 10)
    assert (found.volume, found.reference_volume) == (0.001, 0.001)


def test_the_same_is_perfect_and_says_no_warning():
    labelmap = blobs(np.random.default_rng(5), (6, 8, 8), 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        scores = score("a", labelmap, labelmap, (1, 1, 1), ["one", "two"])
    assert [(s.case, s.structure, s.dice, s.hd95, s.surface_distance) for s in scores] == [
        ("a", "one", 1, 0, 0),
        ("a", "two", 1, 0, 0),
    ]
    assert scores[0].volume == pytest.approx(np.count_nonzero(labelmap == 1) / 1000)


def test_nothing_to_compare_is_not_a_number():
    empty = np.zeros((3, 4, 5), int)
    (found,) = score("a", empty, empty, (1, 1, 1), ["one"])
    assert math.isnan(found.dice)
    assert math.isnan(found.hd95)
    assert math.isnan(found.surface_distance)
    assert (found.volume, found.reference_volume) == (0, 0)
    assert score("a", empty, empty, (1, 1, 1), []) == []


@pytest.mark.parametrize("missed", [True, False])
def test_one_empty_side_costs_the_diagonal(missed):
    empty, painted = np.zeros((3, 4, 5), int), np.zeros((3, 4, 5), int)
    painted[1, 1, 1:3] = 1
    maps = (empty, painted) if missed else (painted, empty)
    (found,) = score("a", *maps, (4.0, 2.0, 1.0), ["one"])
    diagonal = math.sqrt(12**2 + 8**2 + 5**2)
    assert (found.dice, found.hd95, found.surface_distance) == (0, diagonal, diagonal)
    assert (found.volume, found.reference_volume) == ((0, 0.016) if missed else (0.016, 0))


def test_unlabelled_voxels_do_not_count():
    generator = np.random.default_rng(6)
    result, reference = (blobs(generator, (8, 12, 12), 2) for _ in range(2))
    unknown = generator.random(reference.shape) < 0.3
    scores = score("a", result, np.where(unknown, UNLABELLED, reference), (3, 1, 1), ["one", "two"])
    for value, found in enumerate(scores, start=1):
        check(found, by_transform((result == value) & ~unknown, (reference == value) & ~unknown, (3, 1, 1)))
    (nothing,) = score("a", result, np.full_like(reference, UNLABELLED), (1, 1, 1), ["one"])
    assert math.isnan(nothing.dice)


def test_other_values_are_background_and_inputs_stay():
    result = np.array([[[0, 1, 7], [9, 1, 2]]], dtype=np.uint8)
    reference = np.array([[[0, 1, -1], [7, 7, 2]]], dtype=np.int16)
    before = result.copy(), reference.copy()
    one, two = score("a", result, reference, (1, 1, 1), ["one", "two"])
    assert one.dice == pytest.approx(2 / 3, abs=1e-6)
    assert two.dice == 1
    np.testing.assert_array_equal(result, before[0])
    np.testing.assert_array_equal(reference, before[1])


@pytest.mark.parametrize("size", [(2, 3, 5), (3, 4)])
def test_shapes_must_fit(size):
    with pytest.raises(ValueError, match="volumes of one size"):
        score("a", np.zeros((2, 3, 4) if len(size) == 3 else size, int), np.zeros(size, int), (1, 1, 1), ["one"])


def made(case, structure, dice, hd95=1.0):
    return Score(case, structure, dice, hd95, hd95 / 2, 1.0, 1.0)


def test_summary_leaves_out_what_cannot_be_compared():
    nan = math.nan
    scores = [
        made("a", "one", 0.8, 2), made("a", "two", nan, nan),
        made("b", "one", 0.6, 4), made("b", "two", 0.3, 9),
        made("c", "one", nan, nan), made("c", "two", nan, nan),
    ]  # fmt: skip
    one, two, overall = summarise(scores)
    assert (one.structure, one.cases, one.worst, one.worst_case) == ("one", 2, 0.6, "b")
    assert (one.dice, one.hd95, one.surface_distance) == pytest.approx((0.7, 3, 1.5))
    assert one.dice_deviation == pytest.approx(np.std([0.8, 0.6], ddof=1))
    assert (two.cases, two.dice, two.hd95) == (1, 0.3, 9)
    assert math.isnan(two.dice_deviation)
    assert (overall.structure, overall.cases) == (MEAN, 2)
    assert (overall.dice, overall.hd95, overall.surface_distance) == pytest.approx((0.5, 6, 3))
    assert (overall.worst, overall.worst_case) == (pytest.approx(0.45), "b")


def test_summary_of_nothing():
    assert summarise([]) == []
    row, overall = summarise([made("a", "one", math.nan, math.nan)])
    assert (row.cases, row.worst_case, overall.cases, overall.worst_case) == (0, "", 0, "")
    assert all(math.isnan(v) for v in (row.dice, row.worst, row.hd95, overall.dice, overall.surface_distance))


def test_importing_is_light():
    files = ["metrics", "table", "pictures", "report", "pairing", "folders"]
    code = "import sys, mmgl.evaluation, " + ", ".join(f"mmgl.evaluation.{name}" for name in files)
    code += "; sys.exit(' '.join(m for m in ('torch', 'monai') if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
