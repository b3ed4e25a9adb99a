"""Consistency losses against what their equations say, pixel by pixel."""

import math

import pytest
import torch

from mmgl.losses.consistency import certain, confident_labels, masked_mse, predictive_entropy
from mmgl.losses.cross_supervision import squared_dice
from mmgl.losses.segmentation import cross_entropy


def probabilities(seed, outputs=3, shape=(2, 4, 5)):
    generator = torch.Generator().manual_seed(seed)
    n, h, w = shape
    return (3 * torch.randn(n, outputs, h, w, generator=generator)).softmax(1)


def pixels(maps):
    return [(n, y, x) for n in range(maps.shape[0]) for y in range(maps.shape[2]) for x in range(maps.shape[3])]


@pytest.fixture
def mask():
    return torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(9)) < 0.5


def literal_mse(first, second, mask):
    total, count = 0.0, 0
    for n, y, x in pixels(first):
        if mask is None or mask[n, y, x]:
            total += sum((float(first[n, c, y, x]) - float(second[n, c, y, x])) ** 2 for c in range(3)) / 3
            count += 1
    return total / count


def test_mse_is_what_the_equation_says(mask):
    first, second = probabilities(0), probabilities(1)
    assert float(masked_mse(first, second, mask)) == pytest.approx(literal_mse(first, second, mask))
    assert float(masked_mse(first, second)) == pytest.approx(literal_mse(first, second, None))
    assert float(masked_mse(first, second)) == pytest.approx(float(torch.nn.functional.mse_loss(first, second)))


def test_mse_is_zero_for_the_same_and_where_nothing_counts(mask):
    first = probabilities(0).requires_grad_()
    assert float(masked_mse(first.detach(), first.detach(), mask)) == 0
    nothing = masked_mse(first, probabilities(1), torch.zeros_like(mask))
    assert nothing.item() == 0
    nothing.backward()
    assert not first.grad.any()


def test_pixels_outside_the_mask_never_matter(mask):
    first, second = probabilities(0), probabilities(1)
    changed = torch.where(mask[:, None], second, float("nan"))
    assert torch.equal(masked_mse(first, second, mask), masked_mse(first, changed, mask))


def test_entropy_is_what_the_equation_says():
    p = probabilities(2)
    entropy = predictive_entropy(p)
    for n, y, x in pixels(p):
        expected = -sum(float(p[n, c, y, x]) * math.log(float(p[n, c, y, x])) for c in range(3))
        assert float(entropy[n, y, x]) == pytest.approx(expected, abs=1e-5)


def test_entropy_is_largest_without_an_opinion_and_zero_with_certainty():
    undecided, decided = torch.full((1, 4, 1, 1), 0.25), torch.tensor([0.0, 1.0, 0.0, 0.0]).reshape(1, 4, 1, 1)
    assert float(predictive_entropy(undecided)) == pytest.approx(math.log(4))
    assert float(predictive_entropy(decided)) == 0


@pytest.mark.parametrize("progress", [0.0, 0.4, 1.0])
def test_the_threshold_rises_from_three_quarters_to_all(progress):
    highest = math.log(3)
    entropy = torch.linspace(0, highest, 101).reshape(1, 1, 101)
    threshold = (0.75 + 0.25 * math.exp(-5 * (1 - progress) ** 2)) * highest
    assert certain(entropy, highest, progress).flatten().tolist() == [float(e) < threshold for e in entropy.flatten()]


def test_labels_are_the_most_probable_structure_where_it_is_probable_enough():
    logits = probabilities(3).log().requires_grad_()
    labels = confident_labels(logits, 0.8)
    assert not labels.requires_grad
    believed = 0
    for n, y, x in pixels(logits):
        p = logits[n, :, y, x].softmax(0).tolist()
        expected = p.index(max(p)) if max(p) >= 0.8 else -1
        assert int(labels[n, y, x]) == expected
        believed += expected >= 0
    assert 0 < believed < labels.numel()


def test_nothing_is_learned_where_nothing_is_believed():
    logits = torch.zeros(1, 3, 4, 4, requires_grad=True)
    labels = confident_labels(logits, 0.95)
    assert (labels == -1).all()
    total = squared_dice(logits, labels) + cross_entropy(logits, labels)
    assert total.item() == pytest.approx(0, abs=1e-6)
    total.backward()
    assert not logits.grad.any()
