"""What the segments of a label file mean in a study: what the user said first, then what identity can tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mmgl.imaging.segmentation import Segment
from mmgl.messages import MMGLError
from mmgl.structures import PALETTE, Colour, Structure
from mmgl.study.cases import BACKGROUND, NOT_FOR_TRAINING, NOT_LABELLED, Case
from mmgl.study.identity import fold, match, named, says_nothing, segment_keys

SAID = {"": NOT_FOR_TRAINING, "?": NOT_LABELLED, "background": BACKGROUND}
"""What may be said of a segment instead of the name of a structure."""


def new_structure(
    known: Sequence[Structure], next_id: int, name: str, colour: Colour | None = None, terminology: str = ""
) -> Structure:
    """Return a structure with an id that neither ``known`` nor anything before ``next_id`` has."""
    number = max([next_id, *(structure.id + 1 for structure in known)])
    colour = colour or PALETTE[(number - 1) % len(PALETTE)]
    return Structure(number, name.strip()[:1000], colour, terminology if len(terminology) <= 4000 else "")


def remembered(cases: Iterable[Case]) -> dict[str, int]:
    """Return what the segment names in the labels of ``cases`` mean, where all of them agree.

    Keys that are numbers, and names that Slicer gives, are left out: the value 1 of one file says nothing about the
    value 1 of another.
    """
    meant: dict[str, set[int]] = {}
    for case in cases:
        for key, number in case.label.meanings.items() if case.label else ():
            meant.setdefault(key, set()).add(number)
    return {
        key: min(numbers)
        for key, numbers in meant.items()
        if len(numbers) == 1 and not key.isdigit() and not says_nothing(key.split(" (")[0])
    }


def understand(
    segments: Sequence[Segment],
    structures: Sequence[Structure],
    next_id: int,
    said: Mapping[str, str],
    before: Mapping[str, int],
) -> tuple[dict[str, int | None], tuple[Structure, ...]]:
    """Return what each segment of a file means, and the structures with the new ones at the end.

    Args:
        segments: of one file.
        structures: of the study; where there are none, the named segments become the structures.
        next_id: the first id that was never used.
        said: from keys or names of segments to names of structures, new ones included, to an empty string for "not
            for training", to ``?`` for "nobody said what is here", or to ``background``. It wins over everything.
        before: from names met before to structure ids or 0, as ``remembered`` gives.

    Returns:
        From each key to a structure id, to ``NOT_FOR_TRAINING``, ``NOT_LABELLED`` or ``BACKGROUND``, or to None where
        it must be asked.
    """
    known = list(structures)
    meanings: dict[str, int | None] = {}
    rest: dict[str, Segment] = {}
    for key, segment in zip(segment_keys(segments), segments, strict=True):
        answer = said.get(key, said.get(segment.name or key))
        if answer is None and fold(segment.name) == "background" and not named(segment.name, structures):
            meanings[key] = BACKGROUND
        elif answer is None:
            rest[key] = segment
        else:
            meanings[key] = _structure_called(answer, segment, known, next_id)
    if not structures:
        _add_named(list(rest.values()), known, next_id)
    taken = set(meanings.values()) - set(SAID.values())
    for key, number in zip(rest, match(list(rest.values()), known, before), strict=True):
        meanings[key] = None if number in taken else number
    return meanings, tuple(known)


def _structure_called(name: str, segment: Segment, known: list[Structure], next_id: int) -> int:
    """Return the id of the structure the user named for a segment; a new one is appended to ``known``."""
    if name.strip().lower() in SAID and not named(name.strip(), known):
        return SAID[name.strip().lower()]
    found = named(name.strip(), known)
    if len(found) != 1:
        found = [new_structure(known, next_id, name, segment.colour, segment.terminology)]
        known += found
    return found[0].id


def _add_named(segments: Sequence[Segment], known: list[Structure], next_id: int) -> None:
    """Append a structure for each segment whose name no other has."""
    names = Counter(segment.name.strip() for segment in segments)
    names.update(structure.name for structure in known)
    for segment in segments:
        if segment.name.strip() and names[segment.name.strip()] == 1 and not says_nothing(segment.name):
            known.append(new_structure(known, next_id, segment.name, segment.colour, segment.terminology))


def settled(
    meanings: Mapping[str, int | None],
    segments: Sequence[Segment],
    structures: Sequence[Structure],
    case: str,
    path: Path,
    counts: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return ``meanings`` where nothing in them must be asked; ``counts`` are the voxels of each key, for the words.

    Raises:
        MMGLError: ``label.unnamed_values`` where values have no names, else ``label.unknown_structure``. The parameter
            ``keys`` holds all keys that must be asked.
    """
    open_ = [(key, s) for key, s in zip(segment_keys(segments), segments, strict=True) if meanings.get(key) is None]
    values = tuple(key for key, segment in open_ if not segment.name.strip())
    if values:
        shown = ", ".join(
            f"{v} ({counts[v]:,} {'voxel' if counts[v] == 1 else 'voxels'})" if counts else v for v in values
        )
        raise MMGLError("label.unnamed_values", path=path, values=shown, example=f"{values[0]}=Liver", keys=values)
    if open_:
        keys = tuple(key for key, _ in open_)
        names = ", ".join(structure.name for structure in structures) or "it is empty"
        raise MMGLError("label.unknown_structure", case=case, name=keys[0], structures=names, keys=keys, path=path)
    return {key: number for key, number in meanings.items() if number is not None}
