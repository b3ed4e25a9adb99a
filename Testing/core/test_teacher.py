"""The averaged teacher: what it follows, how fast, and what survives a stop."""

from copy import deepcopy

import pytest
import torch

from mmgl.methods.teacher import AveragedTeacher
from mmgl.networks.unet import UNet


@pytest.fixture
def student():
    torch.manual_seed(0)
    return UNet(1, 2, width=2, levels=3)


def shake(network, seed):
    """Move all weights and statistics, as a training step would."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            if value.is_floating_point():
                value.add_(torch.randn(value.shape, generator=generator).abs())
            else:
                value.add_(1)


def weights(network):
    return {name: value.detach().clone() for name, value in network.named_parameters()}


def test_the_first_update_copies_the_student(student):
    teacher = AveragedTeacher(student)
    shake(student, 1)
    teacher.update(student, 0.99)
    assert all(torch.equal(a, b) for a, b in zip(teacher.network.parameters(), student.parameters(), strict=True))


def test_it_follows_as_the_equation_says(student):
    """alpha = min(1 - 1/(step + 1), decay), step by step and number by number."""
    teacher, expected = AveragedTeacher(student), weights(student)
    for step in range(8):
        shake(student, step)
        alpha = min(1 - 1 / (step + 1), 0.8)
        for name, value in weights(student).items():
            expected[name] = alpha * expected[name].double() + (1 - alpha) * value.double()
        teacher.update(student, 0.8)
    for name, value in weights(teacher.network).items():
        torch.testing.assert_close(value.double(), expected[name], rtol=1e-5, atol=1e-5)
    assert int(teacher.steps) == 8


def test_the_first_updates_are_the_plain_mean(student):
    teacher, seen = AveragedTeacher(student), []
    for step in range(5):
        shake(student, step)
        teacher.update(student, 0.99)
        seen.append(student.classifiers[0].weight.detach().clone())
    torch.testing.assert_close(teacher.network.classifiers[0].weight, torch.stack(seen).mean(0))


def test_statistics_are_averaged_like_weights(student):
    """Those of the student belong to its own weights: with averaged weights they can make a teacher that is blind."""
    teacher = AveragedTeacher(student)
    expected = {n: v.clone() for n, v in student.named_buffers()}
    for step in range(3):
        shake(student, step)
        alpha = min(1 - 1 / (step + 1), 0.5)
        for name, value in student.named_buffers():
            kept = alpha * expected[name] + (1 - alpha) * value if value.is_floating_point() else value.clone()
            expected[name] = kept
        teacher.update(student, 0.5)
    for name, value in teacher.network.named_buffers():
        torch.testing.assert_close(value, expected[name])


def test_it_is_a_copy_without_gradients_and_always_evaluates(student):
    teacher = AveragedTeacher(student)
    before = weights(teacher.network)
    shake(student, 0)
    teacher.train()
    logits = teacher(torch.rand(2, 1, 8, 8))
    assert all(torch.equal(value, before[name]) for name, value in weights(teacher.network).items())
    assert not any(p.requires_grad for p in teacher.parameters())
    assert not logits.requires_grad
    assert not any(module.training for module in teacher.modules())
    assert all(p.requires_grad for p in student.parameters())


def test_it_goes_on_from_a_saved_state_as_if_never_stopped(student):
    teacher = AveragedTeacher(student)
    for step in range(3):
        shake(student, step)
        teacher.update(student, 0.99)
    state, other = deepcopy(teacher.state_dict()), AveragedTeacher(UNet(1, 2, width=2, levels=3))
    other.load_state_dict(state)
    shake(student, 3)
    teacher.update(student, 0.99)
    other.update(student, 0.99)
    assert all(
        torch.equal(a, b) for a, b in zip(teacher.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_it_can_start_from_a_trained_student(student):
    teacher = AveragedTeacher(student)
    for step in range(3):
        shake(student, step)
        teacher.update(student, 0.99)
    teacher.start_from(student)
    for own, followed in zip(teacher.network.state_dict().values(), student.state_dict().values(), strict=True):
        assert torch.equal(own, followed)
        assert own.data_ptr() != followed.data_ptr()
