"""Small studies on disk for the tests: bright balls in noise, two structures, made in milliseconds."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Grid
from mmgl.study import Study, Use

MEANINGS = {"1": "Shell", "2": "Core"}


def ball_scan(seed: int, size=(16, 40, 36), spacing=(2.0, 1.0, 1.0)):
    """Return image (z, y, x) float32, labelmap and grid of one ball with a core, somewhere in noise."""
    generator = np.random.default_rng(seed)
    grid = Grid(size, spacing, (5.0, -3.0, 8.0))
    middle = np.array(grid.extent) / 2 + generator.uniform(-4, 4, 3)
    away = np.sqrt((((np.moveaxis(np.indices(size), 0, -1) + 0.5) * spacing - middle) ** 2).sum(-1))
    labelmap = (away < 11).astype(np.uint8) + (away < 6)
    image = np.array([20.0, 90.0, 150.0])[labelmap] + generator.normal(0, 12, size)
    return image.astype(np.float32), labelmap, grid


def ball_study(folder: Path, labelled: int = 2, unlabelled: int = 2, checks: int = 1, **scan) -> Study:
    """Write scans and labels and return their study in ``folder/study``."""
    study = Study.create(folder / "study")
    for number in range(labelled + unlabelled + checks):
        image, labelmap, grid = ball_scan(number, **scan)
        path = write(folder / "images" / f"case-{number}.nii.gz", image, grid)
        label = None
        if not labelled <= number < labelled + unlabelled:
            label = write(folder / "labels" / f"case-{number}.nii.gz", labelmap, grid)
        use = Use.TRAIN if number < labelled + unlabelled else Use.CHECK
        study.add_case(path, label=label, use=use, meanings=MEANINGS)
    study.save()
    return study


def write(path: Path, array, grid) -> Path:
    """Write an array as an image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image_of(array, grid), str(path))
    return path
