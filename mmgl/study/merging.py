"""Merging studies: the cases of a second labeller join, and their structures are matched by code and name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmgl.imaging.segmentation import Segment
from mmgl.messages import MMGLError
from mmgl.study.cases import NOT_FOR_TRAINING, Label
from mmgl.study.meanings import understand

if TYPE_CHECKING:
    from mmgl.study.study import Study


@dataclass(frozen=True)
class Merged:
    """What came of a merge: names of cases in the study that was merged into.

    Attributes:
        added: new cases.
        labelled: cases that were unlabelled here and have the label of the other study now.
        kept: cases that are labelled in both studies; their label here was kept.
    """

    added: tuple[str, ...]
    labelled: tuple[str, ...]
    kept: tuple[str, ...]


def merge(study: Study, other: Study, meanings: Mapping[str, str] | None = None) -> Merged:
    """Let the cases of another study join. No file is copied, the other study is not changed, a failure adds nothing.

    A structure of the other study is the one here of its code or name, or what ``meanings`` says; otherwise it must
    be asked. A case is the one here with the same images. A new case whose name is taken gets a number behind it;
    patients of one name count as one patient, which is safe for every split.

    Args:
        study: gets the cases.
        other: the second study.
        meanings: from names of structures there to names of structures here, new ones included, or to an empty
            string where one is not for training.

    Raises:
        MMGLError: ``merge.unknown_structure``; its parameter ``keys`` has all names that must be asked.
    """
    segments = [Segment(s.id, s.name, s.colour, s.terminology) for s in other.structures]
    meant, structures = understand(segments, study.structures, study.next_id, meanings or {}, {})
    if unknown := tuple(key for key, number in meant.items() if number is None):
        listed = ", ".join(structure.name for structure in study.structures)
        raise MMGLError("merge.unknown_structure", name=unknown[0], structures=listed, keys=unknown)
    numbers = {s.id: meant[s.name] or NOT_FOR_TRAINING for s in other.structures}
    cases = {case.images: case for case in study.cases}
    names = {case.name for case in study.cases}
    added, labelled, kept = [], [], []
    for theirs in other.cases:
        label = theirs.label and _translated(theirs.label, numbers)
        here = cases.get(theirs.images)
        if here is None:
            name = _free(theirs.name, names)
            cases[theirs.images] = replace(theirs, name=name, label=label)
            names.add(name)
            added.append(name)
        elif label and here.label is None:
            cases[theirs.images] = replace(here, label=label)
            labelled.append(here.name)
        elif label and here.label and label.path != here.label.path:
            kept.append(here.name)
    study.set_structures(structures)
    study.cases = tuple(cases.values())
    return Merged(tuple(added), tuple(labelled), tuple(kept))


def _translated(label: Label, numbers: Mapping[int, int]) -> Label:
    """Return a label whose structures have the ids they have in the study that is merged into."""
    meanings = {key: numbers.get(number, number) for key, number in label.meanings.items()}
    extents = {numbers[number]: extent for number, extent in label.extents.items() if numbers.get(number, 0) > 0}
    return replace(label, meanings=meanings, extents=extents)


def _free(name: str, taken: set[str]) -> str:
    """Return ``name``, with a number behind it where it is taken."""
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free
