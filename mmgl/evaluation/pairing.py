"""Which result belongs to which reference: files by their stem or case, segments by name or by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.segmentation import Segment, Segmentation
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import Structure

ENDINGS = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".png")
"""Names of files that can hold a segmentation; where two files have one stem, the earlier ending is taken."""


class Labels(Protocol):
    """What a label of a study tells: ``study.voxels.LabelVoxels``."""

    @property
    def labelmap(self) -> Array: ...
    @property
    def sets(self) -> Sequence[Sequence[int]]: ...
    @property
    def grid(self) -> Grid: ...


class LabelledStudy(Protocol):
    """A study, as far as evaluating needs it: which knows none itself."""

    @property
    def structures(self) -> Sequence[Structure]: ...
    @property
    def cases(self) -> Sequence[Any]: ...
    def read_label(self, case: Any) -> Labels: ...


References = Path | LabelledStudy
"""A folder of segmentations, or a study, whose labels tell where they do not reach."""


@dataclass(frozen=True)
class Pairs:
    """Which result belongs to which reference.

    Attributes:
        found: stem -> result and reference, the file of a segmentation or the case of a study, sorted by stem.
        without_result: stems of references that no result belongs to, sorted.
        without_reference: stems of results that no reference belongs to, sorted.
    """

    found: dict[str, tuple[Path, Any]]
    without_result: tuple[str, ...]
    without_reference: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """A segmentation, and what each of its segments is matched by.

    Attributes:
        segmentation: of one file, or of the label of a case.
        keys: one for each segment.
        codes: (z, y, x), negative where something is not labelled, as ``LabelVoxels.labelmap``; None where all is.
        open: what may be there, for each code from -2 on.
    """

    segmentation: Segmentation
    keys: list[str]
    codes: Array | None = None
    open: tuple[frozenset[str], ...] = ()

    def labelmap(self, keys: Sequence[str]) -> Array:
        """Return the labelmap (z, y, x) in which value i + 1 is what is matched by ``keys[i]``, codes and all."""
        numbers = {key: i for i, key in enumerate(keys, start=1)}
        labelmap = self.segmentation.labelmap([numbers.get(key, 0) for key in self.keys])
        return labelmap if self.codes is None else np.where(self.codes < 0, self.codes, labelmap)

    def sets(self, keys: Sequence[str]) -> list[list[int]]:
        """Return what the codes from -2 on stand for in ``labelmap(keys)``."""
        return [[i for i, key in enumerate(keys, start=1) if key in names] for names in self.open]


def pair_files(results: Path, references: References) -> Pairs:
    """Return which files of the two folders belong together, and which have no partner.

    The references of a study are its labelled cases, by their names.

    Raises:
        MMGLError: ``file.missing`` where one of them is not a folder.
    """
    first, second = _by_stem(results), _by_stem(references) if isinstance(references, Path) else _by_case(references)
    found = {stem: (first[stem], second[stem]) for stem in sorted(first.keys() & second.keys())}
    return Pairs(found, tuple(sorted(second.keys() - first.keys())), tuple(sorted(first.keys() - second.keys())))


def read_pair(
    pair: tuple[Path, Any], references: References, structures: Mapping[int, str] | None
) -> tuple[Side, Side]:
    """Return result and reference on one grid, the result's or that of the case, with what segments are matched by."""
    if not isinstance(references, Path):
        return _read_case(*pair, references, structures)
    result, reference = (read_segmentation(path) for path in pair)
    if not reference.grid.same_as(result.grid):
        reference = place(reference, result.grid, pair[1])
    named = bool(structures) or all(not s.segments or any(g.name for g in s.segments) for s in (result, reference))
    first, second = (
        [_name(g, structures) if named else _value(s, i) for i, g in enumerate(s.segments)] for s in (result, reference)
    )
    return Side(result, first), Side(reference, second)


def _read_case(path: Path, case: Any, study: LabelledStudy, structures: Mapping[int, str] | None) -> tuple[Side, Side]:
    """Return a result and the label of its case, matched by the names of the study's structures."""
    label, names = study.read_label(case), [structure.name for structure in study.structures]
    values = dict(enumerate(names, start=1))
    result = place(read_segmentation(path), label.grid, path)
    segments = tuple(Segment(i, s.name, s.colour, s.terminology) for i, s in enumerate(study.structures, start=1))
    reference = Segmentation(np.maximum(label.labelmap, 0)[None], label.grid, segments)
    may_be = tuple(frozenset(values[value] for value in values_of_code) for values_of_code in label.sets)
    found = Side(result, [_name(segment, structures or values) for segment in result.segments])
    return found, Side(reference, names, np.minimum(label.labelmap, 0), may_be)


def shown_name(key: str, sides: Sequence[Side]) -> str:
    """Return what a structure is called: its key, or the name that one of the files has for a value."""
    found = [g.name.strip() for side in sides for g, own in zip(side.segmentation.segments, side.keys, strict=True)
             if own == key]  # fmt: skip
    return next((name for name in found if name), key)


def _by_case(study: LabelledStudy) -> dict[str, Any]:
    """Return the labelled cases of a study by their names."""
    return {case.name: case for case in study.cases if case.label}


def _by_stem(folder: Path) -> dict[str, Path]:
    """Return the files of a folder that can hold a segmentation, by their name without its ending."""
    folder = Path(folder)
    if folder.is_file():
        raise MMGLError("file.not_folder", path=folder)
    if not folder.is_dir():
        raise MMGLError("file.missing", path=folder)
    ranked = []
    for path in folder.iterdir():
        ending = next((e for e in ENDINGS if path.name.lower().endswith(e)), None)
        if ending and path.is_file() and not path.name.startswith("."):
            ranked.append((ENDINGS.index(ending), path.name[: -len(ending)], path))
    files: dict[str, Path] = {}
    for _, stem, path in sorted(ranked):
        files.setdefault(stem, path)
    return files


def _name(segment: Segment, structures: Mapping[int, str] | None) -> str:
    """Return the name of a segment, from its file, or else from ``structures``, or else its value."""
    return segment.name.strip() or (structures or {}).get(segment.value, str(segment.value))


def _value(segmentation: Segmentation, index: int) -> str:
    """Return the value of a segment, or its position where values repeat in several layers."""
    return str(segmentation.segments[index].value if len(segmentation.layers) == 1 else index + 1)
