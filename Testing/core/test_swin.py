"""The Swin-UNet: sizes in and out, the published number of weights, and what a window sees."""

import pytest
import torch

from mmgl.networks.swin import WINDOWS, SwinUNet, _Expand, _Stage, window_for


def small(**options):
    torch.manual_seed(0)
    return SwinUNet(2, 3, 8, window=4, **options)


def test_the_published_network_has_its_number_of_weights():
    network = SwinUNet(3, 9)
    assert network.widths == [96, 192, 384, 768]
    assert [stage.blocks[0].num_heads for stage in network.down] == [3, 6, 12, 24]
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(27.17e6, rel=1e-3)


@pytest.mark.parametrize("size", [(128, 128), (100, 37), (5, 129)])
def test_slices_of_any_size_come_back_in_their_size(size):
    network = small().eval()
    with torch.no_grad():
        full, eighth = network.maps(torch.randn(1, 2, *size))
        assert full.shape == (1, 8, *size)
        assert eighth.shape == (1, 16, *(-(-side // 8) for side in size))
        assert network(torch.randn(1, 2, *size)).shape == (1, 3, *size)


def test_filling_up_is_the_same_as_a_slice_that_goes_on_at_its_edge():
    network = small().eval()
    image = torch.randn(1, 2, 90, 128)
    longer = torch.nn.functional.pad(image, (0, 0, 0, 38), mode="replicate")
    with torch.no_grad():
        for short, long in zip(network.maps(image), network.maps(longer), strict=True):
            assert torch.allclose(short, long[:, :, : short.shape[2]], atol=1e-6)


@pytest.mark.parametrize(("width", "heads"), [(8, 1), (32, 1), (64, 2), (100, 3), (96, 3)])
def test_every_width_is_made_a_multiple_of_its_heads(width, heads):
    network = SwinUNet(1, 2, width, window=4)
    assert network.down[0].blocks[0].num_heads == heads
    assert abs(network.widths[0] - width) < heads
    assert all(w % (heads * 2**i) == 0 for i, w in enumerate(network.widths))


@pytest.mark.parametrize(("size", "window"), [(224, 7), (128, 4), (160, 5), (192, 6), (256, 8), (16, 4)])
def test_the_window_is_the_one_that_fits(size, window):
    assert window_for(size) == window


@pytest.mark.parametrize("size", range(16, 520, 16))
def test_no_other_window_needs_less_padding(size):
    def padded(window):
        return -(-size // (32 * window)) * 32 * window

    assert padded(window_for(size)) == min(padded(w) for w in WINDOWS)


def test_shifted_windows_join_neighbours_and_keep_opposite_edges_apart():
    torch.manual_seed(0)
    stage = _Stage(8, 1, 4, [0.0, 0.0]).eval()
    tokens = torch.randn(1, 12, 12, 8)
    changed = tokens.clone()
    changed[0, 3, 3] = torch.randn(8)
    with torch.no_grad():
        differs = (stage(tokens) - stage(changed)).abs().sum(-1)[0] > 1e-6
    assert differs[:4, :4].all()  # the token's own window
    assert differs[4:6, 4:6].all()  # its neighbour, reached by the shifted window
    assert not differs[8:].any()
    corner = tokens.clone()
    corner[0, 0, 0] = torch.randn(8)
    with torch.no_grad():
        differs = (stage(tokens) - stage(corner)).abs().sum(-1)[0] > 1e-6
    assert not differs[-2:].any()  # the shifted window wraps around; the mask holds
    assert not differs[:, -2:].any()


def test_a_token_becomes_a_square_of_tokens_in_its_place():
    expand = _Expand(4, 4, 2)
    tokens = torch.randn(1, 3, 5, 4)
    changed = tokens.clone()
    changed[0, 1, 2] += 1
    with torch.no_grad():
        differs = (expand(tokens) - expand(changed)).abs().sum(-1)[0] > 1e-6
    assert differs.shape == (6, 10)
    assert differs.nonzero().tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_every_weight_learns():
    network = small(drop_path=0.0)
    network(torch.randn(2, 2, 128, 128)).square().sum().backward()
    assert not [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]


def test_paths_are_dropped_only_while_training():
    network = small(drop_path=0.5)
    image = torch.randn(4, 2, 64, 64)
    with torch.no_grad():
        assert not torch.equal(network(image), network(image))
        network.eval()
        assert torch.equal(network(image), network(image))
