"""The private temporary folders of a worker: whoever of the two sides dies, and however, they do not stay behind.

There is one in memory where the system has a place for that (Linux), and one on disk: a scan that is handed over need
not wait for a disk that is busy. The side that made them removes them. If that one was killed, the worker does, and if
both were, whoever makes the next ones.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmgl.files import write_json
from mmgl.jobs.process import runs
from mmgl.jobs.record import read_process, whoami

MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory. What lies there must fit several times over, as it cannot be written out."""

TIMES = 4
"""So many times must what is handed over fit into the memory that is free."""

PREFIX, OWNER = "mmgl-worker-", "owner.json"

OLD = 24 * 3600.0
"""Seconds after which a folder that nobody has put his name to counts as left behind."""

PATIENCE = 10.0
"""Seconds that a process may take to die after its pipes were closed."""


def make() -> list[Path]:
    """Return new folders that only this user can look into, that on disk last; remove those that dead processes left.

    Raises:
        OSError: there is none on disk.
    """
    _sweep()
    folders = []
    if in_memory():
        with suppress(OSError):
            folders.append(_make(MEMORY))
    return [*folders, _make(Path(tempfile.gettempdir()))]


def in_memory() -> bool:
    """Return whether this system keeps files in memory."""
    return sys.platform == "linux" and MEMORY.is_dir() and os.access(MEMORY, os.W_OK)


def with_room(folders: Sequence[Path], size: int) -> list[Path]:
    """Return those of the folders of ``make`` that have room for ``size`` bytes: that on disk always."""
    *memory, disk = folders
    return [*(f for f in memory if TIMES * size <= min(shutil.disk_usage(f).free, _free_memory())), disk]


def _make(base: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    write_json(folder / OWNER, whoami(), lasting=False)
    return folder


def _free_memory() -> int:
    """Return the bytes of memory that a process can still have, as Linux tells."""
    for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def remove(folder: Path) -> bool:
    """Remove a folder with all that is in it, and return whether it is gone: on Windows open files hold it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def leave(folders: Sequence[Path]) -> None:
    """Remove the folders of a process that is dying; nothing happens where it lives on."""
    owner, until = read_process(folders[-1] / OWNER), time.monotonic() + PATIENCE
    while _lives(owner) and time.monotonic() < until:
        time.sleep(0.05)
    if _lives(owner):
        return
    left = list(folders)
    while (left := [f for f in left if not remove(f)]) and time.monotonic() < until:
        time.sleep(0.05)  # another thread of this process may still write into one


def _sweep() -> None:
    """Remove the folders of this user whose processes are gone."""
    bases = [Path(tempfile.gettempdir()), *([MEMORY] if in_memory() else [])]
    for folder in (folder for base in bases for folder in base.glob(f"{PREFIX}*")):
        with suppress(OSError):
            state = folder.lstat()
            mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
            if not mine or folder.is_symlink():
                continue
            owner = read_process(folder / OWNER)
            dead = owner.get("host") == platform.node() and not _lives(owner)
            if dead or (not owner and time.time() - state.st_mtime > OLD):
                remove(folder)


def _lives(owner: dict[str, Any]) -> bool:
    return bool(owner) and runs(owner["pid"], str(owner.get("born", "")))
