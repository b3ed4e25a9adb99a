"""A training that fits: what was chosen for the memory at hand, and what is tried next when it was too much."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import torch

from mmgl.data.plan import Plan, fitting_batch
from mmgl.device import bfloat16_pays, free_memory, is_lost, is_out_of_memory, whole_memory
from mmgl.messages import MMGLError
from mmgl.ranks import rank, told, world
from mmgl.training.run import Run

Result = TypeVar("Result")

SMALLEST_BATCH, GOOD_BATCH = 2, 8
"""Below the good one a narrower network on a graphics card learns more than a wide one from fewer slices."""

NARROW = 16

GIGABYTE = 1e9


class AllTooLargeError(MemoryError):
    """The memory of one of several processes was too small, and all of them know."""


def within_memory(
    work: Callable[[Plan, torch.device], Result],
    plan: Plan,
    device: torch.device,
    run: Run,
    *,
    fixed_width: bool = False,
) -> Result:
    """Return what ``work`` returns with a plan and on a device that the memory allows, and tell what that is.

    When the memory is too small, work begins anew with half the batch (before the first checkpoint also with a narrower
    network), and with the processor at last. The run's config has the plan that is used.

    Args:
        work: goes on from the run's last checkpoint each time; the weights in it fit every plan it is called with.
        fixed_width: the weights that it begins with fit only the width of the plan.

    Raises:
        MMGLError: ``memory.too_small`` when nothing is left to try, ``device.lost``, or ``ranks.memory`` where the
            memory of one of several processes became too small on the way, and the others cannot know.
    """
    while True:
        run.write_config({**run.read_config(), "plan": plan.to_json()})
        run.tell("fits", **_facts(plan, device))
        try:
            return work(plan, device)
        except (RuntimeError, MemoryError) as error:
            if is_lost(error):
                raise MMGLError("device.lost", reason=str(error).splitlines()[0]) from error
            if not is_out_of_memory(error):
                raise
            all_know = isinstance(error, AllTooLargeError)
        if world() > 1 and not all_know:
            raise MMGLError("ranks.memory", rank=rank())
        # outside of the handler, where no traceback holds on to the network and its memory any more
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        plan, device = _of_the_first(*_smaller(plan, device, begun=fixed_width or run.has("last")))


def in_use(device: torch.device) -> dict[str, float]:
    """Return free and whole memory: ``free_gb`` and ``gb``, and ``card_free_gb`` and ``card_gb`` of a graphics card."""
    free = free_memory(torch.device("cpu"))
    found = {"free_gb": round(free / GIGABYTE, 2), "gb": round(whole_memory() / GIGABYTE, 2)}
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        found |= {"card_free_gb": round(free / GIGABYTE, 2), "card_gb": round(total / GIGABYTE, 2)}
    return found


def _smaller(plan: Plan, device: torch.device, *, begun: bool) -> tuple[Plan, torch.device]:
    """Return the next plan and device to try."""
    on_gpu = device.type == "cuda"
    if on_gpu and not begun and not plan.published and plan.batch <= GOOD_BATCH and plan.width > NARROW:
        return replace(plan, width=NARROW, batch=2 * plan.batch), device
    smallest = max(SMALLEST_BATCH, world())
    if plan.batch > smallest:
        return replace(plan, batch=max(smallest, plan.batch // 2)), device
    free = free_memory(device)
    if not on_gpu:
        raise MMGLError("memory.too_small", free=f"{free / GIGABYTE:.1f}")
    processor = torch.device("cpu")
    batch = max(smallest, fitting_batch(free_memory(processor), plan.width, plan.slice_size, on_gpu=False))
    return replace(plan, batch=batch, bfloat16=bfloat16_pays(processor)), processor


def _of_the_first(plan: Plan, device: torch.device) -> tuple[Plan, torch.device]:
    """Return what process 0 tries next: computers that train together may have different memories."""
    if world() == 1:
        return plan, device
    chosen = json.loads(told(json.dumps([plan.to_json(), device.type])))
    return Plan.from_json(chosen[0]), torch.device(chosen[1])


def _facts(plan: Plan, device: torch.device) -> dict[str, object]:
    """Return what a training is done with."""
    return {
        "device": device.type,
        "name": torch.cuda.get_device_name(device) if device.type == "cuda" else "",
        "free_gb": round(free_memory(device) / GIGABYTE, 1),
        "precision": "bfloat16" if plan.bfloat16 else "float32",
        "batch": plan.batch,
        "width": plan.width,
        "slice_size": plan.slice_size,
        "processes": world(),
    }
