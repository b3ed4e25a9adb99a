"""The methods by the names used on the command line, one method a file."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mmgl.messages import MMGLError

if TYPE_CHECKING:
    from mmgl.data.plan import Plan
    from mmgl.methods.stage import Method

METHODS: dict[str, tuple[str, str, str]] = {
    "supervised": ("supervised", "Supervised", "U-Net on the labelled slices alone, deeply supervised"),
    "mmgl": ("mmgl", "Mmgl", "multi-scale multi-view global-local contrast (Zhao Z. et al., ICIP 2022)"),
    "mcsc": ("mcsc", "Mcsc", "cross teaching with multi-scale class-balanced contrast (Liu et al., BMVC 2023)"),
    "glrp": ("glrp", "Glrp", "contrast by relative position, a reconstruction (Zhao X. et al., IJIST 2024)"),
    "clcc": ("clcc", "Clcc", "whole slices and their patches agree (Zhao X. et al., ISBI 2022)"),
    "simclr": ("simclr", "SimClr", "global contrast of slices (Chen T. et al., ICML 2020)"),
    "gcl": ("gcl", "Gcl", "contrast of partitions and regions (Chaitanya et al., NeurIPS 2020)"),
    "pcl": ("pcl", "Pcl", "contrast by position in the scan (Zeng et al., MICCAI 2021)"),
    "mean-teacher": ("mean_teacher", "MeanTeacher", "averaged teacher (Tarvainen and Valpola, NeurIPS 2017)"),
    "ua-mt": ("ua_mt", "UaMt", "averaged teacher, followed where it is certain (Yu et al., MICCAI 2019)"),
    "cps": ("cps", "Cps", "two U-Nets that label for each other (Chen X. et al., CVPR 2021)"),
    "cross-teaching": (
        "cross_teaching",
        "CrossTeaching",
        "U-Net and transformer label for each other (Luo, MIDL 2022)",
    ),
    "bcp": ("bcp", "Bcp", "labelled and unlabelled slices pasted into each other (Bai et al., CVPR 2023)"),
    "unimatch": ("unimatch", "UniMatch", "weak copies teach strong ones (Yang et al., CVPR 2023)"),
    "mmgl+": ("mmgl_plus", "MmglPlus", "our recipe: a teacher labels the unlabelled scans, twice, for a student"),
}
"""Name: file, class, and one line for the help."""

USUAL = "mmgl+"
"""What is trained where nobody asks for another method."""

TWO_NETWORKS = frozenset({"mcsc", "cps", "cross-teaching"})
"""Methods whose two networks teach each other only as long as they differ: they cannot both start from one model."""

LABELS_SCANS = frozenset({"mmgl+"})
"""Methods that keep a label of each unlabelled scan on the disk while they train."""


def build_method(name: str, plan: Plan, structures: int) -> Method:
    """Return the method called ``name`` for a number of structures.

    Raises:
        MMGLError: ``method.unknown``, ``method.monai`` for a method with a transformer where MONAI is missing.
    """
    if name not in METHODS:
        raise MMGLError("method.unknown", method=name, methods=", ".join(METHODS))
    module, kind, _ = METHODS[name]
    try:
        found = import_module(f"mmgl.methods.{module}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "monai":
            raise
        raise MMGLError("method.monai", method=name) from error
    method: Method = getattr(found, kind)(plan, structures)
    return method
