"""Grids: where voxels are, and turning arrays without losing track of it."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgl.imaging.grid import Grid


def rotation(degrees: float, axis: int) -> np.ndarray:
    """The rotation about one world axis."""
    angle = np.deg2rad(degrees)
    matrix = np.eye(3)
    first, second = (i for i in range(3) if i != axis)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def grid_with(matrix: np.ndarray, size: tuple[int, int, int] = (3, 4, 5)) -> Grid:
    """A grid whose axes all differ in size and spacing."""
    return Grid(size, (2.0, 0.5, 0.7), (-30.0, 12.5, 7.0), tuple(tuple(float(v) for v in row) for row in matrix))


TURNED = [
    np.eye(3)[:, list(order)] * np.array(signs)
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]
OBLIQUE = [rotation(37, 0), rotation(-37, 1) @ rotation(20, 2), rotation(37, 2) @ TURNED[17]]


def corners(grid: Grid) -> np.ndarray:
    """The indices of the eight corner voxels."""
    return np.array(list(product(*((0, n - 1) for n in grid.size))))


def test_position_adds_spacing_along_the_directions() -> None:
    grid = Grid((4, 5, 6), (2.0, 3.0, 4.0), (10.0, 20.0, 30.0))
    assert grid.position((1, 1, 1)).tolist() == [12.0, 23.0, 34.0]
    swapped = Grid((4, 5, 6), (2.0, 3.0, 4.0), (0.0, 0.0, 0.0), ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)))
    assert swapped.position((1, 0, 0)).tolist() == [0.0, 0.0, 2.0]
    assert grid.extent == (8.0, 15.0, 24.0)


@given(st.integers(0, 47), st.floats(-90, 90), st.tuples(*[st.floats(-500, 500)] * 3))
@settings(max_examples=40, deadline=None)
def test_index_is_the_inverse_of_position(turn: int, degrees: float, index: tuple[float, float, float]) -> None:
    grid = grid_with(rotation(degrees, turn % 3) @ TURNED[turn])
    assert np.allclose(grid.index(grid.position(index)), index, atol=1e-6)


@pytest.mark.parametrize("matrix", TURNED + OBLIQUE)
def test_reorientation_keeps_every_voxel_in_its_place(matrix: np.ndarray) -> None:
    grid = grid_with(matrix)
    turn = grid.reorientation()
    array = np.arange(2 * 60).reshape(2, *grid.size)
    moved, canonical = turn.apply(array), turn.apply_to_grid(grid)
    assert moved.shape[1:] == canonical.size
    assert np.array_equal(turn.undo(moved), array)
    for index in corners(canonical):
        there = np.rint(grid.index(canonical.position(index))).astype(int)
        assert np.allclose(grid.position(there), canonical.position(index), atol=1e-9)
        assert moved[1][tuple(index)] == array[1][tuple(there)]


@pytest.mark.parametrize("matrix", TURNED)
def test_the_canonical_orientation_has_no_turn_left(matrix: np.ndarray) -> None:
    grid = grid_with(matrix)
    canonical = grid.reorientation().apply_to_grid(grid)
    assert np.array_equal(canonical.matrix, np.eye(3))
    assert canonical.reorientation().axes == (0, 1, 2)
    assert not any(canonical.reorientation().flips)


@pytest.mark.parametrize("matrix", OBLIQUE)
def test_oblique_axes_end_nearest_to_their_own_world_axis(matrix: np.ndarray) -> None:
    grid = grid_with(matrix)
    assert (np.diag(grid.reorientation().apply_to_grid(grid).matrix) > 0.7).all()


@pytest.mark.parametrize("size", [(1, 1, 1), (6, 4, 10), (2, 9, 3)])
def test_resized_covers_the_same_part_of_space(size: tuple[int, int, int]) -> None:
    grid = grid_with(OBLIQUE[1])
    other = grid.resized(size)
    assert other.size == size
    assert np.allclose(other.extent, grid.extent)
    for edge in ((0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (1.0, 0.0, 1.0)):
        places = [g.position(np.multiply(edge, g.size) - 0.5) for g in (grid, other)]
        assert np.allclose(*places)


def test_same_as_tells_apart_what_matters() -> None:
    grid = grid_with(OBLIQUE[0])
    assert grid.same_as(grid_with(OBLIQUE[0]))
    assert not grid.same_as(grid_with(OBLIQUE[0], size=(3, 4, 6)))
    assert not grid.same_as(grid_with(OBLIQUE[1]))
    assert not grid.same_as(Grid(grid.size, (2.0, 0.51, 0.7), grid.origin, grid.directions))
    z, y, x = grid.origin
    assert grid.same_as(Grid(grid.size, grid.spacing, (z, y, x + 1e-5), grid.directions))
    assert not grid.same_as(Grid(grid.size, grid.spacing, (z, y, x + 0.1), grid.directions))
    assert grid.same_as(Grid(grid.size, grid.spacing, (z, y, x + 0.1), grid.directions), tolerance=0.5)


def test_right_angles() -> None:
    assert grid_with(OBLIQUE[2]).is_orthogonal()
    sheared = np.eye(3)
    sheared[:, 2] = (0.0, 0.1, np.sqrt(1 - 0.01))
    assert not grid_with(sheared).is_orthogonal()
    assert not grid_with(np.full((3, 3), np.nan)).is_orthogonal()
