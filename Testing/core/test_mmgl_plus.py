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
    sampler = SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))
    said = (slice(2, 7), slice(4, 10), slice(10, 40))
    sampler.pseudo = {1: prepared(tmp_path, "said", (9, 14, 50), said)}
    return sampler


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
    (images,), (strong, said), (boxes, partners) = batch.views, batch.unlabelled, batch.boxes
    mixed, target = strong.clone(), said.clone()
    everything, called = torch.cat([strong, images]), torch.cat([said, batch.labels])
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
def test_a_round_labels_as_the_teacher_was_at_its_beginning(method, number):
    stage = method.stages[number]
    say(method.teacher.network, 1)
    stage.begin()
    say(method.teacher.network, 0)
    image = torch.randn(1, 3, 16, 16)
    assert (stage.labeller(image).argmax(1) == 1).all()
    method.train()
    assert not stage.labeller.training
    stage.begin()
    assert (stage.labeller(image).argmax(1) == 0).all()


def test_a_batch_holds_what_is_said_of_unlabelled_slices(method, slices):
    """The image tells where each pixel comes from, so what is said of it can be looked up."""
    stage = method.stages[1]
    stage.strength = 0.0  # of what happens to the numbers
    shown = 0
    for _ in range(20):
        strong, said = stage.batch(slices, CPU).unlabelled
        z, y, x = strong.movedim(1, 0).round().long()
        inside = (z >= 3) & (z < 6) & (y >= 5) & (y < 9) & (x >= 11) & (x < 39) & (said != UNLABELLED)
        outside = (z < 1) | (z > 7) | (y < 3) | (y > 10) | (x < 9) | (x > 40)
        assert (said[inside] == 1).all()
        assert (said[outside] <= 0).all()
        shown += int(inside.sum())
    assert shown > 200


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
