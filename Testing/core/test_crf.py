"""The dense CRF against one written out pixel by pixel, and what it is for."""

import dataclasses
import math

import pytest
import torch

from mmgl.inference.crf import Crf, refine

DENSE = Crf(window=100)


def literal_kernels(image, spacing, crf):
    """Return both kernels (pixels, pixels) of an image (C, H, W), with ones on the diagonal."""
    _, height, width = image.shape
    pixels = [(y, x) for y in range(height) for x in range(width)]
    appearance, smoothness = torch.zeros(2, len(pixels), len(pixels), dtype=torch.float64)
    where = torch.tensor(pixels, dtype=torch.float64) * torch.tensor(spacing, dtype=torch.float64)
    values = image.double().flatten(1).T
    inside = torch.tensor(pixels)
    for i in range(len(pixels)):
        away = ((where - where[i]) ** 2).sum(1)
        unlike = ((values - values[i]) ** 2).sum(1)
        counted = (inside - inside[i]).abs().amax(1) <= crf.window
        appearance[i] = counted * torch.exp(-away / (2 * crf.appearance_mm**2) - unlike / (2 * crf.intensity**2))
        smoothness[i] = counted * torch.exp(-away / (2 * crf.smoothness_mm**2))
    return appearance, smoothness


def literal_refine(probability, image, spacing, crf):
    """Mean field of Krahenbuhl and Koltun 2011 on a whole kernel matrix, for one slice (K + 1, H, W)."""
    kernel = torch.zeros(image[0].numel(), image[0].numel(), dtype=torch.float64)
    weights = (crf.appearance, crf.smoothness)
    for weight, part in zip(weights, literal_kernels(image, spacing, crf), strict=True):
        sums = part.sum(1) if crf.normalised else torch.ones(len(part), dtype=torch.float64)
        kernel += weight * part / (sums[:, None] * sums[None]).sqrt()
    kernel.fill_diagonal_(0)
    unary = -probability.double().flatten(1).log()
    q = torch.softmax(-unary, 0)
    for _ in range(crf.iterations):
        message = torch.zeros_like(q)
        for label in range(len(q)):
            for other in range(len(q)):
                if other != label:
                    message[label] += kernel @ q[other]
        new = torch.softmax(-unary - message, 0)
        change = (new - q).abs().max()
        q = new
        if change < crf.tolerance:
            break
    return q.reshape(probability.shape).float()


def noisy_slice(seed, size=(24, 24), outputs=3, channels=1):
    generator = torch.Generator().manual_seed(seed)
    image = torch.zeros(channels, *size)
    image[:, 6:16, 5:14] = 1.0
    image[:, 10:14, 8:12] = -1.0
    image = image + 0.1 * torch.randn(image.shape, generator=generator)
    probability = torch.randn(outputs, *size, generator=generator).softmax(0)
    return probability, image


@pytest.mark.parametrize(
    ("crf", "outputs", "channels"),
    [
        (DENSE, 3, 1),
        (DENSE, 5, 3),
        (Crf(), 2, 1),
        (dataclasses.replace(DENSE, normalised=False, appearance=0.05, smoothness=0.3, intensity=0.5), 3, 1),
        (dataclasses.replace(DENSE, appearance=0.0), 3, 1),
    ],
)
def test_it_is_the_dense_crf_written_out(crf, outputs, channels):
    probability, image = noisy_slice(1, outputs=outputs, channels=channels)
    spacing = (1.5, 2.5)
    expected = literal_refine(probability, image, spacing, crf)
    found = refine(probability[None], image[None], spacing, crf)[0]
    assert torch.allclose(found, expected, atol=2e-4)
    assert not torch.allclose(found, probability, atol=0.05)


def test_without_weights_the_probabilities_stay():
    probability, image = noisy_slice(2)
    found = refine(probability[None], image[None], (1.0, 1.0), Crf(appearance=0, smoothness=0))[0]
    assert torch.allclose(found, probability, atol=1e-5)
    assert torch.equal(found.argmax(0), probability.argmax(0))


def test_an_isolated_pixel_in_a_homogeneous_region_is_removed():
    probability = torch.full((1, 2, 24, 24), 0.1)
    probability[:, 0] = 0.9
    probability[0, :, 12, 12] = torch.tensor([0.1, 0.9])
    found = refine(probability, torch.zeros(1, 1, 24, 24), (1.0, 1.0))
    assert probability.argmax(1).sum() == 1
    assert found.argmax(1).sum() == 0


def test_edges_of_the_image_become_edges_of_the_structure():
    image = torch.zeros(1, 1, 24, 24)
    image[..., 12:] = 1.0
    probability = torch.full((1, 2, 24, 24), 0.2)
    probability[:, 0, :, :10] = probability[:, 1, :, 10:] = 0.8  # two columns too wide
    probability[:, :, :, 10:12] = torch.tensor([0.45, 0.55])[None, :, None, None]
    found = refine(probability, image, (1.0, 1.0)).argmax(1)
    assert torch.equal(found, (image[:, 0] > 0.5).long())


def test_millimetres_count_and_not_pixels():
    probability, image = noisy_slice(3)
    crf = dataclasses.replace(DENSE, appearance_mm=6.0)
    doubled = dataclasses.replace(crf, appearance_mm=12.0, smoothness_mm=2 * crf.smoothness_mm)
    one = refine(probability[None], image[None], (1.0, 2.0), crf)
    assert torch.allclose(refine(probability[None], image[None], (2.0, 4.0), doubled), one, atol=1e-5)
    assert not torch.allclose(refine(probability[None], image[None], (2.0, 4.0), crf), one, atol=0.01)


def test_slices_together_come_out_as_alone(monkeypatch):
    pairs = [noisy_slice(seed) for seed in range(4)]
    probabilities, images = (torch.stack(x) for x in zip(*pairs, strict=True))
    probabilities[2] = torch.tensor([0.8, 0.1, 0.1])[:, None, None]  # done before the others
    crf = Crf(tolerance=0.2)
    alone = torch.cat([refine(p[None], i[None], (1.0, 1.0), crf) for p, i in zip(probabilities, images, strict=True)])
    assert torch.allclose(refine(probabilities, images, (1.0, 1.0), crf), alone, atol=1e-6)
    monkeypatch.setattr("mmgl.inference.crf.WEIGHTS", 1)  # one slice at a time
    assert torch.allclose(refine(probabilities, images, (1.0, 1.0), crf), alone, atol=1e-6)


def test_certain_probabilities_and_single_rows_are_no_trouble():
    probability = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 1, 7)
    found = refine(probability, torch.zeros(1, 1, 1, 7), (1.0, 1.0))
    assert torch.isfinite(found).all()
    assert found.sum(1).allclose(torch.ones(1, 1, 7))
    assert refine(torch.ones(1, 2, 1, 1) / 2, torch.zeros(1, 1, 1, 1), (1.0, 1.0)).tolist() == [[[[0.5]], [[0.5]]]]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="do not fit"):
        refine(torch.ones(1, 2, 4, 4), torch.ones(1, 1, 4, 5), (1.0, 1.0))
    with pytest.raises(ValueError, match="positive"):
        refine(torch.ones(1, 2, 4, 4), torch.ones(1, 1, 4, 4), (0.0, 1.0))


def test_noise_gets_less_where_the_image_is_clear():
    generator = torch.Generator().manual_seed(5)
    label = torch.zeros(1, 64, 64, dtype=torch.long)
    label[:, 20:44, 16:50] = 1
    image = label[:, None] + 0.1 * torch.randn(1, 1, 64, 64, generator=generator)
    logits = 1.5 * torch.nn.functional.one_hot(label, 2).movedim(-1, 1) + torch.randn(1, 2, 64, 64, generator=generator)
    before = (logits.argmax(1) != label).float().mean()
    after = (refine(logits.softmax(1), image, (1.3, 1.3)).argmax(1) != label).float().mean()
    assert before > 0.1
    assert after < before / 10
    assert math.isfinite(float(after))
