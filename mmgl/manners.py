"""Working for hours on somebody's computer: leave it usable, and keep it awake. For processes of our own only."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NICER = 5
"""The niceness: whatever the user does goes first, and what is left is still enough to end in time."""


def stand_back() -> None:
    """Lower the priority of this process, and leave one core to others where there are more than two.

    Torch is told the number of threads, so this is for processes that compute; ``OMP_NUM_THREADS`` is respected.
    """
    import torch

    cores = usable_cores()
    if cores > 2 and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(min(torch.get_num_threads(), cores - 1))
    if sys.platform == "win32":
        below_normal = 0x4000
        kernel = ctypes.windll.kernel32
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.SetPriorityClass(ctypes.c_void_p(kernel.GetCurrentProcess()), below_normal)
        return
    with suppress(OSError):
        os.nice(max(0, NICER - os.nice(0)))


def usable_cores() -> int:
    """Return how many cores this process may use: on a cluster not all that are there."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def awake() -> Iterator[bool]:
    """Keep the computer from going to sleep by itself for a while; yield whether the system could be asked to.

    The screen may go dark all the same, and a closed lid still counts. The system forgets the wish when this process
    ends, however it does.
    """
    if sys.platform == "win32":
        continuous, system_required = 0x80000000, 0x00000001
        try:
            yield bool(ctypes.windll.kernel32.SetThreadExecutionState(continuous | system_required))
        finally:
            ctypes.windll.kernel32.SetThreadExecutionState(continuous)
        return
    command = _keeper()
    if command is None:
        yield False
        return
    quiet = subprocess.DEVNULL
    keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
    try:
        yield True
    finally:
        keeper.terminate()
        keeper.wait()
        if keeper.stdin:
            keeper.stdin.close()


def _keeper() -> list[str] | None:
    """Return the command that keeps the system awake as long as this process lives, or None where there is none."""
    if sys.platform == "darwin" and shutil.which("caffeinate"):
        return ["caffeinate", "-i", "-w", str(os.getpid())]
    if shutil.which("systemd-inhibit") and os.path.isdir("/run/systemd/system"):
        # cat ends when the pipe from this process closes, and with it the wish
        return ["systemd-inhibit", "--what=sleep:idle", "--who=MMGL", "--why=Training", "cat"]
    return None
