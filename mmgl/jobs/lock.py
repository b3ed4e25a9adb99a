"""A lock between processes, which the system takes back however the one that has it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def only_one(path: Path) -> Iterator[bool]:
    """Yield whether this process has the lock in a file, for as long as the block lasts; never waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        yield lock(file)


def lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; return whether nobody else had locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(2**30)  # far behind what is written, where a lock hinders no reader
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
