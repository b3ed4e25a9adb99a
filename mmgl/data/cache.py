"""Prepared cases on disk: each scan and labelmap once on the plan's grid, memory-mapped, so memory stays small."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
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

    @property
    def image(self) -> Array:
        """The prepared scan, memory-mapped: float16 (channels, z, y, x)."""
        return _mapped(self.image_file)

    @property
    def labelmap(self) -> Array | None:
        """The prepared labelmap, memory-mapped: int16 (z, y, x), or None."""
        return _mapped(self.labelmap_file) if self.labelmap_file else None


MAPPED = 1024 * 1024 * 1024
"""Bytes of prepared files that are mapped at once: what was read of them counts as memory of the process, and every
system limits how many files may be open."""

_maps: OrderedDict[Path, Array] = OrderedDict()  # the one used last is at the end


def _mapped(file: Path) -> Array:
    """Return the array in a ``.npy`` file, memory-mapped; those used longest ago are unmapped beyond ``MAPPED``."""
    array = _maps.pop(file, None)
    if array is None:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    _maps[file] = array
    while len(_maps) > 1 and sum(a.nbytes for a in _maps.values()) > MAPPED:
        _maps.popitem(last=False)
    return array


def forget(file: Path) -> None:
    """Unmap a prepared file, which is about to be removed: no system but one lets go of a file that is mapped."""
    _maps.pop(file, None)


def cache_need(study: Study, cases: Sequence[Case], plan: Plan, folder: Path, voxels: float) -> int:
    """Return the bytes that preparing cases will take: those of the cases that are not in ``folder`` yet.

    Args:
        voxels: of a case on the plan's grid, on average.
    """
    new = [case for case in cases if not all(file.is_file() for file in _files(study, case, plan, folder))]
    labelled = sum(case.label is not None for case in new)
    return round(voxels * 2 * (len(new) * plan.channels + labelled))


def free_disk(folder: Path) -> int:
    """Return the bytes that are free on the disk of a folder, which need not exist yet."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def clean_cache(folder: Path, kept: Sequence[PreparedCase]) -> int:
    """Remove all prepared files but those of the cases that are kept, and return the bytes that became free.

    What is left of scans that changed or are not in the study any more is of no use, and would only grow.
    """
    keys = {case.image_file.name.partition(".")[0] for case in kept}
    freed = 0
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.suffix in (".npy", ".json") and file.name.partition(".")[0] not in keys:
            forget(file)
            freed += file.stat().st_size
            file.unlink(missing_ok=True)
    return freed


def prepare_case(study: Study, case: Case, plan: Plan, folder: Path) -> PreparedCase:
    """Return a case on the plan's grid, preparing it where it is not in ``folder`` yet.

    A file is used again when its scan, its label and the plan's grid are unchanged, which its name says.

    Raises:
        MMGLError: what reading the scan and its label raises, or ``scan.other_channels``.
    """
    image_file, about_file, *labelmap_files = files = _files(study, case, plan, folder)
    labelmap_file = labelmap_files[0] if labelmap_files else None
    if not all(file.is_file() for file in files):
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


def _files(study: Study, case: Case, plan: Plan, folder: Path) -> list[Path]:
    """Return where a prepared case is: the image, what is said about it, and the labelmap where it has one."""
    key = _key(study, case, plan)
    names = [f"{key}.image.npy", f"{key}.json"] + [f"{key}.labelmap.npy"] * (case.label is not None)
    return [folder / name for name in names]


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
