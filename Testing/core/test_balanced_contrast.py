"""The class-balanced contrast of MCSC against its equation written out, and the sets it is taken over."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from mmgl.losses.balanced_contrast import _log_sum_exp_others, apply_sets, balanced_contrast, sample_sets
from mmgl.losses.contrastive import log_sum_exp_others


def literal_balanced_contrast(features, labels, temperature):
    """The equation for one set, vector by vector."""
    known = [i for i in range(len(labels)) if labels[i] >= 0]
    z = F.normalize(features, dim=1)
    n = {c: sum(int(labels[i]) == c for i in known) for c in {int(labels[i]) for i in known}}
    losses = []
    for i in known:
        partners = [p for p in known if p != i and labels[p] == labels[i]]
        if not partners:
            continue
        denominator = 0.0
        for j in known:
            if j != i:
                weight = n[int(labels[j])] - (labels[j] == labels[i]).item()
                denominator += math.exp(float(z[i] @ z[j]) / temperature) / weight
        terms = [float(z[i] @ z[p]) / temperature - math.log(denominator) for p in partners]
        losses.append(-sum(terms) / len(partners))
    return sum(losses) / len(losses)


def random_sets(sets=3, count=25, seed=0, lowest=-1):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(sets, count, 6, generator=generator)
    return features, torch.randint(lowest, 4, (sets, count), generator=generator)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("seed", range(3))
def test_balanced_contrast_is_its_equation(temperature, seed):
    features, labels = random_sets(seed=seed)
    expected = [literal_balanced_contrast(f, y, temperature) for f, y in zip(features, labels, strict=True)]
    assert float(balanced_contrast(features, labels, temperature)) == pytest.approx(sum(expected) / 3, rel=1e-5)


@pytest.mark.parametrize("sizes", [(2, 2), (40, 2, 3), (5, 1000, 2, 7), (3, 3, 3, 3, 3)])
def test_equal_vectors_give_the_log_of_the_labels_present_whatever_their_sizes(sizes):
    labels = torch.cat([torch.full((n,), c) for c, n in enumerate(sizes)])[None]
    loss = balanced_contrast(torch.ones(1, labels.shape[1], 8), labels, 0.1)
    assert float(loss) == pytest.approx(math.log(len(sizes)), abs=3e-4)


def test_more_background_of_the_same_kind_changes_nothing_for_the_others():
    """Pixels of one label that are all alike count once, however many there are."""
    features, labels = random_sets(1, 20, lowest=1)
    background = torch.eye(6)[:1].expand(1, 1, 6)
    alone = []
    for copies in (5, 500):
        z = torch.cat([features, background.expand(1, copies, 6)], 1)
        y = torch.cat([labels, torch.zeros(1, copies, dtype=torch.long)], 1)
        total = float(balanced_contrast(z, y, 0.5)) * y.shape[1]
        own = literal_background(features[0], labels[0], background[0, 0], 0.5) * copies
        alone.append(total - own)
    assert alone[0] == pytest.approx(alone[1], rel=1e-3)


def literal_background(features, labels, vector, temperature):
    """The loss of one of many equal background vectors: its own label adds exp(1 / t) to the denominator."""
    z = F.normalize(features, dim=1)
    denominator = math.exp(1 / temperature)
    for c in labels.unique():
        denominator += float((z[labels == c] @ vector / temperature).exp().mean())
    return math.log(denominator) - 1 / temperature


def test_a_label_of_one_vector_repels_but_is_no_anchor():
    features = torch.randn(1, 5, 4)
    with_lonely = torch.tensor([[1, 1, 0, 0, 2]])
    assert float(balanced_contrast(features, with_lonely, 0.5)) == pytest.approx(
        literal_balanced_contrast(features[0], with_lonely[0], 0.5), rel=1e-5
    )


def test_unlabelled_vectors_take_no_part():
    features, labels = random_sets(2, 20, lowest=0)
    more = torch.cat([features, torch.randn(2, 9, 6)], 1)
    more_labels = torch.cat([labels, torch.full((2, 9), -1)], 1)
    assert float(balanced_contrast(more, more_labels, 0.1)) == pytest.approx(
        float(balanced_contrast(features, labels, 0.1)), rel=1e-6
    )
    more.requires_grad_()
    balanced_contrast(more, more_labels, 0.1).backward()
    assert not more.grad[:, 20:].any()
    assert more.grad[:, :20].any()


def test_sets_of_background_only_are_skipped():
    features, labels = random_sets(2, 20, lowest=0)
    more = torch.cat([features, torch.randn(1, 20, 6)])
    more_labels = torch.cat([labels, torch.zeros(1, 20, dtype=torch.long)])
    assert float(balanced_contrast(more, more_labels, 0.1)) == pytest.approx(
        float(balanced_contrast(features, labels, 0.1)), rel=1e-6
    )


@pytest.mark.parametrize("label", [0, -1])
def test_nothing_to_contrast_is_zero_and_still_has_a_gradient(label):
    features = torch.randn(2, 5, 4, requires_grad=True)
    loss = balanced_contrast(features, torch.full((2, 5), label), 0.1)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not features.grad.any()


def test_gradient_in_chunks(monkeypatch):
    queries, keys = torch.randn(2, 2, 7, 5, dtype=torch.float64).requires_grad_()
    whole = _log_sum_exp_others(queries, keys)
    monkeypatch.setattr("mmgl.losses.balanced_contrast.CHUNK", 45)  # three rows at a time
    assert torch.allclose(_log_sum_exp_others(queries, keys), whole)
    assert torch.autograd.gradcheck(_log_sum_exp_others, (queries, keys))


def test_gradient_of_the_whole_loss():
    """Against autograd through the plain N x N matrix."""
    features, labels = random_sets(1, 15, lowest=0)
    results = []
    for loss in (lambda f: balanced_contrast(f, labels, 0.3), lambda f: plain(f[0], labels[0], 0.3)):
        f = features.clone().requires_grad_()
        loss(f).backward()
        results.append(f.grad)
    assert torch.allclose(results[0], results[1], atol=1e-6)


def plain(features, labels, temperature):
    z = F.normalize(features, dim=1)
    same = labels[:, None] == labels[None]
    others = ~torch.eye(len(z), dtype=torch.bool)
    s = z @ z.T / temperature
    weight = same.sum(0)[None] - same.int()
    denominator = (s.exp() * others / weight.clamp(min=1)).sum(1).log()
    pairs = same & others
    kept = pairs.any(1)
    return ((denominator[:, None] - s) * pairs).sum(1)[kept].div(pairs.sum(1)[kept]).mean()


def test_every_pixel_is_in_one_set_of_its_map():
    maps = torch.arange(3 * 11 * 14).reshape(3, 1, 11, 14)
    sets = sample_sets(3, 11, 14, 4, torch.Generator().manual_seed(0), released=False)
    assert sets.shape == (3 * 4, 3)
    vectors = apply_sets(maps, sets, 4, fill=-1)
    assert vectors.shape == (12, 3 * 16, 1)
    assert sorted(vectors[vectors >= 0].tolist()) == list(range(maps.numel()))


def test_a_set_holds_one_whole_block_of_every_map():
    maps = torch.arange(2 * 8 * 8).reshape(2, 1, 8, 8)
    sets = torch.tensor([[3, 0]])
    vectors = apply_sets(maps, sets, 4)[0, :, 0]
    assert vectors[:16].tolist() == maps[0, 0, 4:, 4:].flatten().tolist()
    assert vectors[16:].tolist() == maps[1, 0, :4, :4].flatten().tolist()


def test_features_and_labels_are_cut_alike():
    labels = torch.randint(0, 3, (2, 10, 10))
    sets = sample_sets(2, 10, 10, 4, torch.Generator().manual_seed(1), released=False)
    features = apply_sets(torch.stack([labels * 2.0, labels * 5.0], 1), sets, 4)
    cut = apply_sets(labels[:, None], sets, 4, fill=-1)[..., 0]
    assert torch.equal(features[cut >= 0], torch.stack([cut * 2.0, cut * 5.0], -1)[cut >= 0])


def test_maps_are_shuffled_each_on_its_own_and_the_same_seed_shuffles_alike():
    first, again, other = (
        sample_sets(4, 60, 60, 10, torch.Generator().manual_seed(seed), released=False) for seed in (5, 5, 6)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first[:, 0], first[:, 1])
    assert all(sorted(column.tolist()) == list(range(36)) for column in first.T)


@pytest.mark.parametrize(("side", "block", "kept"), [(224, 19, 100), (28, 14, 1), (16, 14, 1)])
def test_the_released_program_leaves_blocks_out(side, block, kept):
    sets = sample_sets(2, side, side, block, torch.Generator(), released=True)
    assert len(sets) == kept
    columns = -(-side // block)
    assert (sets // columns).max() == (sets % columns).max() == max(1, side // block - 1) - 1


def test_some_sets_of_all_are_drawn_without_preference():
    generator = torch.Generator().manual_seed(0)
    drawn = torch.cat([sample_sets(1, 40, 40, 10, generator, limit=4, released=False) for _ in range(400)])
    counts = torch.bincount(drawn.flatten(), minlength=16)
    assert len(drawn) == 1600
    assert (counts > 60).all()
    assert (counts < 140).all()


def test_the_balance_costs_little_more_than_plain_similarities():
    z = F.normalize(torch.randn(1500, 64), dim=1)
    labels = torch.randint(0, 4, (1, 1500))

    def operations(loss):
        x = z.clone().requires_grad_()
        with FlopCounterMode(display=False) as counter:
            loss(x).backward()
        return counter.get_total_flops()

    plain = operations(lambda x: log_sum_exp_others(x, 0.1).mean())
    assert plain > 1500 * 1500 * 64
    assert operations(lambda x: balanced_contrast(x[None], labels, 0.1)) < 1.3 * plain
