"""The network in whole numbers of eight bits, which some processors multiply three to four times as fast.

Weights are rounded for each channel they make, maps for each layer after their channels were made more alike, which the
next weights make good (Jacob et al. 2018, Quantization and Training of Neural Networks; Nagel et al. 2019, Data-Free
Quantization). How large numbers are is looked up in a few slices of the scan. The first convolution and the classifier
are not rounded. What leaks through an activation below zero is about a step of the rounding: it is left out, and what
it adds on average goes into the next bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgl.data.plan import PLANES, Plan
from mmgl.device import FASTER, times_in_turns
from mmgl.networks.unet import UNet

SLICES = 5
"""Of each plane, evenly spread, in which it is looked up how large the numbers of a channel are."""

ENOUGH = 4
"""With fewer than this many times as many slices in a plane, looking takes most of what is won."""


Parts = tuple[list[nn.Conv2d], list[nn.Module]]


@dataclass(frozen=True)
class Scale:
    """How numbers are written in a byte: ``step`` times what it is above ``zero``."""

    step: float
    zero: int


ALONE, JOINED = Scale(1 / 255, 0), Scale(1.5 / 255, 85)
"""Maps from 0 to 1, and from -0.5 to 1 where what comes up lies beside an encoder's map: that has no activation."""


class EightBits:
    """A U-Net in eight bits; takes slices and returns logits as the network itself does.

    Args:
        network: on the processor, its norms folded; not the published one.
        examples: slices (N, C, h, w), one batch of each plane.
    """

    def __init__(self, network: UNet, examples: Sequence[Tensor]) -> None:
        seen = _Seen(network, examples)
        blocks = [_parts(block) for block in (*network.encoder, network.centre)]
        (first, (inner, _)), *_ = blocks
        self._first = _scaled(seen, first[0], None, inner).contiguous(memory_format=torch.channels_last)
        self._first_bias = seen.bias(first[0]) / seen.tops[inner]
        self._down: list[list[_Convolution]] = []
        tops: list[Tensor] = []
        for number, block in enumerate(blocks):
            made = JOINED if number < len(network.encoder) else ALONE
            self._down.append(_block(seen, block, tops[-1] if tops else None, JOINED, made))
            tops.append(seen.tops[block[1][1]])
        before = tops.pop()
        self._ups, self._decoder = [], []
        for layer, decoder in zip(network.up, network.decoder, strict=True):
            block, last = _parts(decoder), decoder is network.decoder[-1]
            self._ups.append(_Up(seen, layer, before))
            both = torch.cat([seen.tops[layer], tops.pop()])
            self._decoder.append(_block(seen, block, both, JOINED, None if last else ALONE))
            before = seen.tops[block[1][1]]
        classifier = network.classifiers[0]
        self._classifier, self._classifier_bias = _scaled(seen, classifier, before, None), seen.bias(classifier)

    def __call__(self, slices: Tensor) -> Tensor:
        """Return the logits (N, outputs, H, W) of slices (N, channels, H, W)."""
        x = F.conv2d(slices, self._first, self._first_bias, padding=1)
        x = x.mul_(255).round_().clamp_(0, 255).to(torch.uint8)
        maps = []
        for number, block in enumerate(self._down):
            x = _pooled(x) if number else x
            for convolution in block:
                x = convolution(x)
            maps.append(x)
        maps.pop()
        for up, block in zip(self._ups, self._decoder, strict=True):
            x = _side_by_side(up(x), maps.pop())
            for convolution in block:
                x = convolution(x)
        return F.conv2d(x, self._classifier, self._classifier_bias)


class _Convolution:
    """A convolution from bytes to bytes, or to float32 where ``made`` is None, and its activation, if it has one."""

    def __init__(self, weight: Tensor, bias: Tensor, given: Scale, made: Scale | None, activation: str) -> None:
        steps = (weight.abs().amax((1, 2, 3)) / 127).clamp_(min=1e-12)
        rounded = (weight / steps[:, None, None, None]).round_().to(torch.int8).contiguous()
        around, one = [weight.shape[-1] // 2] * 2, [1, 1]
        packed = torch.ops.onednn.qconv_prepack(rounded, steps, given.step, given.zero, one, around, one, 1, None)
        zeros = torch.zeros(len(weight), dtype=torch.int32)
        kind = torch.float32 if made is None else torch.uint8
        self._given = (given.step, given.zero, packed, steps, zeros, bias)
        scale = made or Scale(1.0, 0)
        self._made: tuple[Any, ...] = (one, around, one, 1, scale.step, scale.zero, kind, activation, [], "")

    def __call__(self, x: Tensor) -> Tensor:
        found: Tensor = torch.ops.onednn.qconv2d_pointwise(x, *self._given, *self._made)
        return found


class _Up:
    """A transposed convolution that doubles the size: a convolution of single pixels into four pixels each."""

    def __init__(self, seen: _Seen, layer: nn.Module, before: Tensor) -> None:
        top, (kernel, _) = seen.tops[layer], layer.parameters()
        weight = kernel.detach() * before[:, None, None, None] / top[:, None, None]
        single = weight.permute(2, 3, 1, 0).reshape(4 * len(top), len(before), 1, 1)
        self._convolution = _Convolution(single, (seen.bias(layer) / top).repeat(4), ALONE, JOINED, "none")

    def __call__(self, x: Tensor) -> Tensor:
        """Return bytes (N, H, 2, W, 2, channels): rows, columns and channels of the enlarged map."""
        found = self._convolution(x).permute(0, 2, 3, 1)
        n, h, w, channels = found.shape
        return found.reshape(n, h, w, 2, 2, channels // 4).permute(0, 1, 3, 2, 4, 5)


class _Seen:
    """What numbers are like in examples; ``tops`` of activations and steps up divide channels to fit on their scale."""

    def __init__(self, network: UNet, examples: Sequence[Tensor]) -> None:
        self.tops: dict[nn.Module, Tensor] = {}
        self._leaks: dict[nn.Module, list[Tensor]] = {}
        self._joining = [_parts(block)[0][0] for block in network.decoder]
        first = _parts(network.encoder[0])[0][0]
        hooks = []
        for layer in network.modules():
            if isinstance(layer, nn.LeakyReLU | nn.ConvTranspose2d):
                hooks.append(layer.register_forward_hook(self._look_after))
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer is not first:
                hooks.append(layer.register_forward_pre_hook(self._look_before))
        try:
            with torch.inference_mode():
                for slices in examples:
                    network(slices)
        finally:
            for hook in hooks:
                hook.remove()
        for layer, top in self.tops.items():  # half way, as errors of weights grow where channels are made alike
            highest = max(1e-6, float(top.max()))
            self.tops[layer] = (top.clamp(min=1e-3 * highest) * highest).sqrt()

    def bias(self, layer: nn.Module) -> Tensor:
        """Return the bias of a layer, with what its inputs below zero add to it on average."""
        weight, bias = (parameter.detach() for parameter in layer.parameters())
        if layer not in self._leaks:
            return bias
        leak = torch.stack(self._leaks[layer]).mean(0)
        if isinstance(layer, nn.ConvTranspose2d):
            return bias + leak @ weight.mean((2, 3))  # each pixel is given by one of the four
        return bias + weight.sum((2, 3)) @ leak

    def _look_after(self, layer: nn.Module, _given: object, numbers: Tensor) -> None:
        top = numbers.amax((0, 2, 3))
        if isinstance(layer, nn.ConvTranspose2d):
            top = torch.maximum(top, -2 * numbers.amin((0, 2, 3)))
        self.tops[layer] = torch.maximum(top, self.tops.get(layer, top))

    def _look_before(self, layer: nn.Module, given: tuple[Tensor]) -> None:
        leak = given[0].clamp(max=0).mean((0, 2, 3))
        if any(layer is joining for joining in self._joining):
            leak[: len(leak) // 2] = 0  # what comes up may be below zero
        self._leaks.setdefault(layer, []).append(leak)


def _parts(block: nn.Module) -> Parts:
    """Return the two convolutions of a block and their activations."""
    layers = list(block.children())
    return [x for x in layers if isinstance(x, nn.Conv2d)], [x for x in layers if isinstance(x, nn.LeakyReLU)]


def _block(seen: _Seen, block: Parts, before: Tensor | None, given: Scale, made: Scale | None) -> list[_Convolution]:
    """Return the convolutions of a block; without the first where nothing that is rounded goes into it."""
    (first, second), (inner, outer) = block
    convolutions = []
    if before is not None:
        bias = seen.bias(first) / seen.tops[inner]
        convolutions.append(_Convolution(_scaled(seen, first, before, inner), bias, given, ALONE, "relu"))
    weight, bias = _scaled(seen, second, seen.tops[inner], outer), seen.bias(second) / seen.tops[outer]
    return [*convolutions, _Convolution(weight, bias, ALONE, made, "relu")]


def _scaled(seen: _Seen, layer: nn.Module, before: Tensor | None, after: nn.Module | None) -> Tensor:
    """Return the weights for inputs that were divided by ``before``, and results that are to be as ``after`` wants."""
    weight = next(layer.parameters()).detach()
    weight = weight if before is None else weight * before[:, None, None]
    return weight if after is None else weight / seen.tops[after][:, None, None, None]


def _pooled(x: Tensor) -> Tensor:
    """Return the largest of every four pixels."""
    rows = torch.maximum(x[:, :, 0::2], x[:, :, 1::2]).permute(0, 2, 3, 1)
    return torch.maximum(rows[:, :, 0::2], rows[:, :, 1::2]).permute(0, 3, 1, 2)


def _side_by_side(up: Tensor, skip: Tensor) -> Tensor:
    """Return the channels of an enlarged map (as ``_Up`` has it), then those of the encoder's map of its size."""
    n, channels, h, w = skip.shape
    both = torch.empty((n, h, w, up.shape[-1] + channels), dtype=torch.uint8)
    both.view(n, h // 2, 2, w // 2, 2, -1)[..., : up.shape[-1]] = up
    both[..., up.shape[-1] :] = skip.permute(0, 2, 3, 1)
    return both.permute(0, 3, 1, 2)


def examples(image: Tensor, plan: Plan, stride: int) -> list[Tensor]:
    """Return slices of each plane of a prepared scan (C, z, y, x), padded to the stride; float32, channels last."""
    batches = []
    for plane in plan.planes:
        slices = image.movedim(1 + PLANES.index(plane), 0)
        count = min(SLICES, len(slices))
        part = slices[[(2 * i + 1) * len(slices) // (2 * count) for i in range(count)]].float()
        height, width = part.shape[-2:]
        part = F.pad(part, (0, -width % stride, 0, -height % stride), mode="replicate")
        batches.append(part.contiguous(memory_format=torch.channels_last))
    return batches


def eight_bits_pay(network: UNet, image: Tensor, plan: Plan, device: torch.device) -> bool:
    """Return whether a prepared scan (C, z, y, x) is segmented faster in eight bits on the device; measured once."""
    slices = min(image.shape[1 + PLANES.index(plane)] for plane in plan.planes)
    return device.type == "cpu" and slices >= ENOUGH * SLICES and not network.activate_centre and _pay()


@lru_cache
def _pay() -> bool:
    """Return whether the processor convolves faster in eight bits, without running over where numbers are large."""
    kernels, slices = torch.ones(64, 64, 3, 3), torch.ones(1, 64, 64, 64).contiguous(memory_format=torch.channels_last)
    bytes_ = (255 * slices).to(torch.uint8)
    try:
        convolution = _Convolution(kernels, torch.zeros(64), ALONE, Scale(3.0, 0), "relu")
        if abs(3 * int(convolution(bytes_)[0, 0, 32, 32]) - 9 * 64) > 3:
            return False
    except (AttributeError, RuntimeError):  # torch was built without, or has it in another form
        return False
    with torch.inference_mode():
        whole, eight = times_in_turns(lambda: F.conv2d(slices, kernels, padding=1), lambda: convolution(bytes_))
    return eight < FASTER * whole
