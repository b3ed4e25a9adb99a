"""Labelled scans of a data set of ``benchmarks/accuracy``, cropped as there, for the other scripts of this folder."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "accuracy"))

import data as data_sets


def parser_of(document: str | None, patients: int = 10) -> argparse.ArgumentParser:
    """Return the parser of a script that looks at the check cases of a data set with a model."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("model", type=Path)
    parser.add_argument("--patients", type=int, default=patients)
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    return parser


def check_cases(name: str, folder: Path, work: Path, patients: int, use: str = "val") -> list[tuple[Path, Path]]:
    """Return scan and label of all cases of the first patients of a split, patient by patient.

    Args:
        name: of the data set: a key of ``DATA`` there, as ``acdc``, ``acdc-centre`` or ``hippocampus``.
        folder: of all data.
        work: where cropped copies go.
    """
    data = data_sets.DATA[name]
    _, _, found = data_sets.find_data(name, folder)
    cases = []
    for patient in data_sets.split_of(data, found)[use][:patients]:
        for scan in sorted((scan for scan in found if scan.patient == patient), key=lambda scan: scan.name):
            if scan.label is None:
                continue
            image, label = scan.image, scan.label
            if data.middle is not None:
                data_sets.crop_case(scan, work, data.middle)
                image, label = (work / kind / f"{scan.name}.nii.gz" for kind in ("images", "labels"))
            cases.append((image, label))
    return cases


def dice(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice of two masks of which one is not empty."""
    return float(2 * (first & second).sum() / (first.sum() + second.sum()))
