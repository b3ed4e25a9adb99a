"""Resampling: the matrices against torch, nothing shifts, labels keep their shape."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmgl.imaging.grid import Grid
from mmgl.imaging.resampling import interpolation_matrix, resample, resample_labelmap


@pytest.mark.parametrize(("before", "after"), [(7, 7), (5, 12), (1, 4), (2, 3), (33, 100)])
def test_growing_is_what_torch_does_with_half_voxel_centres(before, after):
    line = torch.randn(1, 1, 1, before)
    theirs = F.interpolate(line, size=(1, after), mode="bilinear", align_corners=False)
    ours = interpolation_matrix(before, after) @ line[0, 0, 0].numpy()
    assert np.allclose(ours, theirs[0, 0, 0].numpy(), atol=1e-5)


@pytest.mark.parametrize(("before", "after"), [(12, 5), (4, 1), (100, 33), (216, 189), (512, 239), (5, 12)])
def test_a_constant_and_a_ramp_are_kept(before, after):
    matrix = interpolation_matrix(before, after).astype(np.float64)
    assert np.allclose(matrix.sum(1), 1, atol=1e-5)
    centres = (np.arange(after) + 0.5) * before / after - 0.5
    edge = int(np.ceil(after / before)) + 2
    assert np.allclose((matrix @ np.arange(before) - centres)[edge:-edge], 0, atol=1e-3)


def test_shrinking_is_the_average_of_the_interpolated_line():
    before, after = 37, 11
    line = np.random.default_rng(0).normal(size=before)
    ratio = before / after
    width = np.sqrt(ratio**2 - 1)
    fine = np.linspace(-0.5, 0.5, 20001)
    for i, value in enumerate(interpolation_matrix(before, after) @ line):
        places = (i + 0.5) * ratio - 0.5 + width * fine
        assert value == pytest.approx(np.interp(places, np.arange(before), line).mean(), abs=1e-3)


def test_detail_finer_than_the_new_voxels_does_not_alias():
    stripes = np.tile([1.0, -1.0], 50)
    assert np.abs(interpolation_matrix(100, 30) @ stripes).max() < 0.2


def test_three_axes_are_one_after_the_other():
    array = np.random.default_rng(0).normal(size=(2, 5, 6, 7)).astype(np.float32)
    theirs = F.interpolate(torch.from_numpy(array)[None], size=(8, 9, 14), mode="trilinear", align_corners=False)[0]
    assert np.allclose(resample(array, (8, 9, 14)), theirs.numpy(), atol=1e-5)


def test_the_same_size_changes_nothing():
    array = np.random.default_rng(0).normal(size=(1, 4, 5, 6)).astype(np.float32)
    assert np.array_equal(resample(array, (4, 5, 6)), array)


def test_a_linear_ramp_keeps_its_position_in_space():
    """Where nothing reaches the edge, the value at a position is the position, whatever the grid."""
    grid = Grid((12, 30, 20), (4.0, 0.7, 1.1), (10.0, -5.0, 3.0))
    smaller = grid.resized((20, 13, 31))
    positions = grid.position(np.moveaxis(np.indices(grid.size), 0, -1))[..., 1].astype(np.float32)
    wanted = smaller.position(np.moveaxis(np.indices(smaller.size), 0, -1))[..., 1]
    inside = (slice(None), slice(3, -3), slice(None))
    assert np.allclose(resample(positions, smaller.size)[inside], wanted[inside], atol=1e-3)


def ball(size, centre, radius, spacing=(1.0, 1.0, 1.0)):
    away = [(np.arange(n) - c) * s for n, c, s in zip(size, centre, spacing, strict=True)]
    z, y, x = np.meshgrid(*away, indexing="ij")
    return z**2 + y**2 + x**2 <= radius**2


@pytest.mark.parametrize("size", [(30, 30, 30), (91, 73, 67), (60, 110, 37)])
def test_labels_keep_volume_and_centre(size):
    labelmap = np.zeros((60, 60, 60), np.int16)
    labelmap[ball(labelmap.shape, (28.3, 31.1, 30.2), 22)] = 3
    labelmap[ball(labelmap.shape, (28.3, 31.1, 30.2), 12)] = 7
    moved = resample_labelmap(labelmap, size)
    factor = np.array(size) / 60
    for value in (3, 7):
        before, after = labelmap == value, moved == value
        assert after.sum() == pytest.approx(before.sum() * factor.prod(), rel=0.05)
        centre = (np.argwhere(after).mean(0) + 0.5) / factor - 0.5
        assert np.abs(centre - np.argwhere(before).mean(0)).max() < 0.1


def test_labels_agree_with_the_argmax_of_all_values_at_full_size():
    generator = np.random.default_rng(2)
    coarse = np.where(generator.random((4, 5, 6)) < 0.1, -2, generator.integers(0, 5, (4, 5, 6)))
    labelmap = np.kron(coarse, np.ones((4, 4, 4), int)).astype(np.int16)
    size = (11, 13, 17)
    values = [-2, 1, 2, 3, 4, 0]  # in the order in which they win ties
    coverage = np.stack([resample((labelmap == v).astype(np.float32), size) for v in values])
    expected = np.array(values)[coverage.argmax(0)]
    differ = resample_labelmap(labelmap, size) != expected
    best, second = np.sort(coverage, 0)[[-1, -2]]
    assert (best - second)[differ].max(initial=0) < 1e-6  # only where two values tie


def test_unlabelled_stays_unlabelled():
    labelmap = np.full((6, 6, 6), -1, np.int16)
    labelmap[:3] = 2
    moved = resample_labelmap(labelmap, (12, 6, 6))
    assert (moved[:6] == 2).all()
    assert (moved[6:] == -1).all()


def test_an_empty_labelmap_stays_empty():
    assert not resample_labelmap(np.zeros((4, 4, 4), np.int16), (8, 3, 5)).any()


def test_a_labelled_slice_among_unlabelled_ones_stays_whatever_the_new_spacing():
    labelmap = np.full((24, 8, 8), -1, np.int16)
    labelmap[::8] = 0
    labelmap[::8, 2:6, 2:6] = 1
    assert np.array_equal(resample_labelmap(labelmap, (24, 8, 8)), labelmap)
    for slices in (7, 10, 12, 17, 40, 60):
        found = resample_labelmap(labelmap, (slices, 8, 8))
        known = (found >= 0).any((1, 2))
        starts = np.count_nonzero(known & ~np.r_[False, known[:-1]])
        assert starts == 3, slices
        assert known.sum() <= 3 * -(-slices // 24)  # and does not spread over its neighbours
        assert ((found[known] == 1).mean((1, 2)) == 0.25).all()
