"""Our recipe: what its stages train, what the unlabelled slices are called, and that the loss is its equation."""

import dataclasses

import pytest
import torch
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.losses.segmentation import deep_supervision
from mmgl.methods import build_method
from mmgl.structures import UNLABELLED

PLAN = dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3)
CPU = torch.device("cpu")


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))


@pytest.fixture
def method():
    torch.manual_seed(0)
    built = build_method("mmgl+", PLAN, 1)
    built.train()
    return built


def say(network, structure):
    """Make a network call everything ``structure``."""
    with torch.no_grad():
        for parameter in network.classifiers[0].parameters():
            parameter.zero_()
        network.classifiers[0].bias[structure] = 1.0


def total(stage, batch):
    return torch.stack(list(stage.loss(batch, 0.5).values())).sum()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_stage_trains_the_student_and_the_teacher_follows(method, slices, number):
    stage = method.stages[number]
    before = {name: value.clone() for name, value in method.named_parameters()}
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    for _ in range(2):
        optimiser.zero_grad()
        total(stage, stage.batch(slices, CPU)).backward()
        optimiser.step()
    moved = {name for name, value in method.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {name for name in before if name.startswith("student.")}
    stage.after_step(0.5)
    assert torch.equal(method.teacher.network.centre[0].weight, method.student.centre[0].weight)
    assert method.network is method.teacher.network


def test_the_loss_is_the_equation(method, slices):
    stage = method.stages[1]
    batch = stage.batch(slices, CPU)
    say(method.labeller.network, 1)
    (images,), (_, strong), (boxes, partners) = batch.views, batch.unlabelled, batch.boxes
    mixed, target = strong.clone(), torch.ones(len(strong), *strong.shape[2:], dtype=torch.long)
    everything, called = torch.cat([strong, images]), torch.cat([target.clone(), batch.labels])
    for i, (top, left, bottom, right) in enumerate(boxes.tolist()):
        inside = (..., slice(top, bottom), slice(left, right))
        mixed[i][inside] = everything[partners[i]][inside]
        target[i][inside] = called[partners[i]][inside]
    logits = method.student.deep_logits(torch.cat([images, mixed]))
    n = len(images)
    supervised = deep_supervision([m[:n] for m in logits], batch.labels)
    pseudo = deep_supervision([m[n:] for m in logits], target)
    terms = stage.loss(batch, 0.5)
    assert float(terms["supervised"].detach()) == pytest.approx(float(supervised.detach()), rel=1e-5)
    assert float(terms["pseudo"].detach()) == pytest.approx(0.5 * float(pseudo.detach()), rel=1e-5)


@pytest.mark.parametrize("number", [1, 2])
def test_a_round_labels_as_the_teacher_was_at_its_beginning(method, slices, number):
    stage = method.stages[number]
    say(method.teacher.network, 1)
    stage.begin()
    batch = stage.batch(slices, CPU)
    before = stage.loss(batch, 0.0)["pseudo"]
    say(method.teacher.network, 0)
    assert torch.equal(stage.loss(batch, 0.5)["pseudo"], before)
    stage.begin()
    assert not torch.equal(stage.loss(batch, 0.5)["pseudo"], before)


def test_nothing_is_said_of_islands(method, slices, monkeypatch):
    stage = method.stages[1]
    batch = stage.batch(slices, CPU)
    batch.boxes = [torch.zeros_like(batch.boxes[0]), batch.boxes[1]]  # nothing is pasted
    called = torch.zeros(len(batch.labels), 2, *batch.labels.shape[1:])
    called[:, 1, 2:8, 2:8] = called[:, 1, 10:12, 10:12] = 1.0
    monkeypatch.setattr(method.labeller, "forward", lambda images: called)
    target = called.argmax(1)
    target[:, 10:12, 10:12] = UNLABELLED
    n = len(batch.labels)
    logits = method.student.deep_logits(torch.cat([batch.views[0], batch.unlabelled[1]]))
    expected = 0.5 * deep_supervision([m[n:] for m in logits], target)
    found = stage.loss(batch, 0.5)["pseudo"]
    assert float(found.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_unlabelled_pixels_of_labelled_slices_take_no_part(method, slices):
    stage = method.stages[1]
    batch = stage.batch(slices, CPU)
    state = {name: value.clone() for name, value in method.state_dict().items()}
    hidden = torch.rand(batch.labels.shape, generator=torch.Generator().manual_seed(1)) < 0.5

    def loss(labels):
        method.load_state_dict(state)
        return float(total(stage, dataclasses.replace(batch, labels=labels)).detach())

    shown = batch.labels.masked_fill(hidden, UNLABELLED)
    assert loss(shown) == loss(shown.clone())
    assert loss(shown) != loss(batch.labels)
    assert loss(shown) != loss(shown.roll(5, 1))


def test_a_strong_copy_shows_the_same_places_as_the_weak_one(method, slices):
    batch = method.stages[1].batch(slices, CPU)
    weak, strong = batch.unlabelled
    assert weak.shape == strong.shape == batch.views[0].shape
    assert not torch.equal(weak, strong)
    together = torch.stack([weak.flatten(1), strong.flatten(1)], 1)
    for pair in together:
        assert float(torch.corrcoef(pair)[0, 1]) > 0.5
