"""A few real steps of every stage before the start: do they fit into the memory, and how long do they take?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from mmgl.data.slices import SliceSampler
from mmgl.device import is_out_of_memory
from mmgl.methods.stage import Method, Stage
from mmgl.networks.unet import UNet
from mmgl.ranks import alone, anybody, world
from mmgl.training.memory import AllTooLargeError
from mmgl.training.pace import Pace, now

UNTIMED, TIMED = 1, 2
"""Steps of each stage; the first one is slower than all others."""


def rehearse(
    method: Method,
    stages: Sequence[Stage],
    slices: SliceSampler,
    step: Callable[[Stage], object],
    check: Callable[[UNet], float],
    after: float,
) -> Pace:
    """Return the pace, after a few steps of each stage that leave no trace.

    Args:
        method: its weights are put back.
        stages: that are still to run.
        slices: its generator is put back.
        step: takes one real step of a stage, with an optimiser that is thrown away.
        check: returns how many seconds a check of the network takes.
        after: as many checks as what follows the last step takes time for.

    Raises:
        RuntimeError, MemoryError: what the device raises when its memory is too small; ``AllTooLargeError`` in every
            process where that happened in one of several.
    """
    weights = {name: value.clone() for name, value in method.state_dict().items()}
    randomness = slices.generator.get_state()
    if world() > 1:
        _try_alone(stages, step)
    seconds = {}
    for stage in stages:
        for _ in range(UNTIMED):
            step(stage)
        _wait(method)
        begun = now()
        for _ in range(TIMED):
            step(stage)
        _wait(method)
        seconds[stage.name] = max(1e-6, (now() - begun) / TIMED)
    check_seconds = check(method.network)
    method.load_state_dict(weights)
    slices.generator.set_state(randomness)
    return Pace(seconds, check_seconds, after)


def _try_alone(stages: Sequence[Stage], step: Callable[[Stage], object]) -> None:
    """Take a step of each stage without the others, who would wait for ever for one whose memory is too small."""
    too_large = False
    try:
        with alone():
            for stage in stages:
                step(stage)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        too_large = True
    if anybody(too_large):
        raise AllTooLargeError


def _wait(method: Method) -> None:
    """Wait until the device has done all it was given."""
    device = next(method.parameters()).device
    if device.type == "cuda":
        torch.cuda.synchronize(device)
