"""Whether slices make a volume: evenly spaced, each place once. Of DICOM series, and of files with many frames."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

import numpy as np

from mmgl.imaging.grid import Array, Grid
from mmgl.messages import MMGLError

OF_FRAMES, PIXELS = b"\x00\x52\x30\x92", b"\xe0\x7f\x10\x00"
"""The tags between which a file tells of each of its frames."""

POSITION, ORIENTATION = b"\x20\x00\x32\x00", b"\x20\x00\x37\x00"

LONGEST = 128
"""Characters that the numbers of one place can have, at most."""


def check_gaps(path: Path, heights: Array) -> float:
    """Return the distance in mm between slices from their increasing positions along the normal, once it is even.

    Raises:
        MMGLError: ``scan.four_dimensional`` or ``scan.uneven_slices``.
    """
    gaps = np.diff(heights)
    places = 1 + int(np.count_nonzero(gaps > 0.01))
    frames, left_over = divmod(len(heights), places)
    if frames > 1 and left_over == 0:
        raise MMGLError("scan.four_dimensional", path=path, frames=frames)
    if gaps.max() > 1.05 * gaps.min() + 0.01 or gaps.min() <= 0.01:
        raise MMGLError("scan.uneven_slices", path=path, smallest=float(gaps.min()), largest=float(gaps.max()))
    return float((heights[-1] - heights[0]) / len(gaps))


def check_frames(path: Path, grid: Grid) -> None:
    """Refuse a DICOM file whose frames are not the slices of a volume in their order.

    ITK stacks the frames of a file as they come, those of several moments or with gaps between them too. A file that
    does not tell the place of each frame is left as it is.

    Args:
        grid: as ITK tells it.

    Raises:
        MMGLError: ``scan.four_dimensional``, ``scan.uneven_slices``, ``scan.mixed_slices``, ``scan.sheared`` or
            ``scan.unreadable``.
    """
    data = _told_of_frames(path)
    turns = _numbers(data, ORIENTATION, 6)
    if len(turns) > 1 and not np.allclose(turns, turns[0], atol=1e-3):
        raise MMGLError("scan.mixed_slices", path=path)
    places = _numbers(data, POSITION, 3)[:, ::-1]
    if len(places) != grid.size[0]:
        return
    heights = places @ grid.matrix[:, 0]
    gap = check_gaps(path, np.sort(heights))
    if (np.diff(heights) < 0).any() or abs(gap - grid.spacing[0]) > 0.05 * gap:
        raise MMGLError("scan.unreadable", path=path, reason="its frames are not in the order of their places")
    along = places[-1] - places[0]
    if np.linalg.norm(along - (heights[-1] - heights[0]) * grid.matrix[:, 0]) > 1e-3 * np.linalg.norm(along) + 0.01:
        raise MMGLError("scan.sheared", path=path)


def _told_of_frames(path: Path) -> bytes:
    """Return what a DICOM file tells of each of its frames, nothing where it does not."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(OF_FRAMES)
        return b"" if start < 0 else data[start : max(start, data.find(PIXELS, start))]


def _numbers(data: bytes, tag: bytes, count: int) -> Array:
    """Return the numbers (n, count) of every element of this tag; the kind of number may be told before its length."""
    found = []
    for match in re.finditer(re.escape(tag) + rb"(?:DS(..)|(..)\x00\x00)", data, re.DOTALL):
        length = int.from_bytes(match[1] or match[2], "little")
        parts = data[match.end() : match.end() + min(length, LONGEST)].split(b"\\")
        try:
            numbers = [float(part.strip(b" \0")) for part in parts]
        except ValueError:
            continue
        if len(numbers) == count:
            found.append(numbers)
    return np.array(found, dtype=np.float64).reshape(-1, count)
