"""Cross-entropy, soft Dice and deep supervision against loops, and against MONAI where all is labelled."""

import math

import pytest
import torch
from monai.losses import DiceLoss

from mmgl.losses.segmentation import SMOOTH, cross_entropy, deep_supervision, soft_dice


def literal_cross_entropy(logits, labels):
    total, count = 0.0, 0
    for n, y, x in torch.nonzero(labels >= 0).tolist():
        values = logits[n, :, y, x].tolist()
        total -= values[int(labels[n, y, x])] - math.log(sum(math.exp(v) for v in values))
        count += 1
    return total / max(count, 1)


def literal_soft_dice(logits, labels):
    probability = logits.softmax(1)
    dice = []
    for k in range(1, logits.shape[1]):
        shared = both = 0.0
        for n, y, x in torch.nonzero(labels >= 0).tolist():
            p, t = float(probability[n, k, y, x]), float(labels[n, y, x] == k)
            shared, both = shared + p * t, both + p + t
        dice.append((2 * shared + SMOOTH) / (both + SMOOTH))
    return 1 - sum(dice) / len(dice)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(5)
    return torch.randn(2, 4, 6, 5, generator=generator), torch.randint(-1, 4, (2, 6, 5), generator=generator)


def test_cross_entropy_is_its_equation(case):
    assert float(cross_entropy(*case)) == pytest.approx(literal_cross_entropy(*case), rel=1e-5)


def test_soft_dice_is_its_equation(case):
    assert float(soft_dice(*case)) == pytest.approx(literal_soft_dice(*case), rel=1e-5)


def test_soft_dice_agrees_with_monai_where_all_is_labelled(case):
    logits, labels = case[0], case[1].clamp(min=0)
    theirs = DiceLoss(
        include_background=False, to_onehot_y=True, softmax=True, batch=True, smooth_nr=SMOOTH, smooth_dr=SMOOTH
    )(logits, labels[:, None])
    assert float(soft_dice(logits, labels)) == pytest.approx(float(theirs), rel=1e-5)


def test_unlabelled_pixels_have_no_gradient(case):
    logits, labels = case[0].clone().requires_grad_(), case[1]
    (cross_entropy(logits, labels) + soft_dice(logits, labels)).backward()
    unlabelled = (labels < 0)[:, None].expand_as(logits)
    assert not logits.grad[unlabelled].any()
    assert logits.grad[~unlabelled].any()


def test_nothing_labelled_is_finite():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 4, 4), -1)) + soft_dice(logits, torch.full((1, 4, 4), -1))
    loss.backward()
    assert torch.isfinite(loss)
    assert not logits.grad.any()


def test_perfect_prediction_is_zero():
    labels = torch.randint(0, 3, (1, 8, 8))
    logits = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1) * 50.0
    assert float(deep_supervision([logits, logits], labels)) == pytest.approx(0, abs=1e-4)


def test_scales_are_weighted_one_half_quarter(case):
    logits, labels = case
    alone = float(cross_entropy(logits, labels) + soft_dice(logits, labels))
    other = float(cross_entropy(-logits, labels) + soft_dice(-logits, labels))
    expected = (alone + 0.5 * other + 0.25 * alone) / 1.75
    assert float(deep_supervision([logits, -logits, logits], labels)) == pytest.approx(expected, rel=1e-5)


def test_coarse_logits_are_enlarged(case):
    _, labels = case
    coarse = torch.randn(2, 4, 3, 2)
    enlarged = torch.nn.functional.interpolate(coarse, size=(6, 5), mode="bilinear")
    assert float(deep_supervision([coarse], labels)) == pytest.approx(float(deep_supervision([enlarged], labels)))
