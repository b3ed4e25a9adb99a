"""The scans of a study as they were prepared for training, which can be made again at any time. No torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

PREPARED = "cache"
"""Folder in the folder of a study."""


def prepared_size(folder: Path) -> int:
    """Return the bytes that the prepared scans of the study in a folder take."""
    return sum(file.stat().st_size for file in _files(folder))


def remove_prepared(folder: Path) -> int:
    """Remove the prepared scans of the study in a folder, and return the bytes that became free.

    No training of the study may be at work. What another program holds open stays.
    """
    before = prepared_size(folder)
    for file in _files(folder):
        with suppress(OSError):
            file.unlink()
    return before - prepared_size(folder)


def _files(folder: Path) -> list[Path]:
    """Return the files that ``mmgl.data.cache`` writes, half-written ones of a process that was killed included."""
    return [file for file in (folder / PREPARED).glob("*") if file.suffix in (".npy", ".json") and file.is_file()]
