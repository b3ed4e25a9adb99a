"""Mean teacher, UA-MT, BCP and UniMatch: what they train, what they read, and their losses as the equations say."""

import dataclasses
import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from test_slices import PLAN, prepared

from mmgl.data.components import largest_components
from mmgl.data.mix import box_mask
from mmgl.data.slices import SliceSampler
from mmgl.losses.cross_supervision import squared_dice
from mmgl.methods.bcp import Bcp
from mmgl.methods.mean_teacher import MeanTeacher
from mmgl.methods.stage import Batch
from mmgl.methods.ua_mt import UaMt, dropping_logits
from mmgl.methods.unimatch import UniMatch
from mmgl.networks.perturb import dropout, noisy
from mmgl.structures import Structure
from mmgl.training.budget import Budget
from mmgl.training.loop import Trainer
from mmgl.training.rehearsal import TIMED, UNTIMED
from mmgl.training.run import Run

PLAN = dataclasses.replace(PLAN, width=4, batch=6, levels=4, normalisation=PLAN.normalisation * 3)
CPU = torch.device("cpu")
METHODS = {"mean-teacher": MeanTeacher, "ua-mt": UaMt, "bcp": Bcp, "unimatch": UniMatch}
STAGES = [
    (name, i) for name, count in (("mean-teacher", 1), ("ua-mt", 1), ("bcp", 2), ("unimatch", 1)) for i in range(count)
]
every_stage = pytest.mark.parametrize(("name", "number"), STAGES)
every_method = pytest.mark.parametrize("name", METHODS)


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    for case in cases:  # their voxels say where they are; here they need the size of a normalised scan
        np.save(case.image_file, np.load(case.image_file) / np.float16(10))
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))


def built(name, number=0, plan=PLAN, structures=1, **switches):
    torch.manual_seed(0)
    method = METHODS[name](plan, structures, **switches)
    return method, method.stages[number]


def terms(stage, batch, progress=0.5):
    return {key: float(value.detach()) for key, value in stage.loss(batch, progress).items()}


def total(stage, batch, progress=0.5):
    return sum(terms(stage, batch, progress).values())


def literal_dice(probabilities, labels):
    """Mean over outputs of 1 - 2 sum(p y) / (sum(p^2) + sum(y^2)), pixel by pixel, over what is labelled."""
    losses = []
    for c in range(probabilities.shape[1]):
        shared = squares = 0.0
        for n, y, x in torch.nonzero(labels >= 0).tolist():
            p, own = float(probabilities[n, c, y, x]), float(labels[n, y, x] == c)
            shared, squares = shared + p * own, squares + p * p + own
        losses.append(1 - (2 * shared + 1e-5) / (squares + 1e-5))
    return sum(losses) / len(losses)


def literal_segmentation(logits, labels):
    """Half cross-entropy, half Dice."""
    probabilities = logits.detach().double().softmax(1)
    known = torch.nonzero(labels >= 0).tolist()
    entropy = sum(-math.log(float(probabilities[n, labels[n, y, x], y, x])) for n, y, x in known) / max(1, len(known))
    return 0.5 * entropy + 0.5 * literal_dice(probabilities, labels)


def ramp(progress):
    return math.exp(-5 * (1 - progress) ** 2)


# What every method must do


@every_stage
def test_a_stage_trains_the_student_and_nothing_else(name, number, slices):
    method, stage = built(name, number)
    student = method.student if name == "mean-teacher" else method.network
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    method.train()
    for _ in range(2):
        optimiser.zero_grad()
        torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum().backward()
        optimiser.step()
    moved = {id(p) for n, p in method.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {id(p) for p in student.parameters()} - {id(p) for p in student.classifiers[1:].parameters()}


@every_stage
def test_labels_matter_and_unlabelled_pixels_do_not(name, number, slices):
    method, stage = built(name, number)
    method.train()
    batch = stage.batch(slices, CPU)
    state = deepcopy(method.state_dict())

    def loss(labels):
        method.load_state_dict(state)
        return total(stage, dataclasses.replace(batch, labels=labels))

    assert loss(batch.labels) == loss(batch.labels)
    assert stage.reads_labels
    assert loss(batch.labels) != loss(batch.labels.roll(5, 1))
    hidden = (torch.rand(batch.labels.shape, generator=torch.Generator().manual_seed(1)) < 0.5) | (batch.labels < 0)
    painted = (batch.labels + 1) % 2  # what would have been painted differs everywhere, what is shown does not
    painted = torch.where(hidden, painted, batch.labels)
    assert loss(batch.labels.masked_fill(hidden, -1)) == loss(painted.masked_fill(hidden, -1))
    assert loss(batch.labels.masked_fill(hidden, -1)) == loss(batch.labels.masked_fill(hidden, -7))


@every_stage
def test_wholly_unlabelled_slices_leave_nothing_of_the_supervised_term(name, number, slices):
    method, stage = built(name, number)
    method.train()
    batch = stage.batch(slices, CPU)
    result = terms(stage, dataclasses.replace(batch, labels=torch.full_like(batch.labels, -1)))
    assert result["supervised"] == pytest.approx(0, abs=1e-6)


@every_stage
def test_chance_comes_from_the_slices_generator_only(name, number, slices):
    state = torch.get_rng_state()
    method, stage = built(name, number)
    torch.set_rng_state(state)
    method.train()
    weights, randomness = deepcopy(method.state_dict()), slices.generator.get_state()
    results = []
    for _ in range(2):
        method.load_state_dict(weights)
        slices.generator.set_state(randomness)
        results.append([terms(stage, stage.batch(slices, CPU)) for _ in range(2)])
    assert results[0] == results[1]
    assert results[0][0] != results[0][1]
    assert torch.equal(torch.get_rng_state(), state)


@every_stage
def test_the_published_plan_takes_the_papers_batch(name, number, slices):
    plan = dataclasses.replace(PLAN, published=True, width=2)
    _, stage = built(name, number, plan)
    batch = stage.batch(slices, CPU)
    assert len(batch.labels) == 12
    assert all(len(view) == 12 for view in batch.unlabelled)
    value = torch.stack(list(stage.loss(batch, 0.5).values())).sum()
    value.backward()
    assert torch.isfinite(value)
    assert stage.learning_rate == 5e-4


@every_method
def test_shares_add_up_and_stages_have_different_names(name):
    method, _ = built(name)
    assert sum(stage.share for stage in method.stages) == 1
    assert len({stage.name for stage in method.stages}) == len(method.stages)


@every_method
def test_a_state_holds_every_tensor_once(name):
    method, _ = built(name)
    places = [value.data_ptr() for value in method.state_dict().values() if value.numel() > 1]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("name", ["mean-teacher", "ua-mt", "bcp"])
def test_the_teacher_follows_after_each_step(name, slices):
    method, _ = built(name)
    stage = method.stages[-1]
    student = stage.network
    with torch.no_grad():
        for p in student.parameters():
            p.add_(1)
    stage.after_step(0.1)
    assert all(
        torch.equal(a, b) for a, b in zip(method.teacher.network.parameters(), student.parameters(), strict=True)
    )
    with torch.no_grad():
        for p in student.parameters():
            p.add_(1)
    stage.after_step(0.2)
    for a, b in zip(method.teacher.network.parameters(), student.parameters(), strict=True):
        torch.testing.assert_close(a, b - 0.5)
    assert int(method.teacher.steps) == 2


REHEARSED = UNTIMED + TIMED  # steps of each stage before the first one that counts


@pytest.mark.parametrize("name", ["mean-teacher", "ua-mt", "bcp"])
def test_the_teacher_evaluates_while_the_student_trains(name):
    method, stage = built(name)
    method.train()
    assert not method.teacher.network.training
    assert stage.network.training


@every_method
def test_going_on_gives_the_same_weights_as_never_stopping(name, slices, tmp_path, monkeypatch):
    """The average and its count of updates survive a stop in the middle of the last stage."""
    monkeypatch.setattr("mmgl.training.loop.SAVE_SECONDS", 0.0)
    beginning = slices.generator.get_state()

    class StoppedError(Exception):
        pass

    def trained(folder, stop_at=None):
        method, taken = built(name)[0], []
        trainer = Trainer(method, slices, [], PLAN, [Structure(1, "Ball", (200, 0, 0))], Run(tmp_path / folder), CPU)
        step = trainer._step

        def stopping(*inputs):
            if stop_at is not None and len(taken) == stop_at + REHEARSED * len(method.stages):
                raise StoppedError
            taken.append(1)
            return step(*inputs)

        trainer._step = stopping
        trainer.resume()
        trainer.fit(Budget(steps=8))
        return method.state_dict()

    whole = trained("whole")
    slices.generator.set_state(beginning)
    with pytest.raises(StoppedError):
        trained("stopped", 5)
    slices.generator.manual_seed(7)
    gone_on = trained("stopped")
    assert all(torch.equal(value, gone_on[key]) for key, value in whole.items())


# Mean teacher


def test_mean_teacher_keeps_the_teacher():
    method, stage = built("mean-teacher")
    assert method.network is method.teacher.network
    assert stage.network is method.student
    assert not any(key.startswith("network.") for key in method.state_dict())


@pytest.mark.parametrize("released", [False, True])
def test_mean_teacher_is_what_the_equation_says(released, slices):
    method, stage = built("mean-teacher", released=released)
    method.eval()  # so that the student can be asked again
    batch = stage.batch(slices, CPU)
    n = len(batch.labels)
    images = torch.cat([batch.views[0], batch.unlabelled[0]])
    with torch.no_grad():
        logits = stage.network(images)
        perturbed = noisy(images[n:] if released else images, batch.generator())
        target = method.teacher.network(perturbed).softmax(1)
    own = logits.softmax(1)[n:] if released else logits.softmax(1)
    squares = [(float(a) - float(b)) ** 2 for a, b in zip(own.flatten(), target.flatten(), strict=True)]
    result = terms(stage, batch, 0.6)
    assert result["supervised"] == pytest.approx(literal_segmentation(logits[:n], batch.labels), rel=1e-4)
    assert result["consistency"] == pytest.approx(0.1 * ramp(0.6) * sum(squares) / len(squares), rel=1e-4)


def test_mean_teacher_weight():
    _, stage = built("mean-teacher")
    assert stage.weight(0.0) == pytest.approx(6.7e-4, rel=0.01)
    assert stage.weight(1.0) == pytest.approx(0.1)
    _, released = built("mean-teacher", released=True)
    assert released.weight(0.03) == 0
    assert released.weight(0.04) == stage.weight(0.04)


def test_the_student_learns_from_the_teacher_and_not_the_other_way_round(slices):
    method, stage = built("mean-teacher")
    stage.loss(stage.batch(slices, CPU), 1.0)["consistency"].backward()
    assert all(p.grad is None for p in method.teacher.parameters())
    assert any(p.grad is not None and p.grad.any() for p in method.student.parameters())


# UA-MT


@pytest.mark.parametrize(("released", "leaning"), [(False, 1.0), (True, 2.0)])
def test_ua_mt_is_what_the_equation_says(released, leaning, slices):
    method, stage = built("ua-mt", structures=2, released=released)
    method.eval()
    with torch.no_grad():  # stronger opinions, so that some pixels are certain enough and some are not
        method.teacher.network.classifiers[0].weight.mul_(100)
        method.teacher.network.classifiers[0].bias[0] = leaning
    batch, progress = stage.batch(slices, CPU), 0.3
    n, generator = len(batch.labels), batch.generator()
    images = torch.cat([batch.views[0], batch.unlabelled[0]])
    with torch.no_grad():
        logits = dropping_logits(method.network, images, generator)
        seen = images[n:] if released else images
        passes = [
            dropping_logits(method.teacher.network, noisy(seen, generator), generator).softmax(1) for _ in range(9)
        ]
    own, target, mean = logits.softmax(1)[-len(seen) :], passes[0], sum(passes[1:]) / 8
    threshold = (0.75 + 0.25 * ramp(progress)) * math.log(2 if released else 3)
    distance = count = 0.0
    for i in range(len(seen)):
        for y in range(16):
            for x in range(16):
                p = [float(mean[i, c, y, x]) for c in range(3)]
                if -sum(v * math.log(v) for v in p if v > 0) < threshold:
                    distance += sum((float(own[i, c, y, x]) - float(target[i, c, y, x])) ** 2 for c in range(3))
                    count += 1
    assert 0 < count < len(seen) * 256
    expected = 0.1 * ramp(progress) * distance / count / (2 if released else 1)
    result = terms(stage, batch, progress)
    assert result["consistency"] == pytest.approx(expected, rel=1e-4)
    assert result["supervised"] == pytest.approx(literal_segmentation(logits[:n], batch.labels), rel=1e-4)


def test_ua_mt_asks_with_noise_and_dropout_eight_times(slices):
    method, stage = built("ua-mt")
    assert stage.passes == 8
    calls = []
    method.teacher.network.classifiers[0].register_forward_hook(lambda *a: calls.append(a[2].detach().clone()))
    batch = stage.batch(slices, CPU)
    stage.loss(batch, 0.5)
    assert len(calls) == 9  # eight for the mean, one to be consistent with
    assert not any(torch.equal(calls[0], other) for other in calls[1:])
    assert all(len(c) == 2 * len(batch.labels) for c in calls)


def test_nothing_is_dropped_when_ua_mt_segments():
    method, _ = built("ua-mt")
    method.eval()
    images = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(method.network(images), method.network(images))
        assert not torch.equal(
            dropping_logits(method.network, images, torch.Generator().manual_seed(0)), method.network(images)
        )


# BCP


def test_a_box_of_bcp_is_two_thirds_rounded_down(slices):
    for number in (0, 1):
        _, stage = built("bcp", number)
        batch = stage.batch(slices, CPU)
        assert len(batch.boxes[0]) == 3
        assert len(batch.labels) == 6
        assert (box_mask(batch.boxes[0], 16, 16).flatten(1).sum(1) == 10 * 10).all()


def test_bcp_pastes_labelled_slices_into_each_other_first(slices):
    method, stage = built("bcp", 0)
    method.eval()
    batch = stage.batch(slices, CPU)
    inside = box_mask(batch.boxes[0], 16, 16)
    (x_a, x_b), (y_a, y_b) = batch.views[0].chunk(2), batch.labels.chunk(2)
    expected = 0.0
    for outer, inner, y_outer, y_inner in ((x_a, x_b, y_a, y_b), (x_b, x_a, y_b, y_a)):
        mixed = outer * ~inside[:, None] + inner * inside[:, None]
        with torch.no_grad():
            logits = method.network(mixed)
        expected += literal_segmentation(logits, y_outer.masked_fill(inside, -1))
        expected += literal_segmentation(logits, y_inner.masked_fill(~inside, -1))
    assert total(stage, batch) == pytest.approx(expected, rel=1e-4)


def test_bcp_is_what_the_equations_say(slices):
    method, stage = built("bcp", 1)
    method.eval()
    with torch.no_grad():
        method.teacher.network.classifiers[0].weight.mul_(100)
        method.teacher.network.classifiers[0].bias.zero_()
    batch = stage.batch(slices, CPU)
    outside = ~box_mask(batch.boxes[0], 16, 16)  # M of the paper
    m = outside[:, None].float()
    (x_a, x_b), (y_a, y_b), (u_a, u_b) = batch.views[0].chunk(2), batch.labels.chunk(2), batch.unlabelled[0].chunk(2)
    with torch.no_grad():
        p_a, p_b = (largest_components(method.teacher.network(u).argmax(1)) for u in (u_a, u_b))
        q_in, q_out = method.network(u_a * m + x_a * (1 - m)), method.network(x_b * m + u_b * (1 - m))
    assert not torch.equal(p_a, p_b)
    painted = literal_segmentation(q_in, y_a.masked_fill(outside, -1)) + literal_segmentation(
        q_out, y_b.masked_fill(~outside, -1)
    )
    guessed = literal_segmentation(q_in, p_a.masked_fill(~outside, -1)) + literal_segmentation(
        q_out, p_b.masked_fill(outside, -1)
    )
    result = terms(stage, batch)
    assert result["supervised"] == pytest.approx(painted, rel=1e-4)
    assert result["pseudo"] == pytest.approx(0.5 * guessed, rel=1e-4)


def test_only_the_largest_pieces_of_the_teacher_are_learned_from(slices, monkeypatch):
    method, stage = built("bcp", 1)
    method.eval()
    batch = stage.batch(slices, CPU)
    spotted = torch.zeros(6, 2, 16, 16)
    spotted[:, 1] = -5.0
    spotted[:, 1, 2:9, 2:9] = spotted[:, 1, 12, 12] = 5.0
    whole = spotted.clone()
    whole[:, 1, 12, 12] = -5.0
    results = []
    for logits in (spotted, whole):
        monkeypatch.setattr(method.teacher.network, "forward", lambda _, logits=logits: logits)
        results.append(total(stage, batch))
    assert results[0] == results[1]


def test_the_teacher_of_bcp_starts_where_the_first_stage_ended():
    method, stage = built("bcp", 1)
    with torch.no_grad():
        for p in method.network.parameters():
            p.add_(0.1)
    stage.begin()
    pairs = zip(method.teacher.network.state_dict().values(), method.network.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    followed = method.teacher.network.classifiers[0].bias.clone()
    with torch.no_grad():
        method.network.classifiers[0].bias.add_(1.0)
    stage.after_step(0.0)  # not the plain mean of the first few any more
    assert torch.allclose(method.teacher.network.classifiers[0].bias, followed + 0.01)


# UniMatch


def test_unimatch_has_a_weak_and_two_strong_copies_of_the_same_slices(slices):
    _, stage = built("unimatch")
    batch = stage.batch(slices, CPU)
    weak, first, second = (view.flatten(1) for view in batch.unlabelled)
    assert len(batch.labels) == 2
    assert len(batch.boxes) == 2
    assert not torch.equal(first, weak)
    assert not torch.equal(second, weak)
    assert not torch.equal(first, second)
    for strong in (first, second):
        moved = [v - v.mean(1, keepdim=True) for v in (weak, strong)]
        assert (torch.nn.functional.cosine_similarity(*moved) > 0.7).all()  # nothing has moved


def test_unimatch_is_what_the_equation_says(slices):
    method, stage = built("unimatch", plan=dataclasses.replace(PLAN, batch=9))
    method.eval()
    stage.threshold = 0.6
    batch = stage.batch(slices, CPU)
    with torch.no_grad():  # strong opinions, as many of one kind as of the other
        method.network.classifiers[0].weight.mul_(300)
        first, second = method.network(batch.unlabelled[0]).unbind(1)
        method.network.classifiers[0].bias[0] -= (first - second).median()
    n, generator = len(batch.labels), batch.generator()
    boxes = torch.tensor([[[2, 3, 9, 12], [0, 0, 0, 0], [4, 0, 16, 9]], [[5, 1, 12, 8], [4, 4, 10, 16], [0, 0, 0, 0]]])
    batch = dataclasses.replace(batch, boxes=list(boxes))
    weak, *strong = batch.unlabelled
    network = method.network
    with torch.no_grad():
        # the order of what is drawn is that of the maps, finest first; the centre's is dropped before it is enlarged
        images = torch.stack([*batch.views, weak], 1).flatten(0, 1)
        *skips, last, _ = network.encode(images)
        maps = [*skips, last, network.centre(torch.nn.functional.max_pool2d(last, 2))]
        *skips, centre = [dropout(m, generator, whole_channels=True)[1::2] for m in maps]
        features = network.classifiers[0](network.decode([*skips, network.up[0](centre)])[0])
        logits = network(torch.cat([*batch.views, weak]))
        probability, found = logits[n:].softmax(1).max(1)
        believed = torch.where(probability >= 0.6, found, -1)
        assert set(believed.unique().tolist()) == {-1, 0, 1}
        expected = 0.0
        for view, own in zip(strong, boxes, strict=True):
            images, labels = view.clone(), believed.clone()
            for i, (top, left, bottom, right) in enumerate(own.tolist()):
                other = (i + 1) % n
                images[i, :, top:bottom, left:right] = view[other, :, top:bottom, left:right]
                labels[i, top:bottom, left:right] = believed[other, top:bottom, left:right]
            expected += 0.25 / 2 * literal_dice(network(images).softmax(1), labels)
    result = terms(stage, batch)
    assert result["supervised"] == pytest.approx(literal_segmentation(logits[:n], batch.labels) / 2, rel=1e-4)
    assert result["strong"] == pytest.approx(expected, rel=1e-4)
    assert result["features"] == pytest.approx(0.5 / 2 * literal_dice(features.softmax(1), believed), rel=1e-4)


def test_unimatch_learns_nothing_from_what_it_is_not_sure_of(slices):
    method, stage = built("unimatch")
    with torch.no_grad():
        method.network.classifiers[0].weight.zero_()
        method.network.classifiers[0].bias.zero_()
    assert stage.threshold == 0.95
    result = terms(stage, stage.batch(slices, CPU))
    assert result["strong"] == pytest.approx(0, abs=1e-6)
    assert result["features"] == pytest.approx(0, abs=1e-6)
    assert result["supervised"] > 0


def test_no_gradient_flows_through_what_the_network_tells_itself(slices):
    _, stage = built("unimatch")
    stage.threshold = 0.0
    batch = stage.batch(slices, CPU)
    seen = []

    def watch(logits, labels):
        seen.append(labels)
        return squared_dice(logits, labels)

    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.setattr("mmgl.methods.unimatch.squared_dice", watch)
        stage.loss(batch, 0.5)
    assert len(seen) == 3
    assert not any(labels.requires_grad for labels in seen)
    assert all(labels.dtype == torch.int64 for labels in seen)


def test_a_batch_draws_the_same_again():
    images, labels = torch.zeros(1, 1, 4, 4), torch.zeros(1, 4, 4, dtype=torch.int64)
    batch = Batch([images], labels, seed=3)
    assert torch.equal(torch.rand(3, generator=batch.generator()), torch.rand(3, generator=batch.generator()))
