"""The contrastive losses against their equations written out, pixel by pixel."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmgl.losses.contrastive import block_supervised_contrast, log_sum_exp_others, nt_xent, supervised_contrast


def literal_nt_xent(first, second, temperature):
    z = F.normalize(torch.cat([first, second]), dim=1)
    n = len(z)
    total = 0.0
    for i in range(n):
        j = (i + n // 2) % n
        denominator = sum(math.exp(float(z[i] @ z[k]) / temperature) for k in range(n) if k != i)
        total -= math.log(math.exp(float(z[i] @ z[j]) / temperature) / denominator)
    return total / n


def literal_supervised_contrast(features, labels, temperature):
    known = [i for i in range(len(labels)) if labels[i] >= 0]
    z = F.normalize(features, dim=1)
    losses = []
    for u in known:
        partners = [p for p in known if p != u and labels[p] == labels[u]]
        if labels[u] == 0 or not partners:
            continue
        denominator = sum(math.exp(float(z[u] @ z[n]) / temperature) for n in known if n != u)
        logs = [math.log(math.exp(float(z[u] @ z[p]) / temperature) / denominator) for p in partners]
        losses.append(-sum(logs) / len(partners))
    return sum(losses) / len(losses) if losses else 0.0


@pytest.mark.parametrize("temperature", [0.07, 0.5, 1.0])
@pytest.mark.parametrize("count", [2, 5, 8])
def test_nt_xent_is_its_equation(count, temperature):
    first, second = torch.randn(2, count, 16)
    assert float(nt_xent(first, second, temperature)) == pytest.approx(
        literal_nt_xent(first, second, temperature), rel=1e-5
    )


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_of_identical_views_of_orthogonal_images(temperature):
    z = torch.eye(2, 8)
    expected = math.log(1 + 2 * math.exp(-1 / temperature))
    assert float(nt_xent(z, z, temperature)) == pytest.approx(expected, abs=1e-6)


def test_nt_xent_does_not_care_which_view_is_first():
    first, second = torch.randn(2, 6, 8)
    assert float(nt_xent(first, second, 0.5)) == pytest.approx(float(nt_xent(second, first, 0.5)), rel=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.7])
def test_supervised_contrast_is_its_equation(temperature):
    generator = torch.Generator().manual_seed(3)
    for _ in range(5):
        features = torch.randn(30, 8, generator=generator)
        labels = torch.randint(-1, 4, (30,), generator=generator)
        assert float(supervised_contrast(features, labels, temperature)) == pytest.approx(
            literal_supervised_contrast(features, labels, temperature), rel=1e-5
        )


def test_supervised_contrast_of_equal_features_is_the_log_of_the_others():
    labels = torch.tensor([1, 1, 1, 2, 2, 0])
    assert float(supervised_contrast(torch.ones(6, 4), labels, 0.1)) == pytest.approx(math.log(5), rel=1e-5)


def test_unlabelled_pixels_take_no_part():
    features = torch.randn(20, 8)
    labels = torch.randint(0, 3, (20,))
    with_more = torch.cat([features, torch.randn(7, 8)])
    more_labels = torch.cat([labels, torch.full((7,), -1)])
    assert float(supervised_contrast(with_more, more_labels, 0.1)) == pytest.approx(
        float(supervised_contrast(features, labels, 0.1)), rel=1e-6
    )


@pytest.mark.parametrize("labels", [[0, 0, 0], [-1, -1, -1], [1, 2, 0], []])
def test_nothing_to_contrast_is_zero_and_still_has_a_gradient(labels):
    features = torch.randn(len(labels), 4, requires_grad=True)
    loss = supervised_contrast(features, torch.tensor(labels, dtype=torch.long), 0.1)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not features.grad.any()


def test_gradient_of_the_chunked_log_sum_exp(monkeypatch):
    monkeypatch.setattr("mmgl.losses.contrastive.CHUNK", 30)  # several chunks of a few rows
    z = F.normalize(torch.randn(11, 5, dtype=torch.float64), dim=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda t: log_sum_exp_others(t, 0.3), (z,))


def test_gradient_of_chosen_rows(monkeypatch):
    monkeypatch.setattr("mmgl.losses.contrastive.CHUNK", 30)
    z = F.normalize(torch.randn(11, 5, dtype=torch.float64), dim=1).requires_grad_()
    rows = torch.tensor([7, 0, 3, 4, 10])
    assert torch.allclose(log_sum_exp_others(z, 0.3, rows), log_sum_exp_others(z, 0.3)[rows])
    assert torch.autograd.gradcheck(lambda t: log_sum_exp_others(t, 0.3, rows), (z,))


def test_chunks_give_what_one_piece_gives(monkeypatch):
    z = F.normalize(torch.randn(50, 5), dim=1)
    whole = log_sum_exp_others(z, 0.2)
    monkeypatch.setattr("mmgl.losses.contrastive.CHUNK", 130)
    assert torch.allclose(log_sum_exp_others(z, 0.2), whole, atol=1e-6)


def test_blocks_are_contrasted_one_by_one():
    features, labels = torch.randn(2, 6, 5, 8), torch.randint(-1, 3, (2, 5, 8))
    losses = []
    for top in (0, 4):
        for left in (0, 4):
            y = labels[:, top : top + 4, left : left + 4]
            z = features[:, :, top : top + 4, left : left + 4]
            if (y > 0).any():
                losses.append(literal_supervised_contrast(z.movedim(1, -1).reshape(-1, 6), y.flatten(), 0.1))
    expected = sum(losses) / len(losses)
    assert float(block_supervised_contrast(features, labels, 0.1, 4)) == pytest.approx(expected, rel=1e-5)


def test_blocks_of_background_only_are_zero():
    features = torch.randn(2, 6, 8, 8)
    assert float(block_supervised_contrast(features, torch.zeros(2, 8, 8), 0.1, 4)) == 0.0
