"""Prepared cases on disk: each scan and labelmap once on the plan's grid, memory-mapped, so memory stays small."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from mmgl.data.plan import Plan
from mmgl.data.prepare import prepare_labelmap, prepare_scan
from mmgl.files import replacing, stamp
from mmgl.imaging.grid import Array
from mmgl.messages import MMGLError
from mmgl.study import Case, Study
from mmgl.study.label_codes import Sets

VERSION = 2
"""Of how scans are prepared; a new number leaves old files aside."""


@dataclass(frozen=True)
class PreparedCase:
    """A case on the plan's grid.

    Attributes:
        name, patient: of the case.
        image_file: float16 (channels, z, y, x), as ``.npy``.
        labelmap_file: int16 (z, y, x), or None when the case is unlabelled.
        spacing: mm (z, y, x) of the prepared grid.
        sets: what the codes -2, -3, ... of the labelmap stand for: background or one of these structures.
    """

    name: str
    patient: str
    image_file: Path
    labelmap_file: Path | None
    spacing: tuple[float, float, float]
    sets: Sets = ()

    @cached_property
    def image(self) -> Array:
        """The prepared scan, memory-mapped: float16 (channels, z, y, x)."""
        array: Array = np.load(self.image_file, mmap_mode="r", allow_pickle=False)
        return array

    @cached_property
    def labelmap(self) -> Array | None:
        """The prepared labelmap, memory-mapped: int16 (z, y, x), or None."""
        if self.labelmap_file is None:
            return None
        array: Array = np.load(self.labelmap_file, mmap_mode="r", allow_pickle=False)
        return array


def prepare_case(study: Study, case: Case, plan: Plan, folder: Path) -> PreparedCase:
    """Return a case on the plan's grid, preparing it where it is not in ``folder`` yet.

    A file is used again when its scan, its label and the plan's grid are unchanged, which its name says.

    Raises:
        MMGLError: what reading the scan and its label raises, or ``scan.other_channels``.
    """
    key = _key(study, case, plan)
    image_file, about_file = folder / f"{key}.image.npy", folder / f"{key}.json"
    labelmap_file = folder / f"{key}.labelmap.npy" if case.label else None
    if not all(file.is_file() for file in (image_file, about_file, labelmap_file or about_file)):
        scan = study.read_scan(case)
        if len(scan.array) != plan.channels:
            raise MMGLError("scan.other_channels", case=case.name, found=len(scan.array), expected=plan.channels)
        image = prepare_scan(scan, plan)
        _save(image_file, image.astype(np.float16))
        sets: Sets = ()
        if labelmap_file:
            label = study.read_label(case)
            _save(labelmap_file, prepare_labelmap(label.labelmap, scan, plan))
            sets = label.sets
        turned = scan.grid.reorientation().apply_to_grid(scan.grid)
        about = {"spacing": turned.resized(image.shape[1:]).spacing, "sets": sets}
        with replacing(about_file) as temporary:
            temporary.write_text(json.dumps(about), encoding="utf-8")
    about = json.loads(about_file.read_text(encoding="utf-8"))
    z, y, x = about["spacing"]
    sets = tuple(tuple(values) for values in about["sets"])
    return PreparedCase(case.name, case.patient, image_file, labelmap_file, (z, y, x), sets)


def _save(path: Path, array: Array) -> None:
    """Write an array as ``.npy``, atomically."""
    with replacing(path) as temporary:
        np.save(temporary, array, allow_pickle=False)


def _key(study: Study, case: Case, plan: Plan) -> str:
    """Return a name for the prepared case that changes whenever what it is made from does."""
    side = plan.slice_size if plan.pictures else 0
    grid = [plan.spacing, [vars(n) for n in plan.normalisation], side]
    files = [image.path for image in case.images] + ([case.label.path] if case.label else [])
    label = case.label
    meanings = [dict(label.meanings), sorted(label.extents.items()), [s.id for s in study.structures]] if label else []
    facts = [grid, [[str(f), i.series] for f, i in zip(files, case.images, strict=False)], meanings]
    return hashlib.sha256(json.dumps([VERSION, facts, [stamp(f) for f in files]], sort_keys=True).encode()).hexdigest()[
        :24
    ]
