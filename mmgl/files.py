"""Writing so that nothing is ever half written, and reading JSON with limits."""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmgl.messages import MMGLError

JSON_LIMIT = 64 * 1024 * 1024
"""Largest JSON file that is read, in bytes: far above a study of 10,000 cases."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""The escape of half a character, the only way in which one comes out of a file in UTF-8; most stand in pairs."""

TRIES, WAIT = 40, 0.05
"""On Windows a file cannot be replaced while someone reads it: as often it is tried again, after as many seconds."""


@contextmanager
def replacing(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well, and is removed when not.

    The temporary name keeps the suffixes of ``path``, because image writers choose the format by them.

    Args:
        path: need not exist, nor its folder.
        lasting: wait until the disk has it, so that not even a power cut leaves half a file or none. Without, only the
            end of a process cannot harm it: for what is written every second and of worth only until the next.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = "".join(path.suffixes[-2:])
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if lasting:
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        _take_place(temporary, path)
        if lasting:
            _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _take_place(temporary: Path, path: Path) -> None:
    """Rename, and wait a moment where another program is just reading the old file, which Windows does not allow."""
    for left in reversed(range(TRIES)):
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if sys.platform != "win32" or not left:
                raise
            time.sleep(WAIT)


def _sync_folder(folder: Path) -> None:
    """Make the new name in a folder last; Windows does so by itself, and some network drives cannot."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """Return the umask: temporary files are private, and the finished file has the rights any other would have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any, *, lasting: bool = True) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n", lasting=lasting)


def write_text(path: Path, text: str, *, lasting: bool = True) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with replacing(path, lasting=lasting) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file of at most ``JSON_LIMIT`` bytes.

    Raises:
        MMGLError: ``file.missing`` or ``file.damaged``.
    """
    path = Path(path)
    if not path.is_file():
        raise MMGLError("file.missing", path=path)
    if path.stat().st_size > JSON_LIMIT:
        raise MMGLError("file.damaged", path=path, reason="far too large")
    try:
        text = path.read_text(encoding="utf-8")
        value = json.loads(text)
        if _HALF.search(text):  # half a character could be read, and never be written again
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except (ValueError, RecursionError) as error:
        raise MMGLError("file.damaged", path=path, reason=str(error).splitlines()[0]) from error


def stamp(path: Path) -> list[list[Any]]:
    """Return path, size and time of change of a file and of those that hold its voxels, or of all files in a folder.

    What is not there is left out. Two stamps that are equal mean that nobody has written to the file in between.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path, *_detached(path)]
    return [[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]


def _detached(path: Path) -> list[Path]:
    """Return the files beside a header of its own (MetaImage, NRRD) that hold its voxels, as the header names them.

    Where it names none that is there (a pattern for many files, for example), all files of its folder count.
    """
    if path.suffix.lower() not in (".mhd", ".nhdr"):
        return []
    with path.open("rb") as file:
        lines = file.read(1024 * 1024).decode("utf-8", errors="replace").splitlines()
    names = lines + [line.partition(sign)[2] for line in lines for sign in "=:"]
    named = [path.parent / name.strip() for name in names if name.strip() and "\0" not in name]
    found = sorted({file for file in named if len(file.name) < 256 and file.is_file()})
    return found or sorted(path.parent.iterdir())
