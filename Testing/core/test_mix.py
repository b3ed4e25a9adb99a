"""Boxes of the right size in every place, and mixing that takes images and labels alike."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgl.data.mix import box_mask, mix, sample_boxes, sample_cutmix_boxes


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@given(height=st.integers(2, 60), width=st.integers(2, 60), seed=st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_a_box_is_exactly_two_thirds_rounded_down_and_inside(height, width, seed):
    box = (2 * height // 3, 2 * width // 3)
    boxes = sample_boxes(5, (height, width), box, generator(seed))
    mask = box_mask(boxes, height, width)
    assert (mask.flatten(1).sum(1) == math.floor(2 / 3 * height + 1e-9) * math.floor(2 / 3 * width + 1e-9)).all()
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= height).all()
    assert (boxes[:, 3] <= width).all()


def test_a_box_comes_to_lie_in_every_place_equally_often():
    boxes = sample_boxes(4000, (9, 7), (6, 4), generator())
    tops, lefts = torch.bincount(boxes[:, 0]), torch.bincount(boxes[:, 1])
    assert len(tops) == 4
    assert len(lefts) == 4
    assert ((tops > 800) & (tops < 1200)).all()
    assert ((lefts > 800) & (lefts < 1200)).all()


def test_a_box_as_large_as_the_slice_is_the_slice():
    assert sample_boxes(2, (5, 8), (5, 8), generator()).tolist() == [[0, 0, 5, 8]] * 2


@pytest.mark.parametrize(
    "draw", [lambda g: sample_boxes(9, (30, 40), (20, 26), g), lambda g: sample_cutmix_boxes(9, (30, 40), g)]
)
def test_the_same_seed_draws_the_same(draw):
    assert torch.equal(draw(generator(1)), draw(generator(1)))
    assert not torch.equal(draw(generator(1)), draw(generator(2)))


def test_a_mask_is_true_inside_only():
    boxes = torch.tensor([[1, 2, 3, 5], [0, 0, 0, 0], [0, 0, 4, 6]])
    mask = box_mask(boxes, 4, 6)
    for n, (top, left, bottom, right) in enumerate(boxes.tolist()):
        for y in range(4):
            for x in range(6):
                assert bool(mask[n, y, x]) == (top <= y < bottom and left <= x < right)


def test_mixing_takes_the_inside_of_the_box_from_the_second():
    boxes = sample_boxes(3, (12, 9), (8, 6), generator())
    images = mix(torch.zeros(3, 2, 12, 9), torch.ones(3, 2, 12, 9), boxes)
    labels = mix(torch.zeros(3, 12, 9, dtype=torch.int64), torch.ones(3, 12, 9, dtype=torch.int64), boxes)
    assert (images == box_mask(boxes, 12, 9)[:, None]).all()
    assert (labels == box_mask(boxes, 12, 9)).all()
    assert labels.dtype == torch.int64


def test_mixing_with_itself_returns_the_image():
    images = torch.rand(4, 2, 15, 15)
    assert torch.equal(mix(images, images, sample_boxes(4, (15, 15), (10, 10), generator())), images)


def test_both_ways_of_mixing_hold_every_pixel_once():
    first, second = torch.rand(4, 1, 15, 15), torch.rand(4, 1, 15, 15)
    boxes = sample_boxes(4, (15, 15), (10, 10), generator())
    torch.testing.assert_close(mix(first, second, boxes) + mix(second, first, boxes), first + second)


def test_cutmix_boxes_have_the_sizes_and_shapes_asked_for():
    boxes = sample_cutmix_boxes(3000, (100, 100), generator(), probability=0.5, area=(0.05, 0.3), longest=2.0)
    height, width = (boxes[:, 2:] - boxes[:, :2]).unbind(1)
    empty = height * width == 0
    assert 0.45 < empty.float().mean() < 0.55
    area, ratio = (height * width)[~empty] / 1e4, (width / height)[~empty]
    assert area.min() > 0.045
    assert area.max() < 0.31
    assert area.max() - area.min() > 0.23
    assert ratio.min() > 0.45
    assert ratio.max() < 2.2
    assert (boxes >= 0).all()
    assert (boxes <= 100).all()


def test_cutmix_boxes_fit_into_thin_slices_and_can_be_left_out():
    boxes = sample_cutmix_boxes(200, (3, 200), generator(), probability=1.0)
    assert (boxes[:, 2] <= 3).all()
    assert (boxes[:, 3] <= 200).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    nothing = sample_cutmix_boxes(20, (30, 30), generator(), probability=0.0)
    assert not box_mask(nothing, 30, 30).any()
