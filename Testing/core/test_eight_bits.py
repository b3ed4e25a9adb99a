"""The network in eight bits: nearly the same labels, the same shape of everything, and told where it is no faster."""

import numpy as np
import pytest
import torch
from models import predictor
from test_predictor import scan_of

from mmgl.data.plan import PLANES, Normalisation, Plan
from mmgl.device import choose_device
from mmgl.inference import eight_bits
from mmgl.inference.eight_bits import EightBits, _pooled, _side_by_side, eight_bits_pay, examples
from mmgl.inference.settings import Settings

CPU = choose_device("cpu")


@pytest.fixture
def segmenter(tmp_path):
    """A predictor with a network wide enough to be rounded well, and three planes."""
    plan = Plan((1.0, 1.0, 1.0), PLANES, 32, (Normalisation("scan"),), width=8, levels=4)
    return predictor(tmp_path, plan=plan)


needs_operators = pytest.mark.skipif(
    not hasattr(torch.ops.onednn, "qconv2d_pointwise"), reason="this torch has no convolutions in eight bits"
)


@needs_operators
def test_logits_are_nearly_those_of_the_network(segmenter):
    generator = torch.Generator().manual_seed(0)
    slices = torch.randn(4, 1, 48, 32, generator=generator).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        exact = segmenter.network(slices)
        near = EightBits(segmenter.network, [slices])(slices)
    assert near.shape == exact.shape
    assert (near - exact).abs().mean() < 0.05 * exact.std()
    assert (near.argmax(1) == exact.argmax(1)).float().mean() > 0.97


@needs_operators
def test_a_scan_gets_nearly_the_same_labels_in_eight_bits(segmenter, monkeypatch):
    monkeypatch.setattr(eight_bits, "_pay", lambda: True)
    scan = scan_of(size=(24, 40, 36))
    exact, near = segmenter.result(scan).labelmap, segmenter.result(scan, Settings(fast=True))
    assert not near.findings
    assert len(np.unique(exact)) == 3
    assert 0.97 < (near.labelmap == exact).mean() < 1


def test_where_it_is_no_faster_that_is_told_and_labels_are_the_same(segmenter, monkeypatch):
    monkeypatch.setattr(eight_bits, "_pay", lambda: False)
    scan = scan_of(size=(24, 40, 36))
    found = segmenter.result(scan, Settings(fast=True))
    assert [finding.key for finding in found.findings] == ["segment.not_faster"]
    assert (found.labelmap == segmenter.result(scan).labelmap).all()


def test_it_pays_for_many_slices_on_a_processor_only(segmenter, monkeypatch):
    monkeypatch.setattr(eight_bits, "_pay", lambda: True)
    plan, network = segmenter.card.plan, segmenter.network
    many, few = torch.zeros(1, 24, 40, 36), torch.zeros(1, 19, 40, 36)
    assert eight_bits_pay(network, many, plan, CPU)
    assert not eight_bits_pay(network, few, plan, CPU)
    assert not eight_bits_pay(network, many, plan, torch.device("cuda"))
    network.activate_centre = True  # the published network
    assert not eight_bits_pay(network, many, plan, CPU)


def test_without_the_operators_it_does_not_pay(monkeypatch):
    def missing(*_):
        raise AttributeError("qconv_prepack")

    monkeypatch.setattr(eight_bits, "_Convolution", missing)
    assert not eight_bits._pay.__wrapped__()


def test_examples_are_spread_over_each_plane():
    image = torch.arange(22.0)[None, :, None, None].expand(1, 22, 17, 30)
    plan = Plan((1.0, 1.0, 1.0), PLANES, 32, (Normalisation("scan"),))
    axial, coronal, _ = examples(image, plan, 16)
    assert axial[:, 0, 0, 0].tolist() == [2, 6, 11, 15, 19]
    assert (axial.shape, coronal.shape) == ((5, 1, 32, 32), (5, 1, 32, 32))
    few = examples(image[:, :3], plan, 16)[0]
    assert few[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_bytes_are_pooled_and_put_side_by_side_as_torch_does_it():
    generator = torch.Generator().manual_seed(0)
    skip = torch.randint(0, 256, (2, 3, 8, 6), generator=generator, dtype=torch.uint8)
    assert torch.equal(_pooled(skip), torch.nn.functional.max_pool2d(skip.float(), 2).to(torch.uint8))
    up = torch.randint(0, 256, (2, 4, 8, 6), generator=generator, dtype=torch.uint8)
    split = up.permute(0, 2, 3, 1).reshape(2, 4, 2, 3, 2, 4)
    assert torch.equal(_side_by_side(split, skip), torch.cat([up, skip], 1))
