"""Probabilities in a byte are as good as float32, and take a quarter of it."""

import numpy as np
import pytest
import torch

from mmgl.imaging.grid import Grid
from mmgl.inference import fused as fused_module
from mmgl.inference.fused import Fused
from mmgl.inference.own_grid import labelmap_on_own_grid


def votes(seed, outputs, size):
    """Probabilities of planes that agree on the whole, and not everywhere."""
    noise = []
    for each in (0, seed + 1):
        torch.manual_seed(each)
        noise.append(torch.randn(1, outputs, *(n + 8 for n in size)))
    smooth = torch.nn.functional.avg_pool3d(noise[0] + 0.5 * noise[1], 9, stride=1)[0]
    return (30 * smooth).softmax(0)


def filled(size, outputs, planes):
    fused = Fused(outputs, size, len(planes))
    for axis in planes:
        slices = votes(axis, outputs, size).movedim(1 + axis, 0)
        for start in range(0, len(slices), 7):
            fused.add(axis, start, fused.encoded(slices[start : start + 7]))
    return fused


@pytest.mark.parametrize("planes", [(0,), (0, 1, 2)])
def test_a_byte_moves_no_border(planes, monkeypatch):
    size, outputs = (20, 24, 22), 5
    exact = filled(size, outputs, planes)
    monkeypatch.setattr(fused_module, "EXACT", 0)
    coded = filled(size, outputs, planes)
    assert exact.exact
    assert not coded.exact
    wanted = torch.stack([votes(axis, outputs, size) for axis in planes]).mean(0)
    assert torch.allclose(exact.slab(0, 20), wanted, atol=1e-6)
    assert (coded.slab(0, 20) - wanted).abs().max() < (outputs - 1) * 0.5 * 3 / 255 + 1e-6
    first, second = (labelmap_on_own_grid(fused, Grid(size)) for fused in (exact, coded))
    highest, other = wanted.topk(2, dim=0).values.numpy()
    assert len(np.unique(first)) == outputs
    assert (first == second).mean() > 0.99
    assert (highest - other)[first != second].max() < 0.04


def test_memory_is_a_byte_a_voxel_and_structure(monkeypatch):
    monkeypatch.setattr(fused_module, "EXACT", 1000)
    fused = Fused(9, (10, 20, 30), 3)
    assert fused._sum.element_size() * fused._sum.nelement() == 8 * 10 * 20 * 30


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_what_is_put_comes_out_again(limit, monkeypatch):
    monkeypatch.setattr(fused_module, "EXACT", limit)
    fused = filled((6, 8, 10), 3, (0, 1, 2))
    other = votes(9, 3, (6, 8, 10)).movedim(2, 0)[2:4]
    fused.put(1, 2, other)
    assert (fused.slices(1, 2, 4) - other).abs().max() < 0.01


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_a_blend_is_the_weighted_mean(limit, monkeypatch):
    monkeypatch.setattr(fused_module, "EXACT", limit)
    first, second = Fused(3, (4, 5, 6), 1), Fused(3, (4, 5, 6), 1)
    for number, fused in enumerate((first, second)):
        fused.add(0, 0, fused.encoded(votes(number, 3, (4, 5, 6)).movedim(1, 0)))
    blended = Fused.blend([(0.75, first), (0.25, second)]).slab(0, 4)
    wanted = 0.75 * votes(0, 3, (4, 5, 6)) + 0.25 * votes(1, 3, (4, 5, 6))
    assert (blended - wanted).abs().max() < 0.02
