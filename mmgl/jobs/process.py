"""Processes of this computer, told apart for ever: who runs, how one is started on its own, how a whole tree ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

OWN_GROUP = "MMGL_OWN_GROUP"
"""Set in the environment of a process that was started in a group of its own, which may be ended as a whole."""

GRACE = 3.0
"""Seconds a process has to end by itself before it is killed."""


def birth(pid: int) -> str:
    """Return when a process was born, in words of its system, or an empty string when it does not run (any more).

    With its number this names a process for ever: numbers are used again, and never with the same birth.
    """
    if pid <= 0:
        return ""
    if sys.platform == "win32":
        return _birth_on_windows(pid)
    return _birth_on_linux(pid) if Path("/proc/self/stat").exists() else _birth_by_ps(pid)


def _birth_on_linux(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")[:8]
    except OSError:
        return ""
    fields = text.rpartition(")")[2].split()  # the name before it may hold anything
    state, ticks = fields[0], fields[19]
    return "" if state in "ZX" else f"{ticks}@{boot}"


def _birth_by_ps(pid: int) -> str:
    environment = {**os.environ, "LC_ALL": "C"}
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=False).stdout.split()
    return "" if not told or told[0].startswith("Z") else " ".join(told[1:])


def _birth_on_windows(pid: int) -> str:
    if sys.platform != "win32":
        return ""
    kernel = ctypes.windll.kernel32
    kernel.OpenProcess.restype = ctypes.c_void_p
    may_ask, still_active = 0x1000, 259
    handle = ctypes.c_void_p(kernel.OpenProcess(may_ask, False, pid))
    if not handle:
        return ""
    try:
        code = ctypes.c_ulong()
        times = [ctypes.c_ulonglong() for _ in range(4)]
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.GetProcessTimes(handle, *(ctypes.byref(t) for t in times))
        return str(times[0].value) if code.value == still_active else ""
    finally:
        kernel.CloseHandle(handle)


def runs(pid: int, born: str) -> bool:
    """Return whether the process of that number and that birth runs."""
    return bool(born) and birth(pid) == born


def start_alone(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, place: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that outlives this one, in a group of its own, and return it.

    It reads nothing, and what it prints goes to the end of the file ``log``, so that no pipe can fill up or break.

    Args:
        command: the program and its arguments, handed over one by one, whatever characters they hold.
        log: its folder is made.
        environment: that of this process unless given.
        place: the folder that relative paths of the command begin at; that of this process unless given.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**(os.environ if environment is None else environment), OWN_GROUP: "1"}
    with log.open("ab") as output:
        own: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, "env": environment}
        if sys.platform == "win32":
            own["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        else:
            own["start_new_session"] = True
        return subprocess.Popen(command, cwd=place, **own)


def end_tree(pid: int, born: str, *, own_group: bool, at_once: bool = False) -> None:
    """End a process and all that it has started: asked first where the system can ask, then by force.

    Args:
        pid, born: of the process; another one that got its number is left alone.
        own_group: whether it leads or is in a group of its own (``start_alone``), which ends as a whole. Without, only
            the process itself ends, because others of its group are not ours.
        at_once: without asking first.
    """
    if not runs(pid, born):
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/PID", str(pid), "/T", "/F"], capture_output=True, check=False)
        return
    group = os.getpgid(pid) if own_group else 0
    group = 0 if group == os.getpgrp() else group
    for number in (signal.SIGTERM, signal.SIGKILL)[at_once:]:
        with suppress(ProcessLookupError):
            if group:
                os.killpg(group, number)
            else:
                os.kill(pid, number)
        if number == signal.SIGTERM:
            _wait_for_end(pid, born)


def _wait_for_end(pid: int, born: str) -> None:
    """Wait until a process is gone, but not for long."""
    until = time.monotonic() + GRACE
    while runs(pid, born) and time.monotonic() < until:
        time.sleep(0.05)
