"""What a label file means in a study: what is clear by itself, and questions for what is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from mmgl.finding import Choice, Finding, Severity
from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation import Segment
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import CATALOGUE
from mmgl.structures import Structure
from mmgl.study.cases import Case, Label, absolute
from mmgl.study.identity import fold, says_nothing, segment_keys
from mmgl.study.meanings import remembered, settled, understand
from mmgl.wording import fill

if TYPE_CHECKING:
    from mmgl.study.study import Study

ALIKE = 0.6
"""Likeness of two names, 0 to 1, from which on they are probably meant to be the same."""


def label_questions(study: Study, path: str | Path, meanings: Mapping[str, str] | None = None) -> list[Finding]:
    """Return a question for each segment of a label file that the study cannot know by its code or name.

    The value of the chosen answer is what ``Study.add_case`` takes in its ``meanings`` for the question's parameter
    ``name``: the name of a structure (the likeliest first), a name for a new structure, which the front end may let
    the user change, or an empty string. Empty segments are not asked about.

    Args:
        study: is not changed.
        path: the label file.
        meanings: what is known already.

    Raises:
        MMGLError: what reading the label raises.
    """
    painted = read_segmentation(absolute(path))
    segments, known = painted.segments, remembered(study.cases)
    meant, structures = understand(segments, study.structures, study.next_id, meanings or {}, known)
    return [
        _question(key, segment, voxels, structures, Path(path))
        for key, segment, voxels in zip(segment_keys(segments), segments, painted.counts(), strict=True)
        if meant[key] is None
    ]


def _question(key: str, segment: Segment, voxels: int, structures: tuple[Structure, ...], path: Path) -> Finding:
    """Return the question which structure a segment is."""
    unnamed = not segment.name.strip()
    likeness = {s.name: SequenceMatcher(None, fold(segment.name), fold(s.name)).ratio() for s in structures}
    if unnamed or says_nothing(segment.name):
        likeness = dict.fromkeys(likeness, 0.0)  # neither order nor value tells anything
    names = sorted(likeness, key=lambda name: -likeness[name])
    same = [Choice(name, fill(CATALOGUE["choice.same"], {"structure": name})) for name in names]
    new = Choice(f"Structure {segment.value}" if unnamed else segment.name.strip(), CATALOGUE["choice.new"])
    choices = (*same, new, Choice("", CATALOGUE["choice.ignore"]))
    default = names[0] if names and likeness[names[0]] >= ALIKE else new.value
    parameters = {"name": key, "value": segment.value, "path": path.name, "voxels": f"{voxels:,}"}
    words = "check.unnamed_value" if unnamed else "check.unknown_segment"
    return Finding(words, parameters, severity=Severity.QUESTION, choices=choices, default=default)


def understood_label(
    study: Study, case: Case, path: Path, said: Mapping[str, str], grid: Grid
) -> tuple[Label, tuple[Structure, ...]]:
    """Return the label at ``path`` of a case whose scan has this grid, and the structures with its new ones.

    Raises:
        MMGLError: what reading and placing the label raise, or what must be asked (``meanings.settled``).
    """
    painted = read_segmentation(path)
    place(painted, grid, path)  # says where the label does not lie on its scan
    segments, known = painted.segments, remembered(study.cases)
    meanings, structures = understand(segments, study.structures, study.next_id, said, known)
    asked = None in meanings.values()
    counts = dict(zip(segment_keys(segments), painted.counts(), strict=True)) if asked else None
    label = Label(path, settled(meanings, segments, study.structures, case.name, path, counts))
    if case.label and case.label.path == path:
        label = replace(label, extents=case.label.extents)
    return label, structures
