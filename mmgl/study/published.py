"""A published data set as a study: its scans, the labels of the first patients, and what the values mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmgl.files import read_json
from mmgl.imaging.image_files import read_image, suffix_of
from mmgl.imaging.segmentation_files import read_segmentation, write_labelmap
from mmgl.layouts import Layout
from mmgl.messages import MMGLError
from mmgl.study.cases import Case, Use, absolute, clean_name
from mmgl.study.extents import Extent
from mmgl.study.study import Study

USES = {"train": Use.TRAIN, "val": Use.CHECK, "test": Use.LEAVE_OUT}
"""What the lists of a split are called, and what a study does with their cases."""

MASKS = "masks-from-jpeg"
"""Folder in the study for masks that are published as JPEG, whose values have to be made two again."""

Split = Mapping[str, Sequence[str]]


class Published(NamedTuple):
    """One scan of a published data set, with the label it was published with."""

    name: str
    patient: str
    image: Path
    label: Path | None


def add_published(
    study: Study,
    folder: str | Path,
    layout: Layout,
    *,
    labelled: int | None = None,
    split: Split | None = None,
    meanings: Mapping[str, str] | None = None,
) -> list[Case]:
    """Add a data set that lies in ``folder`` as it was published; scans the study has already are passed over.

    Of the patients to train on, the first ``labelled`` that have labels keep them, and those of the others are not
    read. A failure adds nothing.

    Args:
        study: gets the cases, and the structures of the layout in its order.
        folder: what was unpacked.
        layout: one of ``mmgl.layouts.LAYOUTS``.
        labelled: how many; all of them unless given.
        split: lists of patients ``train``, ``val`` (check cases) and ``test`` (left out), in order; patients in none
            are not added. Without it everybody is to train on, in the order of names.
        meanings: other names for values, or an empty string for those that are not for training.

    Raises:
        MMGLError: ``layout.nothing``, ``layout.few_labels``, ``layout.unknown_patients``, ``file.missing``,
            ``file.not_folder``, or as ``Study.add_case``.
    """
    found = find_published(folder, layout)
    uses = _uses(found, split, folder)
    known = {image.path for case in study.cases for image in case.images}
    keep = _labelled(found, uses, labelled, folder)
    said = {**layout.structures, **(meanings or {})}
    draft = replace(study)
    _add_structures(draft, said)
    changed, whole = [], [structure.name for structure in draft.structures]
    for patient, use in uses.items():
        for scan in (s for s in found if s.patient == patient and s.image not in known):
            label = scan.label if use is not Use.TRAIN or patient in keep else None
            if label and suffix_of(label) in (".jpg", ".jpeg"):
                label = _two_values(label, study.folder / MASKS / f"{scan.name}.png")
            draft.add_case(scan.image, label=label, name=scan.name, patient=patient, use=use, meanings=said)
            changed.append(scan.name)
            if label:  # what a published label does not show is not there, and not merely unpainted
                for structure in whole:
                    draft.set_extent(scan.name, structure, Extent.EVERYWHERE)
    study.structures, study.cases, study.next_id = draft.structures, draft.cases, draft.next_id
    return [study.case(name) for name in changed]


def find_published(folder: str | Path, layout: Layout) -> list[Published]:
    """Return the scans in ``folder`` that lie as the layout says, sorted by name.

    Raises:
        MMGLError: ``layout.nothing``, ``file.missing`` or ``file.not_folder``.
    """
    root, pattern = absolute(folder), layout.pattern
    if not root.is_dir():
        raise MMGLError("file.not_folder" if root.is_file() else "file.missing", path=root)
    for below in layout.folders:
        place = root / below
        scans = []
        for path in place.glob(layout.glob):
            fields = pattern.fullmatch(path.relative_to(place).as_posix())
            if fields and path.is_file():
                scans.append(_published(layout, place, path, fields.groupdict()))
        if scans:
            return sorted(scans)
    where = " or ".join(f"{below}/{layout.image}".lstrip("/") for below in layout.folders[:2])
    raise MMGLError("layout.nothing", folder=root, title=layout.title, pattern=where)


def read_split(path: Path) -> Split:
    """Return the lists of patients in a JSON file.

    Raises:
        MMGLError: ``layout.split``, ``file.missing`` or ``file.damaged``.
    """
    value = read_json(path)
    lists = [value.get(key, []) for key in USES] if isinstance(value, dict) else []
    named = all(isinstance(patients, list) and all(isinstance(p, str) for p in patients) for patients in lists)
    if not named or not any(lists):
        raise MMGLError("layout.split", path=path, problem="it has no lists of patients")
    everybody = [patient for patients in lists for patient in patients]
    twice = sorted({patient for patient in everybody if everybody.count(patient) > 1})
    if twice:
        raise MMGLError("layout.split", path=path, problem=f"{twice[0]} stands in it twice")
    return {key: value.get(key, []) for key in USES}


def _published(layout: Layout, place: Path, image: Path, fields: Mapping[str, str]) -> Published:
    name = clean_name(layout.name.format(**fields))
    labels = [place / label.format(**fields) for label in layout.labels]
    label = next((path for path in labels if path.is_file()), None)
    return Published(name, fields.get("patient", name), image, label)


def _uses(found: Sequence[Published], split: Split | None, folder: str | Path) -> dict[str, Use]:
    """Return the use of each patient, in the order in which they are added."""
    patients = list(dict.fromkeys(scan.patient for scan in found))
    if split is None:
        return dict.fromkeys(patients, Use.TRAIN)
    missing = [patient for key in USES for patient in split.get(key, ()) if patient not in patients]
    if missing:
        names = ", ".join(missing[:5]) + ", ..." * (len(missing) > 5)
        raise MMGLError("layout.unknown_patients", folder=folder, names=names)
    return {patient: use for key, use in USES.items() for patient in split.get(key, ())}


def _labelled(
    found: Sequence[Published], uses: Mapping[str, Use], count: int | None, folder: str | Path
) -> frozenset[str]:
    """Return the patients to train on whose labels are read."""
    have = {scan.patient for scan in found if scan.label}
    ready = [patient for patient, use in uses.items() if use is Use.TRAIN and patient in have]
    if count is not None and count > len(ready):
        raise MMGLError("layout.few_labels", asked=count, found=len(ready), folder=folder)
    return frozenset(ready[:count])


def _add_structures(study: Study, names: Mapping[str, str]) -> None:
    """Add the structures that the study does not have yet, so that their order never depends on the first label."""
    known = {structure.name for structure in study.structures}
    for name in dict.fromkeys(names.values()):
        if name.strip() and name not in known:
            study.add_structure(name)


def _two_values(mask: Path, path: Path) -> Path:
    """Write a mask that JPEG has blurred as PNG of 0 and 255 in the study, unless it is there; return its path."""
    file, channels = read_image(mask)
    values = np.where(channels[0] > 127, 255, 0)
    if not path.exists():
        write_labelmap(path, values, file.grid)
    elif not np.array_equal(read_segmentation(path).layers[0], values):
        raise MMGLError("file.exists", path=path)
    return path
