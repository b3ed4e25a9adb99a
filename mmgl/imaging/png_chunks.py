"""What ITK's reader of PNG believes without a look: the lengths of chunks, walked over before it sees them.

It asks for the memory that a chunk claims before it finds that the file is shorter, up to 2 GB, and more than once. A
chunk that is cut short is left to it.

Encoding: Portable Network Graphics (PNG) Specification, W3C, section 5.3.
"""

from __future__ import annotations

from pathlib import Path

from mmgl.messages import MMGLError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

FRAME = 12
"""Bytes of a chunk beside its content: length, kind and checksum."""


def check_chunks(path: Path) -> None:
    """Refuse a PNG file with a chunk that is longer than the whole file.

    Raises:
        MMGLError: ``scan.unreadable``.
    """
    size, place = path.stat().st_size, len(SIGNATURE)
    with path.open("rb") as file:
        if file.read(place) != SIGNATURE:
            return
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if length > size:
                reason = f"it is damaged: a part of it claims {length / 1e6:,.3g} MB, more than the whole file has"
                raise MMGLError("scan.unreadable", path=path, reason=reason)
            place += FRAME + length
            file.seek(place)
