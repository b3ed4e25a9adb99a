"""The network: sizes of all maps, the published layers, whole slices of any size."""

import pytest
import torch
from torch import nn

from mmgl.networks.heads import GlobalHead, LocalHead
from mmgl.networks.unet import UNet


def test_the_published_network_has_the_maps_of_the_paper():
    network = UNet(1, 8, 64, published=True).eval()
    with torch.inference_mode():
        maps = network.encode(torch.zeros(1, 1, 160, 160))
        decoded = network.decode(maps)
        logits = network.deep_logits(torch.zeros(1, 1, 160, 160))
    sizes = [(64, 160), (128, 80), (256, 40), (512, 20), (512, 20)]
    assert [(m.shape[1], m.shape[2]) for m in maps] == sizes
    assert [(m.shape[1], m.shape[2]) for m in decoded] == [(64, 160), (128, 80), (256, 40), (512, 20)]
    assert [tuple(m.shape) for m in logits] == [(1, 8, 160, 160), (1, 8, 80, 80), (1, 8, 40, 40)]


def test_the_published_network_normalises_the_encoder_only():
    network = UNet(1, 8, 64, published=True)
    assert sum(isinstance(m, nn.InstanceNorm2d) for m in network.encoder.modules()) == 8
    assert not any(isinstance(m, (nn.InstanceNorm2d, nn.BatchNorm2d)) for m in network.decoder.modules())
    assert not any(isinstance(m, (nn.InstanceNorm2d, nn.BatchNorm2d)) for m in network.centre.modules())
    assert sum(isinstance(m, nn.ReLU) for m in network.centre.modules()) == 2


@pytest.mark.parametrize("size", [(64, 64), (48, 96), (16, 32)])
def test_whole_slices_of_any_size_that_the_stride_divides(size):
    network = UNet(2, 3, 8).eval()
    assert network.stride == 16
    assert network(torch.zeros(2, 2, *size)).shape == (2, 3, *size)


def test_our_network_does_not_care_what_lies_far_away():
    """Batch normalisation makes a slice's logits independent of the slice's size, up to the reach of the network."""
    network = UNet(1, 3, 4, levels=3).eval()
    image = torch.randn(1, 1, 128, 128)
    with torch.inference_mode():
        whole, part = network(image), network(image[..., :64])
    assert torch.allclose(whole[..., :24], part[..., :24], atol=1e-5)


def test_forward_is_the_finest_of_the_deep_logits():
    network, image = UNet(1, 3, 4).eval(), torch.randn(1, 1, 32, 32)
    assert torch.equal(network(image), network.deep_logits(image)[0])


def test_heads_give_unit_vectors():
    z = GlobalHead(12)(torch.randn(3, 12, 5, 6))
    assert z.shape == (3, 256)
    assert torch.allclose(z.norm(dim=1), torch.ones(3), atol=1e-5)
    f = LocalHead(12)(torch.randn(3, 12, 5, 6))
    assert f.shape == (3, 128, 5, 6)
    assert torch.allclose(f.norm(dim=1), torch.ones(3, 5, 6), atol=1e-5)
