"""What ITK's reader of DICOM believes without a look: the lengths of elements, walked over before it sees them.

It asks for the memory that an element claims before it finds that the file is shorter, up to 4 GB for a field of four
bytes, and calls itself for every sequence in a sequence until its stack is full. Only what is certainly broken is
refused here: a first element that no file of DICOM begins with, an element longer than its whole file, and sequences
deeper than anybody nests them. Where the writing is unusual the walk ends, and the rest is left to ITK, which knows
many kinds of broken files that can still be read.

Encoding: DICOM PS3.5, sections 7.1, 7.5 and A.4; PS3.10, section 7.1.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from mmgl.messages import MMGLError

SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
"""Kinds of values (VR) whose length has two bytes, and four."""

NO_KIND = (b"\0\0", b"  ", b"??", b"--")
"""What some programs write where they do not know the kind."""

IMPLICIT, BIG, DEFLATED = (
    (b"1.2.840.10008.1.2", b"1.2.840.113619.5.2"),
    b"1.2.840.10008.1.2.2",
    b"1.2.840.10008.1.2.1.99",
)
"""Transfer syntaxes, each as told in a file: all others write elements with their kinds, and the low byte first."""

META, IDENTITY, SYNTAX, PIXELS = 0x0002, 0x0008, (0x0002, 0x0010), (0x7FE0, 0x0010)
ITEM, SEQUENCE_ENDS, ITEM_ENDS = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD), (0xFFFE, 0xE00D)
UNDEFINED = 0xFFFFFFFF

FIRST = (META.to_bytes(2, "little"), IDENTITY.to_bytes(2, "little"))
"""Groups that a file begins with. Behind its mark ITK guesses from any other how a file is written, often wrongly."""

MOST = 1_000_000
"""Elements that are looked at: an image of ten thousand frames has fewer."""

DEEPEST = 100
"""Sequences in one another; real files have less than ten."""


def looks_like_dicom(path: Path) -> bool:
    """Return whether the file has the mark of DICOM behind its preamble, or raise ``scan.unreadable``."""
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError as error:
        raise MMGLError("scan.unreadable", path=path, reason=error.strerror or "the system refuses it") from error


def check_elements(path: Path) -> None:
    """Refuse a DICOM file that would take ITK's reader much memory, or crash it.

    Raises:
        MMGLError: ``scan.unreadable``.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(134)
        if start[128:132] == b"DICM" and len(start) == 134 and start[132:] not in FIRST:
            raise MMGLError("scan.unreadable", path=path, reason="it is damaged: its first field is unknown")
        file.seek(0)
        for _, (length, depth) in zip(range(MOST), _elements(file, size), strict=False):
            if length > size:
                reason = f"it is damaged: a field of it claims {length / 1e6:,.3g} MB, more than the whole file has"
                raise MMGLError("scan.unreadable", path=path, reason=reason)
            if depth > DEEPEST:
                raise MMGLError("scan.unreadable", path=path, reason="it is damaged: its fields lie in one another")


def _elements(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """Yield length and depth of each element, those in sequences too; end where the writing is not known."""
    start = file.read(132)
    place = 132 if start[128:] == b"DICM" else 4 if start[:4] == b"DICM" else 0
    if place == 0 and start[:2] not in FIRST:
        return
    walk = _Walk(file)
    while place < size:
        found = walk.element(place)
        if found is None:
            return
        yield found[0], walk.depth
        place = found[1]


class _Walk:
    """Steps from one element to the next.

    Args:
        file: in which the elements are.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._order = file, "<"
        self._syntax: bytes | None = None
        self._inside: list[tuple[bool, float]] = [(True, math.inf)]  # of each sequence: has it kinds, and where it ends
        self._meta, self._pieces = True, False

    @property
    def depth(self) -> int:
        """In how many sequences the walk is."""
        return len(self._inside) - 1

    def element(self, place: int) -> tuple[int, int] | None:
        """Return the length of the element that begins at a byte, and where the next one does; None ends the walk."""
        while place >= self._inside[-1][1]:
            self._inside.pop()
        self._file.seek(place)
        head = self._file.read(16)
        if len(head) < 8:
            return None
        if self._meta and head[:2] != META.to_bytes(2, "little"):
            if self._syntax == DEFLATED:
                return None
            self._leave_meta(head)
        group, number = struct.unpack(f"{self._order}HH", head[:4])
        tag = (group, number)
        if group == 0xFFFE:
            return self._delimiter(tag, self._number("I", head[4:8]), place + 8)
        kind, length, start = self._read(head)
        if start == 0 or group == 0xFEFF:
            return None
        if tag == SYNTAX and length <= 64:
            self._file.seek(place + start)
            self._syntax = self._file.read(length).rstrip(b"\0 ")
        explicit = self._inside[-1][0]
        if length == UNDEFINED:
            self._pieces = tag == PIXELS or kind in (b"OB", b"OW")
            self._inside.append((explicit and kind != b"UN", self._inside[-1][1]))
            return 0, place + start
        if kind == b"SQ" or (not kind and tag != PIXELS and self._is_item(head[8:12], length)):
            self._inside.append((explicit, place + start + length))
            return 0, place + start
        return length, place + start + length

    def _leave_meta(self, head: bytes) -> None:
        """Take over how the elements behind the meta information are written."""
        self._meta = False
        self._order = ">" if self._syntax == BIG else "<"
        kinds = head[4:6] in SHORT | LONG
        self._inside = [(kinds or self._syntax not in (None, *IMPLICIT), math.inf)]

    def _delimiter(self, tag: tuple[int, int], length: int, after: int) -> tuple[int, int] | None:
        """Return what ``element`` does for the beginning or the end of a part of a sequence."""
        if tag == ITEM:
            return (length, after + length) if self._pieces else (0, after)
        if tag == SEQUENCE_ENDS:
            self._pieces = False
            if self.depth:
                self._inside.pop()
        return (0, after) if tag in (SEQUENCE_ENDS, ITEM_ENDS) else None

    def _read(self, head: bytes) -> tuple[bytes, int, int]:
        """Return kind, length and size of the head of an element; no size where that is not known."""
        kind, explicit = head[4:6], self._inside[-1][0]
        if explicit and kind in SHORT:
            return kind, self._number("H", head[6:8]), 8
        if explicit and kind in LONG:
            return (kind, self._number("I", head[8:12]), 12) if len(head) >= 12 else (kind, 0, 0)
        if explicit and not self._meta and (kind in NO_KIND or (kind.isalpha() and kind.isupper())):
            return b"", self._number("H", head[6:8]), 8
        # all others, and every one in the meta information, ITK takes for one without kinds
        return b"", self._number("I", head[4:8]), 8

    def _number(self, kind: str, data: bytes) -> int:
        """Return a number of two bytes (``H``) or of four (``I``)."""
        return int(struct.unpack(self._order + kind, data)[0])

    def _is_item(self, start: bytes, length: int) -> bool:
        """Return whether a value begins as that of a sequence."""
        return length >= 8 and len(start) == 4 and struct.unpack(f"{self._order}HH", start) == ITEM
