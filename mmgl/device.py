"""Where the work is done and in which precision: device, bfloat16, memory, and the allocator of a process of ours."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import lru_cache
from pathlib import Path

import torch

from mmgl.messages import MMGLError

FASTER = 0.8
"""bfloat16 must take less than this share of the time of float32 to be worth its rounding."""

TURNS = 24
"""Of both ways in turns: fewer, and a busy computer decides by chance."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``auto``, ``cpu`` or ``cuda``; ``auto`` takes a usable NVIDIA card if there is one.

    Raises:
        MMGLError: ``device.unknown``, or ``device.no_cuda`` when a card is asked for and none can be used.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise MMGLError("device.unknown", device=name)
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise MMGLError("device.no_cuda")
    return torch.device("cuda" if usable and name != "cpu" else "cpu")


def card_unusable() -> bool:
    """Return whether there is an NVIDIA card with a driver, and torch cannot use it."""
    return not torch.cuda.is_available() and shutil.which("nvidia-smi") is not None


def precision(device: torch.device, bfloat16: bool) -> AbstractContextManager[object]:
    """Return the context in which networks run: convolutions in bfloat16, or everything in float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bfloat16)


def bfloat16_pays(device: torch.device) -> bool:
    """Return whether networks run faster in bfloat16 on the device.

    Of processors it is measured, as some have instructions for bfloat16 and are slower with them.
    """
    if device.type == "cuda":
        return bool(torch.cuda.get_device_capability(device)[0] >= 8)
    supported = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(supported and supported()) and _bfloat16_is_faster()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that the memory of a device, or of the computer, is too small."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    words = ("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def is_lost(error: BaseException) -> bool:
    """Return whether an error says that the graphics card cannot be used any more by this process."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not is_out_of_memory(error)


@lru_cache
def _bfloat16_is_faster() -> bool:
    """Return whether the processor convolves faster with bfloat16, measured once in a few hundredths of a second."""
    kernels = torch.ones(64, 64, 3, 3)
    slices = torch.ones(1, 64, 64, 64).contiguous(memory_format=torch.channels_last)

    def convolve(half: bool) -> None:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            torch.nn.functional.conv2d(slices, kernels, padding=1)

    whole, half = times_in_turns(lambda: convolve(False), lambda: convolve(True))
    return half < FASTER * whole


def times_in_turns(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that two ways take, the best of each, which run in turns.

    Time of the processor is measured, which other work on the computer hardly changes.
    """
    fine = time.get_clock_info("process_time").resolution < 1e-4  # that of Windows ticks 64 times a second
    clock = time.process_time if fine else time.perf_counter
    best = [float("inf")] * 2
    for turn in range(TURNS):
        for number, way in enumerate((first, second)):
            begun = clock()
            way()
            if turn:  # the first one prepares the kernels
                best[number] = min(best[number], clock() - begun)
    return best[0], best[1]


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on the device now."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return _memory_on_windows()[0]


def whole_memory() -> int:
    """Return the bytes of this computer's memory."""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return _memory_on_windows()[1]


def _memory_on_windows() -> tuple[int, int]:
    """Return free and whole physical memory as GlobalMemoryStatusEx tells them."""
    fields = ["length", "load"], ["total", "free", "t1", "f1", "t2", "f2", "f3"]

    class Status(ctypes.Structure):
        _fields_ = [(n, ctypes.c_ulong) for n in fields[0]] + [(n, ctypes.c_ulonglong) for n in fields[1]]

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))  # type: ignore[attr-defined]
    return int(status.free), int(status.total)


def keep_memory() -> None:
    """Tell glibc to keep freed pages instead of giving them back after every layer.

    Otherwise each layer pays for its pages anew, which is a good part of a training step. For the start of a process
    of our own, never on import and never inside a host application; does nothing where there is no glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mmap_threshold, trim_threshold, arena_max, mmap_max = -3, -1, -8, -4
    if not mallopt(mmap_threshold, 1 << 30):
        mallopt(mmap_max, 0)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(arena_max, 1)


def release_memory() -> None:
    """Give what is free back to the system and to the graphics card, for a process that waits for more to do."""
    torch.cuda.empty_cache()  # nothing where none is used
    if sys.platform.startswith("linux"):
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
