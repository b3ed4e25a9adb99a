"""Several processes that train one model together, on the graphics cards of one computer or of many.

Every process draws the same batch from the same generator. Augmentation (``shared``) and the networks (``divided``),
which are nearly all of the work, run on a part of it in each process, and the losses see what came out of all of them:
pairs, negatives and sums over the batch are those of one process. So the same global batch gives the same training,
whatever the method, up to the order in which numbers are added. Weights stay equal because they start equal and take
equal steps.

Process 0 leads: it alone writes, checks, watches the time, and decides. Where there is only one process, as nearly
always, every function here gives back what it got.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from mmgl.device import choose_device
from mmgl.messages import MMGLError

Maps = TypeVar("Maps", Tensor, list[Tensor], tuple[Tensor, ...])

PATIENCE = datetime.timedelta(days=2)
"""The others wait this long while process 0 prepares scans or checks; one that died is noticed at once."""

_parts: list[tuple[int, ...]] = []  # how many slices each process has, while ``divided`` is at work
_alone: list[bool] = []  # not empty while this process only does as if the others were there


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Join the processes that ``torchrun`` started, for a while; nothing happens in one that was started alone.

    Each process takes the graphics card of its number on its computer.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MMGLError: ``ranks.cards`` when there are fewer cards than processes, ``ranks.lost`` when another one has ended.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield
        return
    on_gpu = choose_device(device).type == "cuda"
    if on_gpu:
        own, here = int(os.environ["LOCAL_RANK"]), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        if here > torch.cuda.device_count():
            raise MMGLError("ranks.cards", processes=here, cards=torch.cuda.device_count())
        torch.cuda.set_device(own)
    _call(dist.init_process_group, "cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        dist.destroy_process_group()


def world() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if world() > 1 else 0


@contextmanager
def alone() -> Iterator[None]:
    """Do as if the others were there and had come to the same as this process, and say nothing to them.

    A step takes the memory of a real one, and when it is too small, nobody waits for an answer that will not come.
    """
    _alone.append(True)
    try:
        yield
    finally:
        _alone.pop()


def divided(function: Callable[[Tensor], Maps], slices: Tensor) -> Maps:
    """Return what ``function`` makes of slices: each process works on its part of them and gets all of the result.

    Gradients flow back into the own part only, and are ``world()`` times too large there, so that the mean over the
    processes (``average_gradients``) is right for weights that are used inside of ``function`` and outside.

    Args:
        function: treats slices one by one (but for norms of ``share_norms``); returns as many rows for each of them.
        slices: (N, ...), the same in every process, at least one for each.

    Raises:
        MMGLError: ``ranks.batch`` when there are more processes than slices.
    """
    if world() == 1:
        return function(slices)
    if len(slices) < world():
        raise MMGLError("ranks.batch", slices=len(slices), processes=world())
    parts = slices.tensor_split(world())
    _parts.append(tuple(len(part) for part in parts))
    try:
        found = function(parts[rank()])
    finally:
        sizes = _parts.pop()
    if isinstance(found, Tensor):
        return _gathered(found, sizes)
    return type(found)(_gathered(maps, sizes) for maps in found)


def shared(function: Callable[[slice], list[Tensor]], count: int) -> list[Tensor]:
    """Return what ``function`` makes of the slices 0 to ``count``: each process works on its part and gets all.

    Args:
        function: treats slices one by one, gives a row for each of them, and needs no gradient. It does all of them
            where they are fewer than the processes.
    """
    if count < world() or world() == 1:
        return function(slice(0, count))
    sizes = tuple(len(part) for part in torch.arange(count).tensor_split(world()))
    start = sum(sizes[: rank()])
    return [_gathered(rows, sizes) for rows in function(slice(start, start + sizes[rank()]))]


def drawn(draw: Callable[[int], Tensor], count: int) -> Tensor:
    """Return ``draw(count)``, random numbers for rows; inside ``divided``, the part that one process would have drawn.

    Args:
        draw: from a generator that is in the same state in every process.
    """
    if not _parts:
        return draw(count)
    sizes = _parts[-1]
    rows = count // sizes[rank()]  # of each slice
    return draw(rows * sum(sizes)).narrow(0, rows * sum(sizes[: rank()]), count)


def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace the gradients by their mean over all processes, in one message."""
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    if not _alone:
        _call(dist.all_reduce, flat)
    flat /= world()
    for gradient, mean in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def total(numbers: Tensor) -> Tensor:
    """Return the sum of the processes' tensors of one shape, added in the same order everywhere."""
    return torch.stack(_all(numbers)).sum(0)


def added(rows: list[list[float]]) -> list[list[float]]:
    """Return the sum of the processes' rows of numbers: those that others worked out are zero in each."""
    if world() == 1:
        return rows
    return [[float(value) for value in row] for row in total(torch.tensor(rows, dtype=torch.float64))]


def agreed(numbers: Sequence[float]) -> list[float]:
    """Return the numbers of process 0, whose clock and files count; all call it at the same point, with as many."""
    if world() == 1:
        return list(numbers)
    values = torch.tensor(numbers, dtype=torch.float64)
    _call(dist.broadcast, values, 0)
    return [float(value) for value in values]


def anybody(says: bool) -> bool:
    """Return whether any process says yes."""
    if world() == 1:
        return says
    return bool(total(torch.tensor([says], dtype=torch.int64)) > 0)


def told(text: str) -> str:
    """Return the text of process 0; the others wait for it."""
    texts: list[Any] = [text]
    if world() > 1:
        _call(dist.broadcast_object_list, texts, 0)
    return str(texts[0])


@contextmanager
def leader_first() -> Iterator[None]:
    """Let process 0 do something alone, such as filling a cache, before the others do it."""
    if rank():
        anybody(False)
    yield
    if not rank():
        anybody(False)  # what the others wait for


class _Gathered(torch.autograd.Function):
    """The rows of all processes, in their order."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, sizes: tuple[int, ...]) -> Tensor:
        ctx.sizes = sizes
        padded = own.new_zeros(max(sizes), *own.shape[1:])
        padded[: len(own)] = own
        return torch.cat([rows[:size] for rows, size in zip(_all(padded), sizes, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        before = sum(ctx.sizes[: rank()])
        return gradient.narrow(0, before, ctx.sizes[rank()]) * world(), None


def _gathered(own: Tensor, slices: tuple[int, ...]) -> Tensor:
    """Return the rows of all processes, as many in each as it has slices, or a multiple of it."""
    rows = len(own) // slices[rank()]
    result: Tensor = _Gathered.apply(own, tuple(rows * count for count in slices))  # type: ignore[no-untyped-call]
    return result


def _all(own: Tensor) -> list[Tensor]:
    """Return the tensors of all processes, of one shape; as bytes, because not every backend knows every number."""
    own = own.detach().contiguous()
    if _alone:
        return [own.clone() for _ in range(world())]
    received = [torch.empty_like(own) for _ in range(world())]
    _call(dist.all_gather, [one.view(torch.uint8) for one in received], own.view(torch.uint8))
    return received


def _call(function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    """Talk to the other processes.

    Raises:
        MMGLError: ``ranks.lost`` when one of them is not there any more.
    """
    try:
        function(*arguments, **options)
    except RuntimeError as error:
        raise MMGLError("ranks.lost", rank=os.environ.get("RANK", "0")) from error
