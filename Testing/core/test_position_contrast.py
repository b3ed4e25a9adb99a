"""The contrasts that know where slices lie against their equations written out, pair by pair."""

import math

import pytest
import torch
import torch.nn.functional as F

from mmgl.losses.contrastive import nt_xent
from mmgl.losses.position_contrast import (
    partition_contrast,
    partitions,
    position_contrast,
    position_differences,
    region_contrast,
    soft_position_contrast,
)

POSITIONS = torch.tensor([0.1, 0.3, 0.35, 0.6, 1.0, 1.0])
PLANES = torch.tensor([0, 0, 0, 0, 0, 1])


def views(count=6, length=8, seed=0):
    return torch.randn(2, count, length, generator=torch.Generator().manual_seed(seed))


def literal_similarity(first, second, temperature):
    z = F.normalize(torch.cat([first, second]), dim=1)
    return [[float(a @ b) / temperature for b in z] for a in z]


def literal_difference(i, j):
    n = len(POSITIONS)
    if PLANES[i % n] != PLANES[j % n]:
        return math.inf
    return abs(float(POSITIONS[i % n] - POSITIONS[j % n]))


def literal_position_contrast(first, second, threshold, temperature):
    s, n = literal_similarity(first, second, temperature), 2 * len(first)
    total = 0.0
    for i in range(n):
        positives = [p for p in range(n) if p != i and (p % 6 == i % 6 or literal_difference(i, p) < threshold)]
        denominator = sum(math.exp(s[i][a]) for a in range(n) if a != i)
        total -= sum(math.log(math.exp(s[i][p]) / denominator) for p in positives) / len(positives)
    return total / n


def literal_soft_position_contrast(first, second, threshold, temperature):
    s, n = literal_similarity(first, second, temperature), 2 * len(first)
    total = 0.0
    for i in range(n):
        weights, costs = [], []
        for p in range(n):
            weight = max(0.0, 1 - literal_difference(i, p) / threshold)
            if p == i or weight == 0:
                continue
            others = [a for a in range(n) if a not in (i, p)]
            rest = sum(min(1.0, literal_difference(i, a) / threshold) * math.exp(s[i][a]) for a in others)
            weights.append(weight)
            costs.append(-math.log(math.exp(s[i][p]) / (math.exp(s[i][p]) + rest)))
        total += sum(w * c for w, c in zip(weights, costs, strict=True)) / sum(weights)
    return total / n


def literal_partition_contrast(first, second, parts, cases, temperature, second_views):
    s, n = literal_similarity(first, second, temperature), len(first)
    pairs = [(i, i + n) for i in range(n)] + [(i + n, i) for i in range(n)]
    for i in range(n):
        for p in range(n):
            if parts[i] == parts[p] and cases[i] != cases[p]:
                pairs += [(i, p), (i + n, p + n)] if second_views else [(i, p)]
    costs = []
    for i, p in pairs:
        negatives = [a for a in range(2 * n) if parts[a % n] != parts[i % n]]
        own = math.exp(s[i][p])
        costs.append(-math.log(own / (own + sum(math.exp(s[i][a]) for a in negatives))))
    return sum(costs) / len(costs)


def literal_region_contrast(first, second, others, temperature, near, far):
    n, count = len(first), first.shape[1]
    z = F.normalize(torch.cat([first, second]), dim=2)
    total = 0.0
    for i in range(2 * n):
        for u in range(count):

            def e(j, v, i=i, u=u):
                return math.exp(float(z[i, u] @ z[j, v]) / temperature)

            negatives = sum(e(j, v) for j in (i, (i + n) % (2 * n)) for v in range(count) if others[u][v])
            negatives += sum(e(j, u) for j in range(2 * n) if j % n != i % n and far[i % n][j % n])
            positives = [j for j in range(2 * n) if j != i and (j % n == i % n or near[i % n][j % n])]
            costs = [-math.log(e(j, u) / (e(j, u) + negatives)) for j in positives]
            total += sum(costs) / len(costs)
    return total / (2 * n * count)


def test_differences_between_planes_are_infinite():
    found = position_differences(POSITIONS, PLANES)
    expected = [[literal_difference(i, j) for j in range(6)] for i in range(6)]
    assert torch.allclose(found, torch.tensor(expected))


@pytest.mark.parametrize("threshold", [0.0, 0.06, 0.35, 2.0])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_position_contrast_is_its_equation(threshold, temperature):
    first, second = views()
    found = position_contrast(first, second, position_differences(POSITIONS, PLANES), threshold, temperature)
    assert float(found) == pytest.approx(literal_position_contrast(first, second, threshold, temperature), rel=1e-5)


@pytest.mark.parametrize("threshold", [0.06, 0.35, 2.0])
@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_soft_position_contrast_is_its_equation(threshold, temperature):
    first, second = views()
    found = soft_position_contrast(first, second, position_differences(POSITIONS, PLANES), threshold, temperature)
    expected = literal_soft_position_contrast(first, second, threshold, temperature)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_with_a_threshold_above_one_all_slices_of_a_plane_are_positives():
    first, second = views()
    differences = position_differences(POSITIONS, torch.zeros(6))
    z = F.normalize(torch.cat([first, second]), dim=1)
    s = (z @ z.T / 0.1).fill_diagonal_(-math.inf)
    log_share = (s - s.logsumexp(1, keepdim=True)).fill_diagonal_(0)
    expected = -(log_share.sum(1) / 11).mean()
    assert float(position_contrast(first, second, differences, 1.01, 0.1)) == pytest.approx(float(expected), rel=1e-5)


def test_with_a_threshold_of_nearly_zero_it_is_simclr_plus_slices_at_one_position():
    first, second = views()
    apart = position_differences(POSITIONS, torch.tensor([0, 0, 0, 0, 0, 1]))
    matched = position_differences(POSITIONS, torch.zeros(6))  # the last two slices are at 1.0 both
    simclr = float(nt_xent(first, second, 0.1))
    assert float(position_contrast(first, second, apart, 1e-6, 0.1)) == pytest.approx(simclr, rel=1e-5)
    assert float(soft_position_contrast(first, second, apart, 1e-6, 0.1)) == pytest.approx(simclr, rel=1e-5)
    assert float(position_contrast(first, second, matched, 1e-6, 0.1)) != pytest.approx(simclr, rel=1e-3)
    assert float(position_contrast(first, second, matched, 0.0, 0.1)) == pytest.approx(simclr, rel=1e-5)


def test_slices_of_another_plane_are_plain_negatives():
    """At any threshold a slice of another plane is what it is to SimCLR."""
    first, second = views()
    differences = position_differences(torch.ones(6), torch.arange(6))
    for threshold in (0.1, 2.0):
        for contrast in (position_contrast, soft_position_contrast):
            found = float(contrast(first, second, differences, threshold, 0.1))
            assert found == pytest.approx(float(nt_xent(first, second, 0.1)), rel=1e-5)


def test_partitions_are_equal_parts_and_differ_between_planes():
    for depth in (4, 8, 12, 96):
        positions = torch.arange(1, depth + 1) / depth
        found = partitions(positions, torch.zeros(depth, dtype=torch.long), 4)
        assert torch.bincount(found).tolist() == [depth // 4] * 4
        assert (found.diff() >= 0).all()
        assert torch.equal(partitions(positions, torch.ones(depth, dtype=torch.long), 4), found + 4)
    assert partitions(torch.ones(1), torch.zeros(1, dtype=torch.long), 4).tolist() == [3]


@pytest.mark.parametrize("second_views", [False, True])
@pytest.mark.parametrize("parts", [[0, 0, 0, 1, 1, 2], [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 0]])
def test_partition_contrast_is_its_equation(parts, second_views):
    first, second = views()
    cases = [0, 1, 1, 0, 2, 2]
    found = partition_contrast(first, second, torch.tensor(parts), torch.tensor(cases), 0.1, second_views=second_views)
    expected = literal_partition_contrast(first, second, parts, cases, 0.1, second_views)
    assert float(found) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_slices_of_one_partition_do_not_repel():
    first, second = views()
    parts, cases = torch.tensor([0, 0, 0, 1, 1, 1]), torch.zeros(6)
    loss = partition_contrast(first, second, parts, cases, 0.1)
    first[:3], second[:3] = first[:1].clone(), first[:1].clone()  # as alike as can be
    assert partition_contrast(first, second, parts, cases, 0.1) < loss


@pytest.mark.parametrize("soft", [0, 5])
def test_region_contrast_is_its_equation(soft):
    first, second = torch.randn(2, 4, 6, 5, generator=torch.Generator().manual_seed(soft))
    others = ~torch.eye(6, dtype=torch.bool) & (torch.rand(6, 6) < 0.7)
    others[0, 1] = True
    differences = position_differences(torch.tensor([0.1, 0.2, 0.5, 0.9]), torch.tensor([0, 0, 0, 0]))
    near, far = differences < 0.35, differences >= 0.7
    assert near.sum() > 4
    assert far.any()
    found = region_contrast(first, second, others, 0.2, near=near, far=far)
    expected = literal_region_contrast(first, second, others, 0.2, near, far)
    assert float(found) == pytest.approx(expected, rel=1e-5)
    nowhere = torch.zeros(4, 4, dtype=torch.bool)
    alone = literal_region_contrast(first, second, others, 0.2, nowhere, nowhere)
    assert float(region_contrast(first, second, others, 0.2)) == pytest.approx(alone, rel=1e-5)


def test_region_contrast_of_orthogonal_regions():
    regions = torch.eye(13).expand(2, 13, 13)
    others = ~torch.eye(13, dtype=torch.bool)
    expected = math.log(1 + 24 * math.exp(-1 / 0.1))
    assert float(region_contrast(regions, regions, others, 0.1)) == pytest.approx(expected, rel=1e-3)


def test_near_slices_alone_do_not_change_regions_of_one_slice():
    first, second = torch.randn(2, 1, 6, 5)
    others = ~torch.eye(6, dtype=torch.bool)
    itself = torch.ones(1, 1, dtype=torch.bool)
    found = region_contrast(first, second, others, 0.1, near=itself, far=itself)
    assert float(found) == pytest.approx(float(region_contrast(first, second, others, 0.1)), rel=1e-6)


def test_gradients_are_right_and_finite_where_nothing_repels():
    first, second = views(4, 5)
    first.requires_grad_()
    alike, one = torch.zeros(4, 4), torch.zeros(4, dtype=torch.long)
    losses = [
        position_contrast(first, second, alike, 0.5, 0.1),
        soft_position_contrast(first, second, alike, 0.5, 0.1),
        partition_contrast(first, second, one, torch.arange(4), 0.1),
        region_contrast(first[:, None], second[:, None], torch.zeros(1, 1, dtype=torch.bool), 0.1),
    ]
    for loss in losses:
        (gradient,) = torch.autograd.grad(loss, first)
        assert torch.isfinite(gradient).all()
    assert [float(loss.detach()) for loss in losses[1:]] == [0.0, 0.0, 0.0]
