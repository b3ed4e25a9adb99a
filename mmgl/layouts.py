"""The folders in which well-known data sets are published: where scans and labels lie, and what the values mean.

Paths are written with fields: ``{patient}`` and ``{case}`` stand for any name, ``{frame}`` for digits, and a field that
stands twice means the same text both times. Only the part of a data set that is published with labels is listed; what
a challenge keeps for its test is never read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

FIELDS = {"patient": "[^/]+", "case": "[^/]+", "frame": "[0-9]+"}


class Layout(NamedTuple):
    """How one data set is published. (No dataclass: importing those would take a third of the time of ``--help``.)

    Attributes:
        title: what it is, and who published it.
        folders: where the scans may lie below the folder that the user gives; the first one with scans counts.
        image: path of a scan.
        labels: paths that its label can have, in the same fields.
        structures: names by the values in the label; where two values have one name, both are that structure.
        name: what a case is called. Its patient is the field ``{patient}``, or else its name.
    """

    title: str
    folders: tuple[str, ...]
    image: str
    labels: tuple[str, ...]
    structures: Mapping[str, str]
    name: str = "{case}"

    @property
    def pattern(self) -> re.Pattern[str]:
        """What the whole path of a scan matches, POSIX, below one of the folders."""
        seen: set[str] = set()

        def field(found: re.Match[str]) -> str:
            name = found[1]
            if name in seen:
                return f"(?P={name})"
            seen.add(name)
            return f"(?P<{name}>{FIELDS[name]})"

        escaped = re.sub(r"\\([{}])", r"\1", re.escape(self.image))
        return re.compile(re.sub(r"\{(\w+)\}", field, escaped))

    @property
    def glob(self) -> str:
        """A glob that every path of a scan matches."""
        return re.sub(r"\{\w+\}", "*", self.image)


WHOLE_HEART = {
    "500": "Left ventricle",
    "600": "Right ventricle",
    "420": "Left atrium",
    "421": "Left atrium",  # a slip in one published label of the MR part
    "550": "Right atrium",
    "205": "Myocardium",
    "820": "Ascending aorta",
    "850": "Pulmonary artery",
}
"""Of MM-WHS; the myocardium is the left ventricle's."""


def _whole_heart(kind: str) -> Layout:
    """Return the layout of one part of MM-WHS, ``ct`` or ``mr``."""
    return Layout(
        title=f"whole heart in {kind.upper()} (Zhuang et al., Medical Image Analysis 2019)",
        folders=("", f"{kind}_train"),
        image=f"{kind}_train_{{case}}_image.nii.gz",
        labels=(f"{kind}_train_{{case}}_label.nii.gz",),
        structures=WHOLE_HEART,
        name=f"{kind}_train_{{case}}",
    )


LAYOUTS = {
    "acdc": Layout(
        title="cine MR of the heart (Bernard et al., IEEE TMI 2018)",
        folders=("", "training", "database/training"),
        image="{patient}/{patient}_frame{frame}.nii.gz",
        labels=("{patient}/{patient}_frame{frame}_gt.nii.gz",),
        structures={"1": "Right ventricle", "2": "Myocardium", "3": "Left ventricle"},
        name="{patient}_frame{frame}",
    ),
    "mm-whs-ct": _whole_heart("ct"),
    "mm-whs-mr": _whole_heart("mr"),
    "synapse": Layout(
        title="CT of the abdomen, also called BTCV (Landman et al., MICCAI 2015)",
        folders=("", "Training", "RawData/Training", "Abdomen/RawData/Training"),
        image="img/img{case}.nii.gz",
        labels=("label/label{case}.nii.gz",),
        structures={
            "1": "Spleen",
            "2": "Right kidney",
            "3": "Left kidney",
            "4": "Gallbladder",
            "5": "Esophagus",
            "6": "Liver",
            "7": "Stomach",
            "8": "Aorta",
            "9": "Inferior vena cava",
            "10": "Portal vein and splenic vein",
            "11": "Pancreas",
            "12": "Right adrenal gland",
            "13": "Left adrenal gland",
        },
        name="img{case}",
    ),
    "la": Layout(
        title="late-enhancement MR of the left atrium (Xiong et al., Medical Image Analysis 2021)",
        folders=("", "Training Set"),
        image="{patient}/lgemri.nrrd",
        labels=("{patient}/laendo.nrrd",),
        structures={"255": "Left atrium"},
        name="{patient}",
    ),
    "kvasir": Layout(
        title="Kvasir-SEG, polyps in colonoscopy (Jha et al., MMM 2020)",
        folders=("", "Kvasir-SEG"),
        image="images/{case}.jpg",
        labels=("masks/{case}.jpg", "masks/{case}.png"),
        structures={"255": "Polyp"},
    ),
    "isic": Layout(
        title="ISIC 2018 task 1, skin lesions (Codella et al., arXiv 1902.03368)",
        folders=("",),
        image="ISIC2018_Task1-2_Training_Input/{case}.jpg",
        labels=("ISIC2018_Task1_Training_GroundTruth/{case}_segmentation.png",),
        structures={"255": "Skin lesion"},
    ),
}
"""The layouts by their names on the command line."""
