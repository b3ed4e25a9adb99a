"""Muon: hidden convolutions go where their orthogonalised momentum points, everything else goes as with AdamW."""

import copy
import dataclasses

import pytest
import torch
from test_slices import PLAN

from mmgl.methods import build_method
from mmgl.networks.unet import UNet
from mmgl.training.muon import Muon, is_hidden_convolution, orthogonalised
from mmgl.training.optimiser import optimiser_of
from mmgl.training.run import flatten_optimiser, restore_optimiser

RATE, DECAY = 2e-3, 1e-2


def newton_schulz(matrix):
    """The five steps as they are written: on the matrix itself."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / wide.norm()
    for _ in range(5):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


@pytest.mark.parametrize("shape", [(16, 144), (64, 64), (288, 32)])
def test_all_directions_count_alike(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * torch.logspace(0, -1, shape[1])
    found = orthogonalised(matrix)
    assert torch.allclose(found, newton_schulz(matrix), atol=1e-3)
    u, before, v = torch.linalg.svd(matrix, full_matrices=False)
    values = (u.T @ found @ v.T).diagonal()[before > 0.01 * before[0]]
    assert values.min() > 0.6
    assert values.max() < 1.25


def test_nothing_comes_of_no_gradient():
    assert not orthogonalised(torch.zeros(16, 32)).any()


def network():
    torch.manual_seed(0)
    return UNet(1, 3, 16, 3)


def trained(net, optimiser, steps, first=0):
    for step in range(first, first + steps):
        images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        torch.stack([scale.square().mean() for scale in net.deep_logits(images)]).sum().backward()
        optimiser.step()


def test_hidden_convolutions_are_those_between_many_maps():
    hidden = {name for name, p in network().named_parameters() if is_hidden_convolution(p)}
    assert "encoder.0.3.weight" in hidden
    assert "up.0.weight" in hidden
    assert not {"encoder.0.0.weight", "encoder.0.1.weight", "classifiers.0.weight"} & hidden


def test_two_steps_are_the_equation():
    ours, theirs = network(), network()
    optimiser = Muon(ours.parameters(), lr=RATE, weight_decay=DECAY)
    adam = torch.optim.AdamW(theirs.parameters(), lr=RATE, weight_decay=DECAY)
    expected = {n: p.detach().clone() for n, p in ours.named_parameters() if is_hidden_convolution(p)}
    momentum = {name: torch.zeros_like(value) for name, value in expected.items()}
    for step in range(2):
        theirs.load_state_dict(ours.state_dict())
        images = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(step))
        for net in (ours, theirs):
            net.zero_grad()
            net(images).square().mean().backward()
        for name, parameter in theirs.named_parameters():
            if name in expected and parameter.grad is not None:
                momentum[name] = 0.95 * momentum[name] + 0.05 * parameter.grad
                direction = newton_schulz((0.95 * momentum[name] + 0.05 * parameter.grad).flatten(1))
                size = 0.8 * RATE * max(direction.shape) ** 0.5
                expected[name] = (1 - RATE * DECAY) * expected[name] - size * direction.view_as(parameter)
        optimiser.step()
        adam.step()
    after = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert torch.allclose(parameter, expected.get(name, after[name]), atol=1e-4), name


def test_it_goes_on_from_its_saved_state_as_if_never_stopped():
    whole, first, second = network(), network(), network()
    trained(whole, Muon(whole.parameters(), lr=RATE), 4)
    optimiser = Muon(first.parameters(), lr=RATE)
    trained(first, optimiser, 2)
    saved = copy.deepcopy(flatten_optimiser(optimiser))
    second.load_state_dict(first.state_dict())
    going_on = Muon(second.parameters(), lr=RATE)
    restore_optimiser(going_on, saved)
    trained(second, going_on, 2, first=2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))


def test_published_learning_rates_are_those_of_adam():
    for published, kind in ((False, Muon), (True, torch.optim.AdamW)):
        plan = dataclasses.replace(PLAN, published=published, normalisation=PLAN.normalisation * 3)
        assert type(optimiser_of(build_method("supervised", plan, 1).stages[0])) is kind
