"""Phantom hearts as files: scans, and labels of some of them. No torch, so that a study can be filled before set-up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mmgl.demo.phantom import heart_phantom
from mmgl.imaging.conversion import image_of
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.imaging.writing import write_image


def make_hearts(
    folder: Path,
    labelled: int,
    unlabelled: int,
    unseen: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> None:
    """Write so many phantom scans of each kind, and the labels of the labelled and of the unseen ones.

    Args:
        folder: gets ``labelled``, ``labels``, ``unlabelled``, ``unseen`` and ``unseen labels``, as far as needed.
        labelled, unlabelled, unseen: how many.
        on_progress: told after each heart how many of how many are done.
    """
    total = labelled + unlabelled + unseen
    for number in range(total):
        # every third heart is contracted, every fourth is scanned in thinner slices
        phase, thickness = float(number % 3 == 2), 5.0 if number % 4 == 3 else 8.0
        scan, labelmap, structures = heart_phantom(100 + number, phase=phase, thickness=thickness)
        kind = "labelled" if number < labelled else "unlabelled" if number < total - unseen else "unseen"
        name = f"heart-{number + 1:02d}"
        _write_scan(folder / kind / f"{name}.nii.gz", scan)
        if kind != "unlabelled":
            labels = "labels" if kind == "labelled" else "unseen labels"
            write_segmentation(folder / labels / f"{name}.seg.nrrd", labelmap, scan.grid, structures)
        on_progress(number + 1, total)


def _write_scan(path: Path, scan: Scan) -> None:
    """Write a scan of one channel."""
    write_image(path, image_of(scan.array[0], scan.grid))
