"""CLCC: its two losses against loops over patches, its head, its padding, and what its stages train and read."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from test_slices import PLAN, prepared
from torch import nn

from mmgl.data.slices import SliceSampler
from mmgl.losses.cross_level import cross_level_consistency, cross_level_contrast, join, split
from mmgl.losses.segmentation import cross_entropy, soft_dice
from mmgl.methods.clcc import Clcc, PatchHead, patches_along, three_factors

PLAN = dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3)
CPU = torch.device("cpu")


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))


def stage_of(number, plan=PLAN, **switches):
    torch.manual_seed(0)
    method = Clcc(plan, 1, **switches)
    method.train()
    return method, method.stages[number]


def literal_contrast(whole, patches, temperature, released):
    images, _, n, _ = whole.shape
    losses = []
    for image in range(images):

        def unit(vector):
            return vector / (vector.abs().sum() if released else vector.norm())

        grid = [unit(whole[image, :, y, x]) for y in range(n) for x in range(n)]
        alone = [unit(patches[image, :, y, x]) for y in range(n) for x in range(n)]
        for i in range(n * n):
            own = math.exp(float(grid[i] @ alone[i]) / temperature)
            keys = alone if released else grid
            rest = sum(math.exp(float(grid[i] @ keys[k]) / temperature) for k in range(n * n) if k != i)
            losses.append(-math.log(own / (own + rest)))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("n", [2, 5])
def test_contrast_is_its_equation(n, released):
    whole, patches = torch.rand(2, 3, 8, n, n, generator=torch.Generator().manual_seed(n))
    found = float(cross_level_contrast(whole, patches, 0.07, released=released))
    assert found == pytest.approx(literal_contrast(whole, patches, 0.07, released), rel=1e-5)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_contrast_of_perfect_agreement_and_orthogonal_places(temperature):
    grid = torch.eye(32)[:25].T.reshape(1, 32, 5, 5)
    expected = math.log(1 + 24 * math.exp(-1 / temperature))
    assert float(cross_level_contrast(grid, 3 * grid, temperature)) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_released_contrast_carries_almost_no_signal():
    features = torch.randn(4, 128, 5, 5, generator=torch.Generator().manual_seed(0)).relu()
    found = float(cross_level_contrast(features, features, 0.07, released=True))
    assert 2.9 < found < math.log(25)
    assert float(cross_level_contrast(features, features, 0.07)) < 0.05


@pytest.mark.parametrize("released", [False, True])
def test_the_released_contrast_learns_nothing_through_patches(released):
    whole, patches = torch.rand(2, 1, 8, 2, 2, requires_grad=True).unbind(0)
    learns = torch.autograd.grad(
        cross_level_contrast(whole, patches, 0.1, released=released), patches, None, True, allow_unused=True
    )[0]
    assert (learns is None) == released
    assert torch.autograd.grad(cross_level_contrast(whole, patches, 0.1, released=released), whole)[0].any()


@pytest.mark.parametrize("outputs", [2, 4])
def test_consistency_is_its_equation(outputs):
    whole, patches = torch.randn(2, outputs, 12, 12), torch.randn(18, outputs, 4, 4)
    expected = 0.0
    for i in range(9):  # the sum over patches of the mean over images, structures and pixels
        y, x = 4 * (i // 3), 4 * (i % 3)
        crop = whole.softmax(1)[:, 1:, y : y + 4, x : x + 4]
        alone = torch.stack([patches[9 * image + i].softmax(0)[1:] for image in range(2)])
        expected += float(((alone - crop) ** 2).mean())
    assert float(cross_level_consistency(whole, patches, 3)) == pytest.approx(expected, rel=1e-5)


def test_consistency_of_one_structure_is_the_paper_s_sigmoid():
    whole, patches = torch.randn(2, 1, 8, 8), torch.randn(8, 1, 4, 4)
    with_background = [torch.cat([torch.zeros_like(t), t], 1) for t in (whole, patches)]
    expected = 4 * ((join(patches, 2).sigmoid() - whole.sigmoid()) ** 2).mean()
    assert float(cross_level_consistency(*with_background, 2)) == pytest.approx(float(expected), rel=1e-5)


def test_a_network_that_sees_single_pixels_is_consistent():
    network, images = nn.Conv2d(1, 3, 1), torch.randn(2, 1, 20, 20)
    assert cross_level_consistency(network(images), network(split(images, 5)), 5) < 1e-12
    wide = nn.Conv2d(1, 3, 3, padding=1)
    assert cross_level_consistency(wide(images), wide(split(images, 5)), 5) > 1e-3


def test_only_the_patches_learn_from_consistency():
    whole, patches = torch.randn(1, 2, 8, 8, requires_grad=True), torch.randn(4, 2, 4, 4, requires_grad=True)
    cross_level_consistency(whole, patches, 2).backward()
    assert whole.grad is None
    assert patches.grad.any()


def test_patches_are_the_places_of_the_image():
    images = torch.randn(2, 3, 12, 12)
    patches = split(images, 3)
    assert patches.shape == (18, 3, 4, 4)
    assert torch.equal(patches[9 + 5], images[1, :, 4:8, 8:12])
    assert torch.equal(join(patches, 3), images)


def test_the_head_of_the_paper():
    head = PatchHead(16, 64).eval()
    assert [layer.stride for layer in head.layers if isinstance(layer, nn.Conv2d)] == [(4, 4)] * 3
    whole = torch.randn(2, 16, 320, 320)
    assert head(whole).shape == (2, 128, 5, 5)
    assert torch.allclose(join(head(split(whole, 5)), 5), head(whole), atol=1e-5)


@pytest.mark.parametrize(
    ("side", "factors"), [(64, (4, 4, 4)), (32, (4, 4, 2)), (48, (4, 4, 3)), (4, (2, 2, 1)), (7, (7, 1, 1))]
)
def test_strides_multiply_to_the_side_of_a_patch(side, factors):
    assert three_factors(side) == factors
    assert PatchHead(4, side)(torch.randn(1, 4, 2 * side, 2 * side)).shape == (1, 128, 2, 2)


def test_patches_along_a_side():
    assert [patches_along(size) for size in (320, 160, 128, 256, 18)] == [5, 5, 4, 4, 2]


@pytest.mark.parametrize("released", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_a_stage_is_its_equation(number, released, slices):
    method, stage = stage_of(number, released=released)
    batch = stage.batch(slices, CPU)
    network = method.network
    images = torch.cat([batch.views[0], batch.unlabelled[0]])
    whole = network.decode(network.encode(images))[0]
    padded = F.pad(split(images, 4), (0, 4, 0, 4), mode="replicate")  # patches of 4 pixels, a stride of 8
    patches = network.decode(network.encode(padded))[0][..., :4, :4]
    logits = network.classifiers[0](whole)
    expected = {"segmentation": cross_entropy(logits[:2], batch.labels) + soft_dice(logits[:2], batch.labels)}
    if number == 0:
        vectors = join(method.head(patches), 4)
        expected["contrast"] = cross_level_contrast(method.head(whole), vectors, 0.07, released=released)
    else:
        expected["consistency"] = cross_level_consistency(logits, network.classifiers[0](patches), 4)
    found = stage.loss(batch, 0.5)
    assert {k: v.item() for k, v in found.items()} == pytest.approx(
        {k: v.item() for k, v in expected.items()}, rel=1e-4
    )


@pytest.mark.parametrize("number", [0, 1])
def test_a_stage_trains_its_parameters_and_no_others(number, slices):
    method, stage = stage_of(number)
    trained = {id(p) for p in stage.parameters()}
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum().backward()
        optimiser.step()
    moved = {n for n, p in method.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in method.named_parameters() if id(p) in trained}
    assert any(n.startswith("head") for n in moved) == (number == 0)
    assert any(n.startswith("network.classifiers.0") for n in moved)
    assert not any(n.startswith("network.classifiers.1") for n in moved)


@pytest.mark.parametrize("number", [0, 1])
def test_labels_matter_and_unlabelled_pixels_do_not(number, slices):
    method, stage = stage_of(number)
    batch = stage.batch(slices, CPU)
    state = {k: v.clone() for k, v in method.state_dict().items()}

    def loss(labels):
        method.load_state_dict(state)
        return float(sum(stage.loss(dataclasses.replace(batch, labels=labels), 0.5).values()).detach())

    assert stage.reads_labels
    assert stage.segments
    assert loss(batch.labels) != loss(batch.labels.roll(5, 1))
    hidden = (torch.rand(batch.labels.shape) < 0.5) | (batch.labels < 0)
    losses = {loss(labels.masked_fill(hidden, -1)) for labels in (batch.labels, batch.labels.where(~hidden, 1))}
    assert len(losses) == 1
    assert loss(torch.full_like(batch.labels, -1)) > 0  # agreement is learned without any label


def test_half_of_a_batch_is_labelled(slices):
    _, stage = stage_of(0)
    batch = stage.batch(slices, CPU)
    assert batch.views[0].shape == batch.unlabelled[0].shape == (2, 3, 16, 16)
    assert batch.labels.shape == (2, 16, 16)


def test_shares_and_names():
    method, _ = stage_of(0)
    assert sum(stage.share for stage in method.stages) == pytest.approx(1)
    assert len({stage.name for stage in method.stages}) == 2


@pytest.mark.parametrize("published", [False, True])
def test_several_structures_and_the_published_network_train(published, slices):
    method = Clcc(dataclasses.replace(PLAN, published=published), 3)
    for stage in method.stages:
        total = torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum()
        total.backward()
        assert torch.isfinite(total)
