"""The private temporary folder of a worker: whoever of the two sides dies, and however, it does not stay behind.

The side that made it removes it. If that one was killed, the worker does, and if both were, whoever makes the next one.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmgl.files import read_json, write_json
from mmgl.jobs.process import runs
from mmgl.jobs.record import whoami
from mmgl.messages import MMGLError

PREFIX, OWNER = "mmgl-worker-", "owner.json"

OLD = 24 * 3600.0
"""Seconds after which a folder that nobody has put his name to counts as left behind."""

PATIENCE = 10.0
"""Seconds that a process may take to die after its pipes were closed."""


def make() -> Path:
    """Return a new folder that only this user can look into, and remove those that dead processes left."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    write_json(folder / OWNER, whoami(), lasting=False)
    return folder


def remove(folder: Path) -> bool:
    """Remove a folder with all that is in it, and return whether it is gone: on Windows open files hold it."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def leave(folder: Path) -> None:
    """Remove the folder of a process that is dying; nothing happens where it lives on."""
    owner, until = _owner(folder), time.monotonic() + PATIENCE
    while _lives(owner) and time.monotonic() < until:
        time.sleep(0.05)
    if _lives(owner):
        return
    while not remove(folder) and time.monotonic() < until:  # another thread of this process may still write into it
        time.sleep(0.05)


def _sweep() -> None:
    """Remove the folders of this user whose processes are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            state = folder.lstat()
            mine = not hasattr(os, "getuid") or state.st_uid == os.getuid()
            if not mine or folder.is_symlink():
                continue
            owner = _owner(folder)
            dead = owner.get("host") == platform.node() and not _lives(owner)
            if dead or (not owner and time.time() - state.st_mtime > OLD):
                remove(folder)


def _owner(folder: Path) -> dict[str, Any]:
    """Return what ``whoami`` said in the process that made the folder; nothing where that is not known."""
    with suppress(MMGLError, OSError):
        owner = read_json(folder / OWNER)
        if isinstance(owner, dict) and isinstance(owner.get("pid"), int):
            return owner
    return {}


def _lives(owner: dict[str, Any]) -> bool:
    return bool(owner) and runs(owner["pid"], str(owner.get("born", "")))
