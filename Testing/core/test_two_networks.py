"""CPS, cross teaching and MCSC: who learns what from whom."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.losses.balanced_contrast import balanced_contrast
from mmgl.losses.cross_supervision import half_entropy_half_dice, pseudo_labels, squared_dice
from mmgl.losses.ramp import ramp_up
from mmgl.losses.segmentation import cross_entropy
from mmgl.methods.cps import Cps
from mmgl.methods.cross_teaching import CrossTeaching
from mmgl.methods.mcsc import Mcsc, SharedHead
from mmgl.methods.two_networks import repeatable

PLAN = dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3)
CPU = torch.device("cpu")
ALL = [Cps, CrossTeaching, Mcsc]


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))


def built(kind, plan=PLAN, **options):
    torch.manual_seed(0)
    method = kind(plan, 1, **options)
    method.train()
    (stage,) = method.stages
    return method, stage


def terms(method, stage, batch, progress=0.5):
    """The terms of the loss of an unchanged method: batch normalisation is put back afterwards."""
    state = {k: v.clone() for k, v in method.state_dict().items()}
    values = {k: float(v.detach()) for k, v in stage.loss(batch, progress).items()}
    method.load_state_dict(state)
    return values


# losses


def literal_squared_dice(logits, labels):
    p = logits.softmax(1)
    scores = []
    for c in range(logits.shape[1]):
        shared = total = 0.0
        for n, y, x in (labels >= 0).nonzero().tolist():
            value, target = float(p[n, c, y, x]), float(labels[n, y, x] == c)
            shared += value * target
            total += value**2 + target**2
        scores.append((2 * shared + 1e-5) / (total + 1e-5))
    return 1 - sum(scores) / len(scores)


def test_squared_dice_is_its_equation_and_unlabelled_pixels_take_no_part():
    logits, labels = torch.randn(2, 3, 6, 5), torch.randint(-1, 3, (2, 6, 5))
    assert float(squared_dice(logits, labels)) == pytest.approx(literal_squared_dice(logits, labels), rel=1e-5)
    other = torch.where((labels < 0)[:, None], torch.randn(2, 3, 6, 5), logits)
    assert float(squared_dice(other, labels)) == pytest.approx(float(squared_dice(logits, labels)), rel=1e-6)


def test_a_certain_and_right_network_has_no_loss():
    labels = torch.randint(0, 3, (2, 6, 5))
    logits = F.one_hot(labels, 3).movedim(-1, 1) * 100.0
    assert float(half_entropy_half_dice(logits, labels)) == pytest.approx(0, abs=1e-6)
    assert torch.equal(pseudo_labels(logits), labels)


def test_half_of_each():
    logits, labels = torch.randn(2, 3, 6, 5), torch.randint(0, 3, (2, 6, 5))
    expected = (float(cross_entropy(logits, labels)) + literal_squared_dice(logits, labels)) / 2
    assert float(half_entropy_half_dice(logits, labels)) == pytest.approx(expected, rel=1e-5)


def test_pseudo_labels_have_no_gradient():
    assert not pseudo_labels(torch.randn(1, 2, 3, 3, requires_grad=True)).requires_grad


def test_the_ramp():
    assert 0.1 * ramp_up(0) == pytest.approx(6.7e-4, rel=0.01)
    assert ramp_up(1) == ramp_up(1.5) == 1
    assert ramp_up(-1) == ramp_up(0)
    assert ramp_up(0.5) == pytest.approx(math.exp(-1.25))


# stages


@pytest.mark.parametrize("kind", ALL)
def test_a_stage_trains_its_parameters_and_no_others(kind, slices):
    method, stage = built(kind)
    trained = {id(p) for p in stage.parameters()}
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum().backward()
        optimiser.step()
    moved = {n for n, p in method.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in method.named_parameters() if id(p) in trained}
    coarser = tuple(f"{unet}.classifiers.{i}" for unet in ("network", "second") for i in (1, 2))
    assert moved == {n for n in before if not n.startswith(coarser)}


@pytest.mark.parametrize(("kind", "paces"), [(Cps, [1, 1]), (CrossTeaching, [1, 0.2]), (Mcsc, [1, 0.2, 1])])
def test_every_network_has_its_pace(kind, paces):
    for published, rate in ((False, 2e-3), (True, 5e-4)):
        method, stage = built(kind, dataclasses.replace(PLAN, published=published))
        groups = stage.groups()
        assert [r for _, r in groups] == pytest.approx([rate * pace for pace in paces])
        assert {id(p) for p in groups[0][0]} <= {id(p) for p in method.network.parameters()}
        numbers = [id(p) for parameters, _ in groups for p in parameters]
        assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("kind", ALL)
def test_half_of_a_batch_is_unlabelled(kind, slices):
    _, stage = built(kind)
    batch = stage.batch(slices, CPU)
    assert batch.views[0].shape == batch.unlabelled[0].shape == (2, 3, 16, 16)
    assert (batch.labels >= 0).any()
    _, published = built(kind, dataclasses.replace(PLAN, published=True))
    assert len(published.batch(slices, CPU).labels) == {Cps: 12, CrossTeaching: 8, Mcsc: 2}[kind]


@pytest.mark.parametrize("kind", ALL)
def test_labels_are_read(kind, slices):
    method, stage = built(kind)
    batch = stage.batch(slices, CPU)
    rolled = dataclasses.replace(batch, labels=batch.labels.roll(5, 1))
    assert stage.reads_labels
    assert stage.segments
    assert terms(method, stage, batch)["supervised"] != terms(method, stage, rolled)["supervised"]


@pytest.mark.parametrize("kind", ALL)
def test_unlabelled_pixels_do_not_matter(kind, slices):
    """Whatever is painted under an unlabelled pixel, and with nothing labelled only the networks teach each other."""
    method, stage = built(kind)
    batch = stage.batch(slices, CPU)
    unknown = batch.labels < 0
    unknown[:, :, 8:] = True
    masked = [
        dataclasses.replace(batch, labels=labels.masked_fill(unknown, value))
        for labels, value in ((batch.labels, -1), (batch.labels, -2))
    ]
    assert terms(method, stage, masked[0]) == terms(method, stage, masked[1])
    nothing = dataclasses.replace(batch, labels=torch.full_like(batch.labels, -1))
    values = terms(method, stage, nothing, progress=0.01)
    assert values["supervised"] == pytest.approx(0, abs=1e-4)
    assert values.get("contrast", 0) == 0
    assert values["cross"] > 0


@pytest.mark.parametrize("kind", ALL)
def test_the_same_batch_gives_the_same_loss_and_global_chance_is_left_alone(kind, slices):
    method, stage = built(kind)
    batch = stage.batch(slices, CPU)
    before = torch.get_rng_state()
    first = terms(method, stage, batch)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert terms(method, stage, batch) == first
    if kind is not Cps:
        assert terms(method, stage, dataclasses.replace(batch, seed=batch.seed + 1)) != first


@pytest.mark.parametrize("kind", ALL)
def test_the_weight_of_the_cross_term_rises_to_a_tenth(kind, slices):
    method, stage = built(kind)
    batch = stage.batch(slices, CPU)
    start, middle, risen, end = (terms(method, stage, batch, p)["cross"] for p in (0.0, 0.3, stage.rise, 1.0))
    assert start < middle < risen == end
    assert end / start == pytest.approx(math.exp(5), rel=1e-3)


@pytest.mark.parametrize("kind", [Cps, CrossTeaching])
def test_the_loss_is_its_equation(kind, slices):
    method, stage = built(kind)
    batch = stage.batch(slices, CPU)
    state = {k: v.clone() for k, v in method.state_dict().items()}
    images = torch.cat([batch.views[0], batch.unlabelled[0]])
    first = method.network(images)
    if kind is Cps:
        second = method.second(images)
        apart = cross_entropy
    else:
        with repeatable(batch.seed, CPU):
            second = method.transformer(images)
        apart = squared_dice
    method.load_state_dict(state)
    first, second = first.detach(), second.detach()
    cross = 0.0
    for taught, teacher in ((first, second), (second, first)):
        cross += float(apart(taught[2:], teacher[2:].argmax(1)))
    values = terms(method, stage, batch, 1.0)
    assert values["cross"] == pytest.approx(0.1 * cross, rel=1e-5)
    expected = sum(float(half_entropy_half_dice(p[:2], batch.labels)) for p in (first, second))
    assert values["supervised"] == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_mcsc_is_its_equation(slices):
    method, stage = built(Mcsc)
    batch = stage.batch(slices, CPU)
    state = {k: v.clone() for k, v in method.state_dict().items()}
    cnn, swin = stage.maps(torch.cat([batch.views[0], batch.unlabelled[0]]), batch.seed)
    p, q, y = cnn.logits.detach(), swin.logits.detach(), batch.labels
    called_by_cnn, called_by_swin = p[2:].argmax(1), q[2:].argmax(1)
    labels = torch.cat([y, called_by_swin]), torch.cat([y, called_by_cnn])
    shuffled = torch.Generator().manual_seed(batch.seed)
    contrast = float(stage.contrast(cnn, swin, *labels, torch.arange(4), shuffled).detach())
    method.load_state_dict(state)
    values = terms(method, stage, batch, 0.9)  # the ramp is over, and unlabelled slices are contrasted too
    expected = float(half_entropy_half_dice(p[:2], y)) + float(half_entropy_half_dice(q[:2], y))
    assert values["supervised"] == pytest.approx(expected, rel=1e-5)
    cross = literal_squared_dice(p[2:], called_by_swin) + literal_squared_dice(q[2:], called_by_cnn)
    assert values["cross"] == pytest.approx(0.1 * cross, rel=1e-5)
    assert contrast > 0.1
    assert values["contrast"] == pytest.approx(0.001 * 2 * contrast, rel=1e-5)  # once for each network


def test_the_two_u_nets_of_cps_start_from_different_weights():
    method, _ = built(Cps)
    first, second = (network.encoder[1][0].weight for network in (method.network, method.second))
    assert not torch.equal(first, second)
    fan_in, fan_out = first.shape[1] * 9, first.shape[0] * 9
    assert float(first.detach().std()) == pytest.approx(math.sqrt(2 / fan_in), rel=0.2)
    assert float(second.detach().std()) == pytest.approx(math.sqrt(2 / (fan_in + fan_out)), rel=0.2)


@pytest.mark.parametrize("kind", ALL)
def test_the_published_variant_trains_too(kind, slices):
    _, stage = built(kind, dataclasses.replace(PLAN, published=True))
    stage.published_labelled = 1  # for the test's speed
    total = torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum()
    total.backward()
    assert torch.isfinite(total)


# the contrast of MCSC


def contrast_of(stage, cnn, swin, for_cnn, for_swin, chosen):
    generator = torch.Generator().manual_seed(1)
    return float(stage.contrast(cnn, swin, for_cnn, for_swin, torch.tensor(chosen), generator).detach())


def test_swapping_the_pseudo_labels_changes_the_contrast_of_unlabelled_slices_only(slices):
    _, stage = built(Mcsc)
    batch = stage.batch(slices, CPU)
    batch.labels[:, 4:9, 4:9] = 1
    with torch.no_grad():
        cnn, swin = stage.maps(torch.cat([batch.views[0], batch.unlabelled[0]]), 0)
    y_cnn, y_swin = torch.randint(0, 2, (2, 2, 16, 16))
    crossed = torch.cat([batch.labels, y_swin]), torch.cat([batch.labels, y_cnn])
    swapped = torch.cat([batch.labels, y_cnn]), torch.cat([batch.labels, y_swin])
    assert contrast_of(stage, cnn, swin, *crossed, [0, 1]) == contrast_of(stage, cnn, swin, *swapped, [0, 1])
    assert contrast_of(stage, cnn, swin, *crossed, [2, 3]) != contrast_of(stage, cnn, swin, *swapped, [2, 3])
    assert contrast_of(stage, cnn, swin, *crossed, [0, 1, 2]) != contrast_of(stage, cnn, swin, *swapped, [0, 1, 2])


def test_features_are_called_what_the_other_network_calls_them(slices, monkeypatch):
    method, stage = built(Mcsc)
    batch = stage.batch(slices, CPU)
    seen = {}

    def spy(cnn, swin, for_cnn, for_swin, chosen, generator):
        seen.update(cnn=(cnn, for_cnn), swin=(swin, for_swin), chosen=chosen.tolist())
        return cnn.logits.sum() * 0.0

    monkeypatch.setattr(stage, "contrast", spy)
    terms(method, stage, batch)
    for own, other in (("cnn", "swin"), ("swin", "cnn")):
        assert torch.equal(seen[own][1][:2], batch.labels)
        assert torch.equal(seen[own][1][2:], seen[other][0].logits[2:].argmax(1))
    assert seen["chosen"] == [0, 1, 2, 3]
    terms(method, stage, batch, progress=0.05)
    assert seen["chosen"] == [0, 1]  # only labelled slices at the start


def test_the_contrast_is_that_of_one_set_when_blocks_cover_the_maps(slices):
    _, stage = built(Mcsc)
    stage.blocks = (16, 4)
    batch = stage.batch(slices, CPU)
    with torch.no_grad():
        cnn, swin = stage.maps(torch.cat([batch.views[0], batch.unlabelled[0]]), 0)
        y = torch.randint(0, 2, (4, 16, 16))
        expected = 0.0
        for head, a, b in zip(stage.heads, cnn.scales, swin.scales, strict=True):
            z = head(*(m.movedim(1, -1).reshape(1, -1, m.shape[1]) for m in (a, b)))
            small = F.interpolate(y[:, None].float(), size=a.shape[-2:], mode="nearest-exact").reshape(1, -1)
            expected += float(balanced_contrast(z, torch.cat([small, small], 1), 0.1))
    assert contrast_of(stage, cnn, swin, y, y, [0, 1, 2, 3]) == pytest.approx(expected, rel=1e-5)


def test_both_scales_of_both_networks_fit(slices):
    plan = dataclasses.replace(PLAN, levels=5, slice_size=32)
    method, stage = built(Mcsc, plan)
    with torch.no_grad():
        cnn, swin = stage.maps(torch.randn(1, 3, 32, 32), 0)
    assert [m.shape for m in cnn.scales] == [(1, 4, 32, 32), (1, 32, 4, 4)]
    assert [m.shape for m in swin.scales] == [(1, 8, 32, 32), (1, 16, 4, 4)]
    with torch.no_grad():
        method.eval()
        cnn, swin = stage.maps(torch.randn(1, 3, 32, 32), 0)
        image = torch.randn(1, 3, 32, 32)
        cnn, swin = stage.maps(image, 0)
        assert torch.equal(cnn.logits, method.network(image))
        assert torch.equal(swin.logits, method.swin(image))


def test_blocks_are_the_published_ones_on_the_published_slice():
    _, stage = built(Mcsc, dataclasses.replace(PLAN, slice_size=224))
    assert stage.blocks == (19, 14)


def test_both_networks_meet_in_one_space():
    head = SharedHead(3, 5, norm=True)
    z = head(torch.randn(2, 7, 3), torch.randn(2, 9, 5))
    assert z.shape == (2, 16, 128)
    assert sum(p.numel() for p in head.shared.parameters()) == 256 * 128 + 128


@pytest.mark.parametrize(("released", "progress", "moves"), [(False, 0.5, True), (True, 0.5, False), (True, 0.0, True)])
def test_the_released_program_freezes_the_batch_normalisation(slices, released, progress, moves):
    method, stage = built(Mcsc, released=released)
    before = method.network.encoder[0][1].running_mean.clone()
    stage.loss(stage.batch(slices, CPU), progress)
    assert torch.equal(before, method.network.encoder[0][1].running_mean) != moves
