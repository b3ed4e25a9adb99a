"""Largest piece, holes, and finer grids."""

import numpy as np
import pytest
from models import STRUCTURES

from mmgl.imaging.grid import Grid
from mmgl.inference.finer import MOST, finer
from mmgl.inference.tidy import tidy


def ball(size, middle, radius, spacing=(1.0, 1.0, 1.0)):
    away = (np.moveaxis(np.indices(size), 0, -1) - middle) * spacing
    return (away**2).sum(-1) <= radius**2


def test_only_what_is_asked_for_is_changed():
    labelmap = np.zeros((20, 20, 20), np.uint8)
    labelmap[ball(labelmap.shape, (7, 7, 7), 5)] = 1
    labelmap[15, 15, 15:17] = 1
    labelmap[2, 2, 2] = 2
    labelmap[18, 18, 18] = 2
    before = labelmap.copy()
    assert tidy(labelmap, STRUCTURES, (), ()) == []
    assert np.array_equal(labelmap, before)
    (finding,) = tidy(labelmap, STRUCTURES, ("Shell",), ())
    assert finding.parameters == {"structure": "Shell", "pieces": 1, "voxels": 2}
    assert "1 smaller piece " in finding.words
    assert not labelmap[15, 15, 15:17].any()
    assert np.array_equal(labelmap == 2, before == 2)
    assert tidy(labelmap, STRUCTURES, ("Shell",), ()) == []


def test_holes_are_filled_but_not_those_with_another_structure():
    labelmap = np.zeros((20, 20, 20), np.uint8)
    labelmap[ball(labelmap.shape, (10, 10, 10), 8)] = 1
    labelmap[10, 10, 10] = 0
    labelmap[6:8, 10, 10] = 0
    labelmap[7, 10, 10] = 2  # a hole in which another structure lies
    labelmap[10, 10, 14:20] = 0  # open to the outside
    (finding,) = tidy(labelmap, STRUCTURES, (), ("Shell",))
    assert finding.parameters["voxels"] == 1
    assert labelmap[10, 10, 10] == 1
    assert labelmap[6, 10, 10] == 0
    assert labelmap[7, 10, 10] == 2
    assert not labelmap[10, 10, 14:20].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_are_filled_one_by_one(axis):
    labelmap = np.zeros((9, 9, 9), np.uint8)
    inside = np.moveaxis(labelmap, axis, 0)
    inside[:, 2:7, 2:7] = 1
    inside[:, 4, 4] = 0  # a tunnel through all slices: no hole in space
    assert tidy(labelmap.copy(), STRUCTURES, (), ("Shell",)) == []
    tidy(labelmap, STRUCTURES, (), ("Shell",), thick=axis)
    assert inside[:, 4, 4].all()


def test_a_single_slice_is_closed_in_by_itself():
    labelmap = np.zeros((1, 9, 9), np.uint8)
    labelmap[0, 2:7, 2:7] = 1
    labelmap[0, 4, 4] = 0
    assert len(tidy(labelmap, STRUCTURES, (), ("Shell",))) == 1
    assert labelmap[0, 4, 4] == 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_finer_grid_keeps_the_slices_and_is_nearer_to_the_truth(axis):
    spacing, size = [1.0, 1.0, 1.0], [60, 60, 60]
    spacing[axis], size[axis] = 5.0, 12
    grid = Grid(tuple(size), tuple(spacing), (3.0, -4.0, 5.0))
    middle = (np.array(size) - 1) / 2 + 0.2
    labelmap = ball(size, middle, 22, spacing).astype(np.uint8) + ball(size, middle, 12, spacing)
    result, thin = finer(labelmap, grid)
    assert thin.size[axis] == 60
    assert np.allclose(thin.spacing, 1.0)
    assert np.allclose(thin.extent, grid.extent)
    assert np.array_equal(np.moveaxis(result, axis, 0)[2::5], np.moveaxis(labelmap, axis, 0))
    place = np.moveaxis(np.indices(thin.size), 0, -1)
    away = np.linalg.norm(thin.position(place) - grid.position(middle), axis=-1)
    truth = (away <= 22).astype(np.uint8) + (away <= 12)
    steps = np.repeat(labelmap, 5, axis)
    for value in (1, 2):
        wrong, wrong_steps = (((m >= value) != (truth >= value)).sum() for m in (result, steps))
        assert wrong < 0.5 * wrong_steps


def test_cubes_and_single_slices_stay_as_they_are():
    for size, spacing in (((4, 5, 6), (1.2, 1.0, 1.0)), ((1, 5, 6), (8.0, 1.0, 1.0))):
        labelmap, grid = np.ones(size, np.uint8), Grid(size, spacing)
        result, same = finer(labelmap, grid)
        assert result is labelmap
        assert same is grid


def test_a_finer_grid_has_limits():
    grid = Grid((3, 8, 8), (100.0, 0.5, 0.5))
    assert finer(np.zeros(grid.size, np.uint8), grid)[1].size[0] == 3 * MOST
