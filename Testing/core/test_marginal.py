"""The marginal loss: 'background or one of these' against sums of probabilities written out, and in every method."""

import math

import pytest
import torch

from mmgl.losses.cross_supervision import half_entropy_half_dice, squared_dice
from mmgl.losses.marginal import marginal, sets_table
from mmgl.losses.segmentation import SMOOTH, cross_entropy, deep_supervision, soft_dice

SETS = ((1,), (2, 3))
TABLE = sets_table(SETS, 3, torch.device("cpu"))


def may_be(label: int) -> set[int]:
    """Return the outputs that a label leaves open."""
    return {0, 1, 2, 3} if label == -1 else {0, *SETS[-2 - label]} if label < -1 else {label}


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(3)
    return torch.randn(2, 4, 5, 6, generator=generator), torch.randint(-3, 4, (2, 5, 6), generator=generator)


def test_cross_entropy_is_that_of_the_sum_of_what_may_be(case):
    logits, labels = case
    probability = logits.softmax(1)
    terms = []
    for n, y, x in torch.nonzero(labels != -1).tolist():
        terms.append(-math.log(sum(float(probability[n, k, y, x]) for k in may_be(int(labels[n, y, x])))))
    assert float(cross_entropy(*marginal(logits, labels, TABLE))) == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_soft_dice_counts_each_structure_only_where_it_is_labelled(case):
    logits, labels = case
    probability = logits.softmax(1)
    dice = []
    for k in range(1, 4):
        shared = both = 0.0
        for n, y, x in torch.nonzero(labels != -1).tolist():
            label = int(labels[n, y, x])
            if label >= 0 or k not in may_be(label):
                p, t = float(probability[n, k, y, x]), float(label == k)
                shared, both = shared + p * t, both + p + t
        dice.append((2 * shared + SMOOTH) / (both + SMOOTH))
    assert float(soft_dice(*marginal(logits, labels, TABLE))) == pytest.approx(1 - sum(dice) / 3, rel=1e-5)


def test_a_structure_that_nobody_labelled_is_not_pushed_away():
    logits = torch.zeros(1, 4, 1, 2, requires_grad=True)
    labels = torch.tensor([[[-2, 0]]])  # background or structure 1; background
    half_entropy_half_dice(logits, labels, TABLE).backward()
    missing, known = logits.grad[0, :, 0, 0], logits.grad[0, :, 0, 1]
    assert missing[0] == pytest.approx(float(missing[1]))  # background and structure 1 are as good as each other
    assert missing[1] < 0 < missing[2]
    assert known[0] < 0 < known[1]


def test_without_sets_nothing_changes(case):
    logits, labels = case[0], case[1].clamp(min=-1)
    assert marginal(logits, labels, None) == (logits, labels)
    merged, known = marginal(logits, labels, TABLE)
    assert torch.equal(merged, logits)
    assert torch.equal(known, labels)
    assert deep_supervision([logits], labels) == deep_supervision([logits], labels, TABLE)
    assert half_entropy_half_dice(logits, labels) == 0.5 * (
        cross_entropy(logits, labels) + squared_dice(logits, labels)
    )


def test_gradients_are_finite_at_any_logits():
    logits = (torch.randn(1, 4, 4, 4) * 100).requires_grad_()
    labels = torch.randint(-3, 4, (1, 4, 4))
    (half_entropy_half_dice(logits, labels, TABLE) + deep_supervision([logits], labels, TABLE)).backward()
    assert torch.isfinite(logits.grad).all()
