"""What ITK's readers of MetaImage and NRRD believe without a look: their text headers, checked before they see them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from mmgl.messages import MMGLError

SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")

LONGEST = 1 << 20
"""Bytes of a header that are looked at; one of a segmentation with a thousand segments is shorter."""

DIMENSIONS = 10
"""The reader of MetaImage has room for no more, and ends the process when a header names more."""

_DIMENSIONS = re.compile(rb"^\s*NDims\s*[=:]\s*(\S*)", re.MULTILINE | re.IGNORECASE)
_DATA = re.compile(rb"^\s*(?:data ?file|ElementDataFile)\s*[=:]+\s*(.*?)\s*$", re.MULTILINE | re.IGNORECASE)


def check_text_header(path: Path) -> None:
    """Refuse a MetaImage or NRRD header that would crash ITK, or that takes its voxels from outside its own folder.

    Raises:
        MMGLError: ``scan.unreadable``.
    """
    if not path.name.lower().endswith(SUFFIXES):
        return
    with path.open("rb") as file:
        header = file.read(LONGEST)
    for found in _DIMENSIONS.finditer(header):
        if not re.fullmatch(rb"\d{1,2}", found[1]) or not 1 <= int(found[1]) <= DIMENSIONS:
            raise MMGLError("scan.unreadable", path=path, reason="its header is damaged")
    for name in _data_files(header):
        posix, windows = PurePosixPath(name), PureWindowsPath(name)
        if posix.is_absolute() or windows.drive or windows.root or ".." in (*posix.parts, *windows.parts):
            raise MMGLError("scan.unreadable", path=path, reason="its voxels are not in its own folder")


def _data_files(header: bytes) -> Iterator[str]:
    """Yield the names of the files that hold the voxels, as the header has them."""
    found = _DATA.search(header)
    if found is None or found[1].upper() == b"LOCAL":
        return
    names = header[found.end() :].splitlines() if found[1].upper().startswith(b"LIST") else [found[1]]
    yield from (name.decode("utf-8", "replace").strip() for name in names)
