"""What ITK's reader of NIfTI hides: it fills a cut-short file up with zeros, and makes zeros of what is no number."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mmgl.messages import MMGLError

CHUNK = 1 << 20
FLOATS = {16: "f4", 64: "f8"}
"""Codes of NIfTI for the kinds of numbers that can be none."""

_EXPONENT = {"f4": ("u4", 0x7F800000), "f8": ("u8", 0x7FF0000000000000)}
"""Bits that are all set in what is no number; looked at as integers, whatever else the bits say."""


def check_voxels(path: Path, keys: Mapping[str, str]) -> None:
    """Look through the bytes of a NIfTI file, unpacked where it is packed.

    Args:
        path: the file.
        keys: of its header, as ITK tells them.

    Raises:
        MMGLError: ``scan.unreadable`` (cut short or damaged) or ``scan.not_numbers``.
    """
    counts = [int(keys[f"dim[{i}]"]) for i in range(1, 8)]
    offset = float(keys["vox_offset"])
    if not 0 <= offset < 2**62:
        raise MMGLError("scan.unreadable", path=path, reason="its header is damaged")
    start = int(offset)
    stop = start + math.prod(n for n in counts if n > 0) * int(keys["bitpix"]) // 8
    kind = FLOATS.get(int(keys["datatype"]), "")
    found, wrong, order, rest = 0, 0, "<", b""
    try:
        for chunk in _unpacked(path):
            if found == 0:
                order = "<" if chunk[:4] == b"\x5c\x01\x00\x00" else ">"
            if kind:
                inside = rest + chunk[max(0, start - found) : max(0, stop - found)]
                whole = len(inside) - len(inside) % int(kind[1])
                wrong += _not_numbers(inside[:whole], order, kind)
                rest = inside[whole:]
            found += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise MMGLError("scan.unreadable", path=path, reason="it is cut short or damaged") from error
    if found < stop:
        raise MMGLError("scan.unreadable", path=path, reason="it is cut short")
    if wrong:
        raise MMGLError("scan.not_numbers", path=path, count=wrong)


def _not_numbers(voxels: bytes, order: str, kind: str) -> int:
    """Return how many of the numbers in ``voxels`` are infinite or none at all."""
    integer, exponent = _EXPONENT[kind]
    bits = np.frombuffer(voxels, f"{order}{integer}")
    return int(np.count_nonzero((bits & exponent) == exponent))


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file chunk by chunk, unpacked where it is packed, its checksum verified."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as content:
        while chunk := content.read(CHUNK):
            yield chunk
