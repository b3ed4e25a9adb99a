"""The folder in which MMGL keeps what it can make again: what folder runs say of themselves. The user may empty it."""

from __future__ import annotations

import shutil
from pathlib import Path

import slicer

from mmgl.jobs import Job

SETTING = "MMGL/CacheFolder"
"""Of this computer; MMGL's folder in the cache of Slicer unless it is set."""


def folder() -> Path:
    """Return the folder; it need not be there yet."""
    chosen = str(slicer.app.settings().value(SETTING) or "")
    return Path(chosen) if chosen else Path(slicer.mrmlScene.GetCacheManager().GetRemoteCacheDirectory()) / "MMGL"


def size() -> int:
    """Return how many bytes are in it."""
    return sum(file.stat().st_size for file in folder().rglob("*") if file.is_file())


def jobs() -> list[Path]:
    """Return the folders of the folder runs that nobody was told the end of, the latest first."""
    return sorted((file.parent for file in (folder() / "folders").glob("*/job.json")), reverse=True)


def clear() -> None:
    """Empty it; what a folder run that works writes there stays."""
    busy = {path for path in jobs() if Job(path).look().works}
    for path in (folder() / "folders").glob("*"):
        if path not in busy:
            shutil.rmtree(path, ignore_errors=True)
