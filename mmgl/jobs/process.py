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
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    listens: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, which Ctrl-C and the end of this one do not reach, and return it.

    What it prints goes to the end of the file ``log``, so that no pipe from it can fill up or break.

    Args:
        command: the program and its arguments, handed over one by one, whatever characters they hold.
        log: its folder is made.
        environment: that of this process unless given.
        folder: it works in; that of this process unless given.
        listens: whether it reads what is written to its ``stdin``, and so notices when this process is gone; it reads
            nothing otherwise.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**(os.environ if environment is None else environment), OWN_GROUP: "1"}
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
            start_new_session=sys.platform != "win32",
            creationflags=_windows_flags(),
        )


def _windows_flags() -> int:
    """Return what Windows needs to be told: no window, and a group of its own."""
    if sys.platform == "win32":
        return subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def end_now(process: subprocess.Popen[bytes]) -> None:
    """End a process of ``start_alone``, and all that it has started, by force and without waiting for it."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        command = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
        quiet = subprocess.DEVNULL
        subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, creationflags=_windows_flags())
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


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
        command = ["taskkill", "/PID", str(pid), "/T", "/F"]
        subprocess.run(command, capture_output=True, check=False, creationflags=_windows_flags())
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
