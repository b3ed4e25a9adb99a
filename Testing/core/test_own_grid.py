"""Geometry from end to end: a network that knows the label must give it back, whatever the scan's grid is."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmgl.data.plan import Normalisation, Plan
from mmgl.data.prepare import prepare_labelmap, prepare_scan
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.inference import own_grid
from mmgl.inference.own_grid import labelmap_on_own_grid
from mmgl.inference.planes import fused_probabilities

AXES = {
    "LPS": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "RAS": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "LAS (left-handed)": [[1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "sagittal acquisition": [[0, -1, 0], [0, 0, 1], [-1, 0, 0]],
    "oblique 37 degrees": None,
}


def directions(name):
    if AXES[name] is not None:
        return tuple(tuple(float(v) for v in row) for row in AXES[name])
    a, b = math.radians(37), math.radians(12)
    one = np.array([[math.cos(a), -math.sin(a), 0], [math.sin(a), math.cos(a), 0], [0, 0, 1]])
    two = np.array([[1, 0, 0], [0, math.cos(b), -math.sin(b)], [0, math.sin(b), math.cos(b)]])
    return tuple(tuple(row) for row in (one @ two).tolist())


def labelmap_of(grid):
    """Three balls in mm, one inside another, off centre; each at least a slice or two."""
    index = np.moveaxis(np.indices(grid.size), 0, -1) * np.array(grid.spacing)
    middle = (np.array(grid.size) - 1) * np.array(grid.spacing) / 2
    labelmap = np.zeros(grid.size, np.uint8)
    for value, shift, radius in ((1, (0, 3, -4), 17.0), (2, (0, 4, -3), 9.0), (3, (0, -22, 20), 8.0)):
        away = index - middle - np.array(shift)
        labelmap[(away**2).sum(-1) <= radius**2] = value
    return labelmap


def oracle_scan(labelmap, grid):
    """A scan whose channels say what the label is, so that a network can know it from the prepared slices alone."""
    return Scan(np.stack([(labelmap == v).astype(np.float32) for v in range(4)]), grid, "MR")


def segment(scan, plan, sharpness=50.0):
    image = torch.from_numpy(prepare_scan(scan, plan))
    probabilities = fused_probabilities(lambda slices: slices * sharpness, image, plan)
    return labelmap_on_own_grid(probabilities, scan.grid)


NOTHING = Normalisation("fixed", 0.0, 1.0, 0.0, 1.0)
GRIDS = {
    "cubes": ((56, 60, 64), (1.0, 1.0, 1.0)),
    "thick slices": ((9, 150, 160), (8.0, 0.4, 0.4)),
    "one slice": ((1, 90, 80), (5.0, 0.9, 0.9)),
    "two slices": ((2, 90, 80), (5.0, 0.9, 0.9)),
}


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("planes", [("axial",), ("axial", "coronal", "sagittal")])
def test_voxel_for_voxel_where_the_spacing_is_the_scans(axes, grid, planes):
    size, spacing = GRIDS[grid]
    own = Grid(size, spacing, (12.5, -40.0, 7.25), directions(axes))
    canonical = own.reorientation().apply_to_grid(own)
    plan = Plan(canonical.spacing, planes, 64, (NOTHING,) * 4)
    labelmap = labelmap_of(own)
    assert np.array_equal(segment(oracle_scan(labelmap, own), plan), labelmap)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize(("grid", "spacing"), [("cubes", 1.31), ("cubes", 0.77), ("thick slices", 0.63)])
def test_no_shift_where_the_spacing_is_another(axes, grid, spacing):
    size, own_spacing = GRIDS[grid]
    own = Grid(size, own_spacing, (12.5, -40.0, 7.25), directions(axes))
    canonical = own.reorientation().apply_to_grid(own).spacing
    plan = Plan(tuple(None if s > 5 else spacing for s in canonical), ("axial",), 64, (NOTHING,) * 4)
    index = np.moveaxis(np.indices(own.size), 0, -1) * np.array(own.spacing)
    shifts = []
    for place in np.random.default_rng(0).uniform(-2, 2, (8, 3)):
        away = ((index - np.array(own.extent) / 2 - place) ** 2).sum(-1)
        labelmap = (away <= 24.0**2).astype(np.uint8) + (away <= 16.0**2)
        # the oracle knows the label on the plan's grid, as a perfect network would
        hard = prepare_labelmap(labelmap, oracle_scan(labelmap, own), plan)
        probabilities = torch.from_numpy(np.stack([(hard == v).astype(np.float32) for v in range(4)]))
        result = labelmap_on_own_grid(probabilities, own)
        for value in (1, 2):
            a, b = result >= value, labelmap >= value
            assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.98
            shifts.append(np.argwhere(a).mean(0) - np.argwhere(b).mean(0))
    # the plan's grid rounds each ball its own way, so one may be off by a little more; all together are not
    assert np.abs(shifts).max() <= 0.2
    assert np.abs(np.mean(shifts, axis=0)).max() <= 0.1


def test_slabs_give_what_the_whole_gives(monkeypatch):
    grid = Grid((30, 40, 50), (1.5, 1.0, 1.0))
    probabilities = torch.rand(5, 17, 23, 29).softmax(0)
    whole = labelmap_on_own_grid(probabilities, grid)
    monkeypatch.setattr(own_grid, "SLAB", 5 * 40 * 50 * 4)
    assert np.array_equal(labelmap_on_own_grid(probabilities, grid), whole)


def test_slabs_are_the_argmax_of_the_enlarged_probabilities():
    grid = Grid((30, 40, 50))
    probabilities = torch.rand(5, 17, 23, 29)
    enlarged = torch.nn.functional.interpolate(probabilities[None], size=grid.size, mode="trilinear")[0]
    agree = labelmap_on_own_grid(probabilities, grid) == enlarged.argmax(0).numpy()
    assert agree.mean() > 0.9999


def test_never_more_than_a_slab_is_enlarged_at_once():
    """4 structures on 512 x 512 x 300 take 246 MB beyond their maps, 75 of which are the labelmap (export.py)."""

    class Largest(TorchDispatchMode):
        found = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            made = function(*args, **(kwargs or {}))
            for one in made if isinstance(made, (tuple, list)) else [made]:
                if isinstance(one, torch.Tensor):
                    self.found = max(self.found, one.numel())
            return made

    size = (24, 512, 512)
    with Largest() as largest:
        labelmap = labelmap_on_own_grid(torch.rand(5, 16, 239, 239), Grid(size, (1.0, 0.7, 0.7)))
    assert labelmap.shape == size
    assert 5 * 512 * 512 < largest.found <= own_grid.SLAB < 5 * math.prod(size) / 3


def test_more_than_255_structures():
    probabilities = torch.zeros(400, 2, 3, 3)
    probabilities[399] = 1
    labelmap = labelmap_on_own_grid(probabilities, Grid((2, 3, 3)))
    assert labelmap.dtype == np.uint16
    assert (labelmap == 399).all()


def test_pictures_of_any_size_come_back_at_their_own_size():
    plan = Plan((None, None, None), ("axial",), 64, (NOTHING,) * 4, pictures=True)
    for size in ((1, 64, 64), (1, 200, 130), (1, 31, 47)):
        own = Grid(size)
        labelmap = np.zeros(size, np.uint8)
        labelmap[:, size[1] // 4 : size[1] // 2, size[2] // 4 : size[2] // 2] = 1
        result = segment(oracle_scan(labelmap, own), plan)
        assert result.shape == size
        assert 2 * (result & labelmap).sum() / (result.sum() + labelmap.sum()) > 0.9


def test_three_planes_are_averaged():
    """Each plane sees only one axis of a pattern; the mean over planes is the mean of what each would say alone."""
    plan = Plan((1.0, 1.0, 1.0), ("axial", "coronal", "sagittal"), 32, (NOTHING,))
    image = torch.rand(1, 6, 7, 8)

    def network(slices):  # a network whose answer depends on the plane it sees
        return torch.cat([slices.cumsum(2), slices.cumsum(3)], 1)

    fused = fused_probabilities(network, image, plan, stride=1)
    alone = [fused_probabilities(network, image, replace(plan, planes=(p,)), stride=1) for p in plan.planes]
    assert torch.allclose(fused, torch.stack(alone).mean(0), atol=1e-6)
