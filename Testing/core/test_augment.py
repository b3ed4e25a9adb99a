"""Augmentation: batched equals one by one, nothing random is left in apply, labels follow their image."""

from dataclasses import fields, replace

import pytest
import torch

from mmgl.data.augment import apply_intensity, apply_spatial, sample_intensity, sample_spatial


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(7)


def row(parameters, i):
    return replace(parameters, **{f.name: getattr(parameters, f.name)[i : i + 1] for f in fields(parameters)})


def test_spatial_batched_equals_one_by_one(generator):
    images, labels = torch.randn(12, 2, 40, 40), torch.randint(0, 4, (12, 40, 40))
    spatial = sample_spatial(12, 0.8, generator, mirror=True)
    together = apply_spatial(images, labels, spatial, 32)
    for i in range(12):
        alone = apply_spatial(images[i : i + 1], labels[i : i + 1], row(spatial, i), 32)
        assert torch.allclose(together[0][i], alone[0][0], atol=1e-5)
        assert torch.equal(together[1][i], alone[1][0])


def test_intensity_batched_equals_one_by_one(generator):
    images = torch.randn(16, 2, 20, 20)
    intensity = sample_intensity(16, generator)
    together = apply_intensity(images, intensity)
    assert torch.equal(together, apply_intensity(images, intensity))
    for i in range(16):
        assert torch.allclose(together[i], apply_intensity(images[i : i + 1], row(intensity, i))[0], atol=1e-5)


def test_strength_zero_is_a_cut_from_the_middle(generator):
    images, labels = torch.randn(3, 1, 40, 40), torch.randint(0, 4, (3, 40, 40))
    moved, y = apply_spatial(images, labels, sample_spatial(3, 0.8, generator, strength=0.0), 32)
    assert torch.allclose(moved, images[..., 4:36, 4:36], atol=1e-5)
    assert torch.equal(y, labels[:, 4:36, 4:36])
    assert torch.allclose(apply_intensity(images, sample_intensity(3, generator, strength=0.0)), images, atol=1e-5)


def test_labels_follow_the_image(generator):
    """A smooth image that is its own label: after any deformation the two still agree."""
    y, x = torch.meshgrid(torch.arange(60.0), torch.arange(60.0), indexing="ij")
    labels = (((y - 28) ** 2 + (x - 33) ** 2).sqrt() < 14).long().expand(20, -1, -1)
    moved, after = apply_spatial(labels[:, None].float(), labels, sample_spatial(20, 0.8, generator), 48)
    inside = after >= 0
    assert ((moved[:, 0] > 0.5).long() == after)[inside].float().mean() > 0.99


def test_beyond_the_window_is_unlabelled(generator):
    spatial = sample_spatial(8, 1.5, generator)
    _, labels = apply_spatial(torch.zeros(8, 1, 32, 32), torch.ones(8, 32, 32, dtype=torch.long), spatial, 32)
    assert (labels == -1).any()
    assert set(labels.unique().tolist()) == {-1, 1}


def test_only_pictures_are_mirrored(generator):
    unmirrored = sample_spatial(500, 0.8, generator).theta[:, :, :2]
    assert (torch.linalg.det(unmirrored) > 0).all()
    mirrored = sample_spatial(500, 0.8, generator, mirror=True).theta[:, :, :2]
    assert 0.4 < (torch.linalg.det(mirrored) < 0).float().mean() < 0.6


def test_the_same_seed_draws_the_same():
    first, second = (sample_spatial(5, 0.8, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first.theta, second.theta)
    assert torch.equal(first.elastic, second.elastic)
