"""Writing so that nothing is ever half written, and reading JSON with limits."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmgl.messages import MMGLError

JSON_LIMIT = 64 * 1024 * 1024
"""Largest JSON file that is read, in bytes: far above a study of 10,000 cases."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well, and is removed when not.

    The temporary name keeps the suffixes of ``path``, because image writers choose the format by them.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = "".join(path.suffixes[-2:])
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    """Return the umask: temporary files are private, and the finished file has the rights any other would have."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with replacing(path) as temporary:
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
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise MMGLError("file.damaged", path=path, reason=str(error).splitlines()[0]) from error


def stamp(path: Path) -> list[list[Any]]:
    """Return path, size and time of change of a file, or of all files directly in a folder; none of what is not there.

    Two stamps that are equal mean that nobody has written to the file in between.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [[str(f), f.stat().st_size, f.stat().st_mtime_ns] for f in files if f.is_file()]
