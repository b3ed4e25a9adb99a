"""A whole folder of scans at once: one case for each image, paired with its label by name."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from mmgl.imaging.image_files import READERS, stem, suffix_of
from mmgl.imaging.reading import find_series
from mmgl.messages import MMGLError
from mmgl.study.cases import Case, Image, Use, absolute, clean_name
from mmgl.study.study import Study

LABEL_ENDING = re.compile(r"[_.\- ](seg|segmentation|label|labels|gt|mask)$", re.IGNORECASE)
"""What people put after the name of an image to call its label."""

SEGMENTATION = re.compile(r"\.seg\.n(rrd|hdr)$", re.IGNORECASE)
"""Files of Slicer that are always labels."""

log = logging.getLogger(__name__)


class Found(NamedTuple):
    """An image in a folder, and the name its case gets."""

    name: str
    image: Image


def log_skipped(path: Path, error: MMGLError) -> None:
    """Write to the log that a file was left out."""
    log.warning("left out %s: %s", path, error)


def add_folder(
    study: Study,
    images: str | Path,
    labels: str | Path | None = None,
    *,
    meanings: Mapping[str, str] | None = None,
    only: Collection[str] | None = None,
    patient_pattern: str | None = None,
    use: Use = Use.TRAIN,
    left_out: tuple[str, ...] = ("scan.", "file."),
    on_skipped: Callable[[Path, MMGLError], None] = log_skipped,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Case]:
    """Add every image in a folder and its sub-folders, sorted by name; images the study has already are passed over.

    A case is called by its path in the folder without suffix, ``-`` between folders. Its label is the file in
    ``labels`` of the same name, whatever its suffix, with or without an ending such as ``_seg``. Hidden files, and
    files that are no images, are passed over. A failure adds nothing.

    Args:
        study: gets the cases.
        images: the folder; volume files, pictures, and DICOM files (one case per series).
        labels: the folder of the labels, which may be the same one; without it all cases are unlabelled.
        meanings: for every label, as in ``Study.add_case``.
        only: the names of the cases to add; all of them unless given.
        patient_pattern: a regular expression; what it (or its group 1) first matches in a case's name is the patient.
        use: of every case.
        left_out: how the keys of messages begin for which an image is left out; all others are raised.
        on_skipped: told of each image that is left out, and why.
        on_progress: told after each image how many of how many are done.

    Raises:
        MMGLError: ``file.missing`` (no such folder), ``scan.no_image_in_folder``, ``study.unknown_images``,
            ``study.bad_pattern``, ``study.several_labels``, ``study.no_label_fits``, ``study.duplicate_case``
            or ``label.*``.
    """
    images, labels = _folder(images), _folder(labels) if labels is not None else None
    pattern = _compiled(patient_pattern)
    found = _chosen(find_images(images, labels, on_skipped), only, images)
    fitting = pair_labels(found, images, labels) if labels else {}
    known = {image: case for case in study.cases for image in case.images}
    draft = replace(study)
    changed: list[str] = []
    for done, (name, image) in enumerate(found, start=1):
        label = fitting.get(name)
        on_progress(done, len(found))
        try:
            if image not in known:
                patient = _patient(pattern, name)
                draft.add_case(image, label=label, name=name, patient=patient, use=use, meanings=meanings)
                changed.append(name)
            elif label and not known[image].label:
                draft.set_label(known[image].name, label, meanings)
                draft.set_use(known[image].name, use)
                changed.append(known[image].name)
        except MMGLError as error:
            if not error.key.startswith(left_out):
                raise
            on_skipped(image.path, error)
    if not changed and not any(image in known for _, image in found):
        raise MMGLError("scan.no_image_in_folder", path=images)
    study.structures, study.cases, study.next_id = draft.structures, draft.cases, draft.next_id
    return [study.case(name) for name in changed]


def find_images(
    folder: Path, labels: Path | None = None, on_skipped: Callable[[Path, MMGLError], None] = log_skipped
) -> list[Found]:
    """Return the images in ``folder`` and its sub-folders, sorted by name; those in ``labels`` are none.

    Where ``labels`` is the same folder, and where an image has its label beside it, names with an ending such as
    ``_seg`` are labels.
    """
    found: list[Found] = []
    for here, files in _walk(folder, None if labels == folder else labels):
        paths = [here / file for file in files if is_volume(file)]
        names = {case_name(path, folder) for path in paths}
        for path in paths:
            name = case_name(path, folder)
            without = LABEL_ENDING.sub("", name)
            is_label = without != name and (labels == folder or without in names)
            if not is_label and not SEGMENTATION.search(path.name):
                found.append(Found(name, Image(path)))
        if len(paths) < len(files):
            try:
                found += find_dicom(here, case_name(here, folder))
            except MMGLError as error:
                on_skipped(here, error)
    return sorted(found, key=lambda image: image.name)


def pair_labels(found: Iterable[Found], images: Path, labels: Path) -> dict[str, Path]:
    """Return the label of each image that has one, by the image's name.

    Raises:
        MMGLError: ``study.several_labels`` where more than one fits, ``study.no_label_fits`` where none fits any.
    """
    by_name: dict[str, set[Path]] = {}
    for here, files in _walk(labels):
        for path in (here / file for file in files if is_volume(file)):
            name = case_name(path, labels)
            for fit in {name, LABEL_ENDING.sub("", name)}:
                by_name.setdefault(fit, set()).add(path)
    pairs = {}
    for name, image in found:
        fits = sorted(by_name.get(name, set()) - {image.path})
        if len(fits) > 1:
            words = ", ".join(path.name for path in fits)
            raise MMGLError("study.several_labels", image=image.path, labels=words, count=len(fits))
        if fits:
            pairs[name] = fits[0]
    if not pairs:
        raise MMGLError("study.no_label_fits", images=images, labels=labels)
    return pairs


def is_volume(file: str) -> bool:
    """Return whether a file of this name is a whole image; DICOM files are read as series."""
    return READERS.get(suffix_of(Path(file)), "GDCMImageIO") != "GDCMImageIO"


def case_name(path: Path, folder: Path) -> str:
    """Return the name of the case of ``path``: its path in ``folder`` without suffix, ``-`` between folders."""
    parts = path.relative_to(folder).parts[:-1] if path != folder else ()
    return clean_name("-".join([*parts, stem(path)]))


def find_dicom(folder: Path, name: str) -> list[Found]:
    """Return the DICOM series in one folder, called ``name``, with their descriptions where they are several.

    Raises:
        MMGLError: ``scan.unreadable`` for a file that is cut short.
    """
    series = find_series(folder)
    if len(series) == 1:
        return [Found(name, Image(folder, next(iter(series))))]
    found, count = [], Counter[str]()
    for uid, description in sorted(series.items()):
        # The number of files at the end is left out: it changes when a slice is added.
        full = clean_name(f"{name}-{re.sub(r',? ?[0-9]+ files?$', '', description)}".removesuffix("-"))
        count[full] += 1
        found.append(Found(full if count[full] == 1 else f"{full}-{count[full]}", Image(folder, uid)))
    return found


def _walk(folder: Path, passed_over: Path | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder and the names of the files in it, without what is hidden and without ``passed_over``."""
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name[0] != "." and Path(here, name) != passed_over]
        yield Path(here), sorted(name for name in files if name[0] != ".")


def _chosen(found: list[Found], only: Collection[str] | None, folder: Path) -> list[Found]:
    """Return the images whose names are in ``only``, all of them for None."""
    if only is None:
        return found
    missing = sorted(set(only) - {name for name, _ in found})
    if missing:
        raise MMGLError("study.unknown_images", folder=folder, names=", ".join(missing))
    return [image for image in found if image.name in only]


def _folder(path: str | Path) -> Path:
    if Path(path).is_file():
        raise MMGLError("file.not_folder", path=path)
    if not Path(path).is_dir():
        raise MMGLError("file.missing", path=path)
    return absolute(path)


def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise MMGLError("study.bad_pattern", pattern=pattern, reason=error) from error


def _patient(pattern: re.Pattern[str] | None, name: str) -> str | None:
    """Return who the pattern says the case of this name is of, or None where it says nothing."""
    found = pattern.search(name) if pattern else None
    return (found[1] if found.re.groups else found[0]) if found else None
