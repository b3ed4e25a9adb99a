"""Perturbations: their size, and that they come from the caller's generator only."""

import torch

from mmgl.networks.perturb import dropout, noisy


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_noise_has_its_deviation_and_is_cut_off():
    images = torch.zeros(2, 1, 200, 200)
    noise = noisy(images, generator())
    assert noise.abs().max() == torch.tensor(0.2)
    assert abs(float(noise.mean())) < 0.002
    assert 0.085 < float(noise.std()) < 0.1  # a little less than 0.1, because the tails are cut off
    assert 0.03 < float((noise.abs() == noise.abs().max()).float().mean()) < 0.06


def test_dropout_drops_half_and_keeps_the_mean():
    maps = torch.ones(4, 8, 50, 50, requires_grad=True)
    dropped = dropout(maps, generator())
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert abs(float(dropped.detach().mean()) - 1) < 0.02
    dropped.sum().backward()
    assert torch.equal(maps.grad, dropped.detach())


def test_whole_channels_are_dropped_for_each_slice_alone():
    dropped = dropout(torch.ones(40, 30, 4, 4), generator(), rate=0.25, whole_channels=True)
    assert torch.equal(dropped, dropped[:, :, :1, :1].expand_as(dropped))
    kept = dropped[:, :, 0, 0] > 0
    assert abs(float(kept.float().mean()) - 0.75) < 0.05
    assert not torch.equal(kept[0], kept[1])
    torch.testing.assert_close(dropped.max(), torch.tensor(1 / 0.75))


def test_a_rate_of_zero_drops_nothing():
    maps = torch.rand(2, 3, 4, 4)
    assert torch.equal(dropout(maps, generator(), rate=0.0), maps)


def test_only_the_generator_that_was_given_is_drawn_from():
    images, state = torch.rand(2, 3, 8, 8), torch.get_rng_state()
    assert torch.equal(noisy(images, generator(3)), noisy(images, generator(3)))
    assert torch.equal(dropout(images, generator(3)), dropout(images, generator(3)))
    assert not torch.equal(dropout(images, generator(3)), dropout(images, generator(4)))
    assert torch.equal(torch.get_rng_state(), state)
