"""Need 12: where networks run on computers without a usable NVIDIA card."""

import pytest
import torch

from mmgl.device import bfloat16_pays, card_unusable, choose_device, precision


@pytest.fixture
def without_card(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize("name", ["auto", "cpu"])
def test_an_apple_chip_is_never_taken_for_a_card(without_card, monkeypatch, name):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device(name).type == "cpu"


@pytest.mark.parametrize(("tool", "there"), [("/usr/bin/nvidia-smi", True), (None, False)])
def test_a_card_that_torch_cannot_use_is_noticed(without_card, monkeypatch, tool, there):
    monkeypatch.setattr("mmgl.device.shutil.which", lambda name: tool)
    assert card_unusable() is there
    assert choose_device("auto").type == "cpu"


def test_the_processor_takes_the_same_steps_in_both_precisions(without_card):
    layer, slices = torch.nn.Conv2d(2, 3, 3), torch.ones(1, 2, 8, 8)
    device = choose_device()
    assert isinstance(bfloat16_pays(device), bool)
    with precision(device, False):
        exact = layer(slices)
    with precision(device, True):
        rounded = layer(slices)
    assert exact.dtype == torch.float32
    assert torch.allclose(exact, rounded.float(), atol=0.05)
