"""Which structure a painted segment is: by terminology code, else by name; never by order and never by value.

Pure functions. Where the segment does not say clearly what it is, the answer is None: a front end asks.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from mmgl.imaging.segmentation import Segment
from mmgl.structures import Structure, terminology_code


def segment_keys(segments: Sequence[Segment]) -> list[str]:
    """Return what each segment is called in meanings: its name, or its value as text where it has none.

    Segments of one file that would share a key get their value, and at need their layer, added to it.
    """
    keys = [segment.name if segment.name.strip() else str(segment.value) for segment in segments]
    for part in ("value", "layer"):
        count = Counter(keys)
        keys = [
            f"{key} ({part} {getattr(segment, part)})" if count[key] > 1 else key
            for key, segment in zip(keys, segments, strict=True)
        ]
    return keys


def fold(name: str) -> str:
    """Return ``name`` without what people and computers vary: case, spaces, ``_-.``, how accents are stored."""
    return re.sub(r"[\s_.\-]+", "", unicodedata.normalize("NFKC", name).casefold())


def says_nothing(name: str) -> bool:
    """Return whether ``name`` is one that Slicer gives by itself, such as ``Segment_1``, which tells the order only."""
    return re.fullmatch(r"(segment|label)\d+", fold(name)) is not None


def named(name: str, structures: Sequence[Structure]) -> list[Structure]:
    """Return the structures of exactly this name; where there are none, those whose folded name is the same."""
    exact = [structure for structure in structures if structure.name == name]
    folded = fold(name)
    return exact or [structure for structure in structures if folded and fold(structure.name) == folded]


def match(
    segments: Sequence[Segment], structures: Sequence[Structure], remembered: Mapping[str, int] | None = None
) -> list[int | None]:
    """Return for each segment the id of its structure, 0 where it is not for training, None where it must be asked.

    A segment is matched by its terminology code, else by its exact name, else by its folded name, else by what was
    answered before for that name; never by a name that Slicer gave it. Two segments are never matched to one
    structure: only the one of exactly its name keeps it.

    Args:
        segments: of one file.
        structures: of the study.
        remembered: from names met before to structure ids or 0.
    """
    found = [_match_one(segment, structures, remembered or {}) for segment in segments]
    names = {structure.id: structure.name for structure in structures}
    exact = [segment.name == names.get(number or 0) for number, segment in zip(found, segments, strict=True)]
    landed = Counter(found)
    landed_exactly = Counter(number for number, is_exact in zip(found, exact, strict=True) if is_exact)
    return [
        number if (number or 0) <= 0 or landed[number] == 1 or (is_exact and landed_exactly[number] == 1) else None
        for number, is_exact in zip(found, exact, strict=True)
    ]


def _match_one(segment: Segment, structures: Sequence[Structure], remembered: Mapping[str, int]) -> int | None:
    """Return the structure of one segment looked at alone."""
    code = terminology_code(segment.terminology)
    coded = [structure for structure in structures if code and structure.code == code]
    candidates = named(segment.name, structures)
    if coded:
        if len(coded) > 1:
            coded = named(segment.name, coded)
        # A name that is exactly another structure's contradicts the code.
        elif candidates and candidates[0].name == segment.name and coded[0] not in candidates:
            return None
        return coded[0].id if len(coded) == 1 else None
    if says_nothing(segment.name):
        return None
    if candidates:
        clear = len(candidates) == 1 and not _contradict(code, candidates[0].code)
        return candidates[0].id if clear else None
    return remembered.get(segment.name) if segment.name else None


def _contradict(code: str, other: str) -> bool:
    """Return whether two codes of one scheme differ, as left and right of one name do; other schemes say nothing."""
    return bool(code and other) and code != other and code.split("^")[0] == other.split("^")[0]
