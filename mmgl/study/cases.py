"""A case: a scan in a study, with its label or none, its patient and its use. Frozen; a change makes a new one."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any

from mmgl.study.extents import Extent

NOT_FOR_TRAINING = 0
"""Stands in meanings, in place of a structure's id, for a segment that is no structure of the study: as if it were not
painted."""

NOT_LABELLED, BACKGROUND = -1, -2
"""Stand in meanings for a segment that says "nobody said what is here", and for one that is painted background."""

TEXT_LIMIT = 4000
"""Longest text that is read from a study file, in characters."""


class Use(str, Enum):
    """What a case is used for."""

    TRAIN = "train"
    CHECK = "check"
    LEAVE_OUT = "leave out"


@dataclass(frozen=True)
class Image:
    """One image of a case, opened only for reading.

    Attributes:
        path: absolute; a file, or a folder of DICOM files.
        series: the DICOM series that is meant where the folder holds several, else an empty string.
    """

    path: Path
    series: str = ""


@dataclass(frozen=True)
class Label:
    """What a clinician painted on a case, opened only for reading.

    Attributes:
        path: absolute.
        meanings: from a segment's key (``identity.segment_keys``: its name, or its value as text where it has no
            name) to the id of a structure, or to ``NOT_FOR_TRAINING``, ``NOT_LABELLED`` or ``BACKGROUND``. Every
            segment of the file is in it.
        extents: from the id of a structure to how far it is labelled here, as the user said; of the others the voxels
            tell it (``voxels.read_label``).
    """

    path: Path
    meanings: Mapping[str, int] = field(default_factory=dict)
    extents: Mapping[int, Extent] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A scan in a study.

    Attributes:
        name: unique in its study; fit to be a file name.
        patient: who it is of, as a pseudonym; cases of one patient stay on one side of every split.
        images: the channels, in order, all on one grid.
        label: None where the case is unlabelled.
        use: train, check or leave out.
    """

    name: str
    patient: str
    images: tuple[Image, ...]
    label: Label | None = None
    use: Use = Use.TRAIN

    def without_structures(self, kept: Container[int]) -> Case:
        """Return the case in which what is painted of structures whose ids are not ``kept`` is not for training."""
        if self.label is None:
            return self
        meanings = {
            key: number if number < 0 or number in kept else NOT_FOR_TRAINING
            for key, number in self.label.meanings.items()
        }
        extents = {number: extent for number, extent in self.label.extents.items() if number in kept}
        return replace(self, label=replace(self.label, meanings=meanings, extents=extents))

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Return the case as a dictionary that JSON can hold; paths inside ``folder`` become relative to it."""
        label = self.label and {
            "path": stored(self.label.path, folder),
            "meanings": dict(self.label.meanings),
            "extents": {str(number): extent.value for number, extent in self.label.extents.items()},
        }
        return {
            "name": self.name,
            "patient": self.patient,
            "images": [{"path": stored(image.path, folder), "series": image.series} for image in self.images],
            "label": label,
            "use": self.use.value,
        }

    @staticmethod
    def from_json(value: Any, folder: Path, where: str = "case") -> Case:
        """Return the case that ``to_json`` wrote as ``value`` for a study in ``folder``; ``where`` names its place.

        Raises:
            ValueError: the dictionary is not one that ``to_json`` writes: the place, then what it must be.
        """
        if not isinstance(value, dict):
            raise ValueError(f"{where} must be a dictionary")
        name = _text(value.get("name"), f"{where}.name")
        if not is_case_name(name):
            raise ValueError(f"{where}.name must be fit to be a file name")
        images = value.get("images")
        if not isinstance(images, list) or not images:
            raise ValueError(f"{where}.images must be a list of at least one image")
        if value.get("use") not in [use.value for use in Use]:
            raise ValueError(f"{where}.use must be train, check or leave out")
        return Case(
            name=name,
            patient=_text(value.get("patient"), f"{where}.patient"),
            images=tuple(_read_image(image, folder, f"{where}.images[{i}]") for i, image in enumerate(images)),
            label=_read_label(value.get("label"), folder, f"{where}.label"),
            use=Use(value["use"]),
        )


ImageLike = str | Path | Image
"""What a caller may give as an image; text and paths mean the only series there."""


def as_images(images: ImageLike | Sequence[ImageLike]) -> tuple[Image, ...]:
    """Return one or several images with absolute paths.

    Raises:
        ValueError: there is none.
    """
    several = [images] if isinstance(images, (str, Path, Image)) else list(images)
    if not several:
        raise ValueError("a case needs at least one image")
    found = [image if isinstance(image, Image) else Image(Path(image)) for image in several]
    return tuple(Image(absolute(image.path), image.series) for image in found)


def is_case_name(name: str) -> bool:
    """Return whether a case may be called ``name``: results, caches and reports are written under this name."""
    return (
        0 < len(name) <= 200 and name == name.strip(" .") and name.isprintable() and not set(name) & set('/\\:*?"<>|')
    )


def clean_name(name: str) -> str:
    """Return ``name`` with what a case may not be called replaced by ``_``."""
    kept = re.sub(r'[/\\:*?"<>|]', "_", "".join(c if c.isprintable() else "_" for c in name))
    return kept[:200].strip(" .") or "case"


def absolute(path: str | Path) -> Path:
    """Return ``path`` as absolute, without ``..``; links are kept as they are."""
    return Path(os.path.abspath(path))


def stored(path: Path, folder: Path) -> str:
    """Return ``path`` as a study in ``folder`` stores it: POSIX, relative inside the folder and absolute outside."""
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _read_image(value: Any, folder: Path, where: str) -> Image:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a dictionary")
    series = _text(value.get("series", ""), f"{where}.series", empty=True)
    return Image(_read_path(value.get("path"), folder, f"{where}.path"), series)


def _read_label(value: Any, folder: Path, where: str) -> Label | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be a dictionary or null")
    meanings = value.get("meanings")
    if not isinstance(meanings, dict) or not all(type(n) is int and n >= BACKGROUND for n in meanings.values()):
        raise ValueError(f"{where}.meanings must give a whole number for each segment")
    extents = value.get("extents", {})
    names = [extent.value for extent in Extent]
    if not isinstance(extents, dict) or not all(_is_id(key) and told in names for key, told in extents.items()):
        raise ValueError(f"{where}.extents must give for ids of structures one of: {', '.join(names)}")
    path = _read_path(value.get("path"), folder, f"{where}.path")
    return Label(path, meanings, {int(number): Extent(extent) for number, extent in extents.items()})


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 11


def _read_path(value: Any, folder: Path, where: str) -> Path:
    text = _text(value, where)
    if "\0" in text:
        raise ValueError(f"{where} must be a path")
    return absolute(folder / text)


def _text(value: Any, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LIMIT or not (empty or value.strip()):
        raise ValueError(f"{where} must be text")
    return value
