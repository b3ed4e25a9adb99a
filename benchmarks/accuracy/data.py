"""The data sets of the benchmark: where they lie, how they are split, what is cropped. One table, ``DATA``.

A data set is read as it was published (``mmgl.layouts``), or as ``images/`` and ``labels/`` that keep the names of the
published files. Which patients are labelled is never drawn: it is the order of ``splits/NAME.json``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from mmgl.files import replacing
from mmgl.layouts import LAYOUTS, Layout
from mmgl.messages import MMGLError
from mmgl.study import Study
from mmgl.study.published import Published, Split, add_published, find_published, read_split

SPLITS = Path(__file__).with_name("splits")


def in_two_folders(layout: Layout) -> Layout:
    """Return the layout of a copy whose images and labels lie in two folders, both called as the case is."""
    image, label = (f"{folder}/{layout.name}.nii.gz" for folder in ("images", "labels"))
    return layout._replace(folders=("",), image=image, labels=(label,))


ACDC = LAYOUTS["acdc"]
HIPPOCAMPUS = Layout(
    title="the hippocampus in T1 MR, Medical Segmentation Decathlon task 4 (Antonelli et al., Nature Comm. 2022)",
    folders=("", "Task04_Hippocampus"),
    image="imagesTr/{case}.nii.gz",
    labels=("labelsTr/{case}.nii.gz",),
    structures={"1": "Anterior", "2": "Posterior"},
)


@dataclass(frozen=True)
class DataSet:
    """One row of the table.

    Attributes:
        folder: below the folder of all data.
        layouts: how it may lie there; the first one that fits counts.
        split: a file in ``splits/``, or shares of train, check and test of the patients, shuffled by their names.
        middle: in mm; scans and labels are cropped to a square of this side in the middle of each slice.
    """

    folder: str
    layouts: tuple[Layout, ...]
    split: str | tuple[int, int, int]
    middle: float | None = None


DATA = {
    "acdc": DataSet("acdc", (in_two_folders(ACDC), ACDC), "acdc"),
    "acdc-centre": DataSet("acdc", (in_two_folders(ACDC), ACDC), "acdc", middle=224.0),
    "hippocampus": DataSet("hippocampus", (in_two_folders(HIPPOCAMPUS), HIPPOCAMPUS), "hippocampus"),
    "kvasir": DataSet("kvasir", (LAYOUTS["kvasir"],), "kvasir"),
    "mm-whs-ct": DataSet("mm-whs", (LAYOUTS["mm-whs-ct"],), (2, 1, 1)),
    "mm-whs-mr": DataSet("mm-whs", (LAYOUTS["mm-whs-mr"],), (2, 1, 1)),
    "synapse": DataSet("synapse", (LAYOUTS["synapse"],), "synapse"),
    "la": DataSet("la", (LAYOUTS["la"],), "la"),
    "isic": DataSet("isic", (LAYOUTS["isic"],), (3, 1, 1)),
}


def make_study(folder: Path, name: str, root: Path, work: Path, *, labelled: int, with_test: bool) -> Study:
    """Return a new, saved study of a data set.

    Args:
        folder: of the study; must not be one yet.
        name: a key of ``DATA``.
        root: the folder of all data.
        work: for cropped copies, which all runs share.
        labelled: patients of train whose labels are read.
        with_test: whether the test cases are in it, left out of training; otherwise nothing of them is read.
    """
    data = DATA[name]
    layout, place, found = find_data(name, root)
    split = split_of(data, found)
    if not with_test:
        split = {key: patients for key, patients in split.items() if key != "test"}
    wanted = {patient for patients in split.values() for patient in patients}
    if data.middle is not None:
        place, layout = work / "data" / name, in_two_folders(layout)
        for scan in (scan for scan in found if scan.patient in wanted):
            crop_case(scan, place, data.middle)
    study = Study.create(folder)
    add_published(study, place, layout, labelled=labelled, split=split)
    study.save()
    return study


def find_data(name: str, root: Path) -> tuple[Layout, Path, list[Published]]:
    """Return the layout in which a data set lies below ``root``, its folder, and its scans.

    Raises:
        MMGLError: it is not there, or lies otherwise.
    """
    data = DATA[name]
    for layout in data.layouts[:-1]:
        try:
            return layout, root / data.folder, find_published(root / data.folder, layout)
        except MMGLError as error:
            if error.key != "layout.nothing":
                raise
    layout = data.layouts[-1]
    return layout, root / data.folder, find_published(root / data.folder, layout)


def split_of(data: DataSet, found: Sequence[Published]) -> Split:
    """Return the lists ``train``, ``val`` and ``test`` of patients."""
    if isinstance(data.split, str):
        return read_split(SPLITS / f"{data.split}.json")
    patients = sorted({scan.patient for scan in found}, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    train, val, _ = (round(len(patients) * share / sum(data.split)) for share in data.split)
    return {"train": patients[:train], "val": patients[train : train + val], "test": patients[train + val :]}


def crop_case(scan: Published, folder: Path, side: float) -> None:
    """Write the middle of a scan and its label to ``images/`` and ``labels/`` in ``folder``, unless they are there."""
    for source, kind in ((scan.image, "images"), (scan.label, "labels")):
        target = folder / kind / f"{scan.name}.nii.gz"
        if source is not None and not target.exists():
            image = crop_middle(sitk.ReadImage(str(source)), side)
            with replacing(target) as temporary:
                sitk.WriteImage(image, str(temporary), useCompression=True)


def crop_middle(image: sitk.Image, side: float) -> sitk.Image:
    """Return the middle ``side`` mm along the first two axes, in place in space; what is smaller stays as it is."""
    size = list(image.GetSize())
    start = [0] * len(size)
    for axis in (0, 1):
        kept = min(size[axis], round(side / image.GetSpacing()[axis]))
        start[axis], size[axis] = (size[axis] - kept) // 2, kept
    return sitk.RegionOfInterest(image, size, start)
