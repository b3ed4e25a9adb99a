"""Which result belongs to which reference: files by their stem, segments by name or by value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmgl.imaging.grid import Array
from mmgl.imaging.segmentation import Segment, Segmentation
from mmgl.imaging.segmentation_files import place, read_segmentation
from mmgl.messages import MMGLError

ENDINGS = (".seg.nrrd", ".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".png")
"""Names of files that can hold a segmentation; where two files have one stem, the earlier ending is taken."""


@dataclass(frozen=True)
class Pairs:
    """Which result belongs to which reference.

    Attributes:
        found: stem -> result and reference, sorted by stem.
        without_result: stems of references that no result belongs to, sorted.
        without_reference: stems of results that no reference belongs to, sorted.
    """

    found: dict[str, tuple[Path, Path]]
    without_result: tuple[str, ...]
    without_reference: tuple[str, ...]


@dataclass(frozen=True)
class Side:
    """A segmentation, and what each of its segments is matched by."""

    segmentation: Segmentation
    keys: list[str]

    def labelmap(self, keys: Sequence[str]) -> Array:
        """Return the labelmap (z, y, x) in which value i + 1 is what is matched by ``keys[i]``."""
        numbers = {key: i for i, key in enumerate(keys, start=1)}
        return self.segmentation.labelmap([numbers.get(key, 0) for key in self.keys])


def pair_files(results: Path, references: Path) -> Pairs:
    """Return which files of the two folders belong together, and which have no partner.

    Raises:
        MMGLError: ``file.missing`` where one of them is not a folder.
    """
    first, second = _by_stem(results), _by_stem(references)
    found = {stem: (first[stem], second[stem]) for stem in sorted(first.keys() & second.keys())}
    return Pairs(found, tuple(sorted(second.keys() - first.keys())), tuple(sorted(first.keys() - second.keys())))


def read_pair(paths: tuple[Path, Path], structures: Mapping[int, str] | None) -> tuple[Side, Side]:
    """Return result and reference on the grid of the result, with what their segments are matched by."""
    result, reference = (read_segmentation(path) for path in paths)
    if not reference.grid.same_as(result.grid):
        reference = place(reference, result.grid, paths[1])
    named = bool(structures) or all(not s.segments or any(g.name for g in s.segments) for s in (result, reference))
    first, second = (
        [_name(g, structures) if named else _value(s, i) for i, g in enumerate(s.segments)] for s in (result, reference)
    )
    return Side(result, first), Side(reference, second)


def shown_name(key: str, sides: Sequence[Side]) -> str:
    """Return what a structure is called: its key, or the name that one of the files has for a value."""
    found = [g.name.strip() for side in sides for g, own in zip(side.segmentation.segments, side.keys, strict=True)
             if own == key]  # fmt: skip
    return next((name for name in found if name), key)


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
