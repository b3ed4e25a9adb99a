"""Pictures as PNG files in memory."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from mmgl.imaging.grid import Array

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_bytes(rgb: Array) -> bytes:
    """Return the picture (y, x, 3) of uint8 as a PNG file."""
    height, width, _ = rgb.shape
    rows = rgb.reshape(height, width * 3)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    filtered = np.hstack([np.full((height, 1), 2, np.uint8), rows - above])  # 2: each byte less the one above it

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)) + chunk(b"IEND", b"")
    return SIGNATURE + body


def png_size(png: bytes) -> tuple[int, int]:
    """Return height and width of a PNG file.

    Raises:
        ValueError: it is none.
    """
    if not png.startswith(SIGNATURE) or len(png) < 24:
        raise ValueError("this is no PNG file")
    width, height = struct.unpack(">II", png[16:24])
    return height, width
