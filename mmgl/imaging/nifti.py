"""The voxels of NIfTI files, read in one pass, and what ITK's reader of NIfTI hides.

ITK fills a cut-short file up with zeros and makes zeros of what is no number, so every file is looked through here. As
unpacking takes most of the time of reading, plain numbers are taken from the same pass; the rest is left to ITK.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from mmgl.imaging.grid import Array
from mmgl.messages import MMGLError

CHUNK, GZIP = 1 << 16, 31
"""Bytes that are read at once, which may unpack to a thousand times as many; and what zlib calls the format of gzip."""

FLOATS = {16: "f4", 64: "f8"}
"""Codes of NIfTI for the kinds of numbers that can be none."""

PLAIN = {2: "u1", 4: "i2", 8: "i4", 256: "i1", 512: "u2", 768: "u4", **FLOATS}
"""Codes of NIfTI for one number a voxel, and what numpy calls them."""

LITTLE = (b"\x5c\x01\x00\x00", b"\x1c\x02\x00\x00")
"""How a file begins that has the low byte first: the size of the header of NIfTI 1 and 2."""

_EXPONENT = {"f4": ("u4", 0x7F800000), "f8": ("u8", 0x7FF0000000000000)}
"""Bits that are all set in what is no number; looked at as integers, whatever else the bits say."""


def read_voxels(path: Path, keys: Mapping[str, str]) -> Array | None:
    """Look through the bytes of a NIfTI file, unpacked where it is packed, and return its voxels.

    Args:
        path: the file.
        keys: of its header, as ITK tells them.

    Returns:
        All numbers in the order of the file, of the stored kind; None where they are to be scaled, or several to a
        voxel.

    Raises:
        MMGLError: ``scan.unreadable`` (cut short or damaged) or ``scan.not_numbers``.
    """
    counts = [int(keys[f"dim[{i}]"]) for i in range(1, 8)]
    offset = float(keys["vox_offset"])
    if not 0 <= offset < 2**62:
        raise MMGLError("scan.unreadable", path=path, reason="its header is damaged")
    start = int(offset)
    stop = start + math.prod(n for n in counts if n > 0) * int(keys["bitpix"]) // 8
    kind = PLAIN.get(int(keys["datatype"]), "")
    plain = bool(kind) and _unscaled(keys) and int(keys["bitpix"]) == 8 * int(kind[1:])
    voxels = bytearray()  # grows with the file, whatever its header promises
    found, wrong, order, rest = 0, 0, "<", b""
    try:
        for chunk in _unpacked(path):
            if found == 0:
                order = "<" if chunk[:4] in LITTLE else ">"
            inside = chunk[max(0, start - found) : max(0, stop - found)]
            if plain:
                voxels += inside
            if kind in _EXPONENT:
                rest += inside
                whole = len(rest) - len(rest) % int(kind[1])
                wrong += _not_numbers(rest[:whole], order, kind)
                rest = rest[whole:]
            found += len(chunk)
    except (OSError, EOFError, zlib.error) as error:
        raise MMGLError("scan.unreadable", path=path, reason="it is cut short or damaged") from error
    if found < stop:
        raise MMGLError("scan.unreadable", path=path, reason="it is cut short")
    if wrong:
        raise MMGLError("scan.not_numbers", path=path, count=wrong)
    return np.frombuffer(voxels, order + kind).astype(kind, copy=False) if plain else None


def _unscaled(keys: Mapping[str, str]) -> bool:
    """Return whether the numbers stand for themselves: a slope of zero says that there is none."""
    return float(keys["scl_slope"]) in (0, 1) and float(keys["scl_inter"]) == 0


def _not_numbers(voxels: bytes, order: str, kind: str) -> int:
    """Return how many of the numbers in ``voxels`` are infinite or none at all."""
    integer, exponent = _EXPONENT[kind]
    bits = np.frombuffer(voxels, f"{order}{integer}")
    return int(np.count_nonzero((bits & exponent) == exponent))


def _unpacked(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file chunk by chunk, unpacked where it is packed, its checksum verified."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        inflate = zlib.decompressobj(GZIP)
        while chunk := file.read(CHUNK):
            if not packed:
                yield chunk
            while packed and chunk:
                yield inflate.decompress(chunk)
                chunk = inflate.unused_data.lstrip(b"\0")  # several packed parts may follow one another, or zeros
                inflate = zlib.decompressobj(GZIP) if chunk else inflate
        if packed and not inflate.eof:
            raise EOFError
