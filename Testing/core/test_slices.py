"""Drawn slices: planes in equal share, windows that really show what they say, reproducible."""

import numpy as np
import pytest
import torch

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Normalisation, Plan
from mmgl.data.slices import SliceSampler

PLAN = Plan((1.0, 1.0, 1.0), ("axial", "coronal", "sagittal"), 16, (Normalisation("scan"),))


def prepared(folder, name, size, painted=None, unlabelled_half=False):
    """A case whose image says where each voxel is: z + 100 y + 10000 x, in units that float16 holds."""
    z, y, x = np.indices(size)
    np.save(folder / f"{name}.image.npy", np.stack([z, y, x]).astype(np.float16))
    file = None
    if painted is not None:
        labelmap = np.zeros(size, np.int16)
        labelmap[painted] = 1
        if unlabelled_half:
            labelmap[size[0] // 2 :] = -1
        file = folder / f"{name}.labelmap.npy"
        np.save(file, labelmap)
    return PreparedCase(name, name, folder / f"{name}.image.npy", file, (1.0, 1.0, 1.0))


@pytest.fixture
def cases(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    return [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]


def sampler(cases, seed=0):
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(seed))


def test_every_plane_has_an_equal_share(cases):
    planes = sampler(cases).draw(600).planes
    assert all(150 < count < 250 for count in torch.bincount(planes, minlength=3))


def test_windows_show_the_slice_they_say(cases):
    drawn = sampler(cases).draw(60)
    for image, plane, position, number in zip(drawn.images, drawn.planes, drawn.positions, drawn.cases, strict=True):
        depth = cases[int(number)].image.shape[1 + int(plane)]
        assert (image[int(plane)] == round(float(position) * depth) - 1).all()


def test_positions_run_to_one_whatever_the_number_of_slices(cases):
    positions = sampler(cases).draw(2000).positions
    assert positions.max() == 1
    assert positions.min() > 0


def test_painted_slices_show_something_painted(cases):
    drawn = sampler(cases).draw_labelled(80, painted=1.0)
    assert (drawn.cases == 0).all()
    assert (drawn.labels == 1).flatten(1).any(1).all()


def test_a_share_of_labelled_slices_is_drawn_anywhere(cases):
    drawn = sampler(cases).draw_labelled(400, painted=0.5)
    share = (drawn.labels == 1).flatten(1).any(1).float().mean()
    assert 0.5 < share < 0.9


def test_unlabelled_slices_come_from_cases_without_a_label(cases):
    drawn = sampler(cases).draw_unlabelled(50)
    assert (drawn.cases == 1).all()
    assert (drawn.labels == -1).all()


def test_outside_the_scan_is_unlabelled_and_continues_the_edge(cases):
    drawn = sampler(cases[:1]).draw_labelled(50, painted=0.0)
    coronal = drawn.planes == 1
    window, label = drawn.images[coronal][0], drawn.labels[coronal][0]
    assert (label == -1).any()
    assert set(window[0].unique().tolist()) == set(range(12))  # z has 12 voxels in a window of 20
    assert ((label >= 0).any(1).sum()) == 12


def test_partly_labelled_slices(tmp_path):
    case = prepared(tmp_path, "half", (12, 30, 40), (slice(2, 4), slice(10, 15), slice(20, 26)), unlabelled_half=True)
    drawn = sampler([case]).draw_labelled(200, painted=0.0)
    axial = drawn.planes == 0
    assert (drawn.positions[axial] <= 0.5).all()  # wholly unlabelled slices are not drawn as labelled ones


def test_the_same_seed_draws_the_same(cases):
    first, second = sampler(cases, 3).draw(20), sampler(cases, 3).draw(20)
    assert torch.equal(first.images, second.images)
    assert not torch.equal(first.images, sampler(cases, 4).draw(20).images)
