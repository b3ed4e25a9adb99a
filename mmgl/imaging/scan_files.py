"""Writing scans, with nothing in the file but their voxels, where these are, and the modality."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from pathlib import Path

from mmgl.imaging.conversion import image_of
from mmgl.imaging.scan import Scan
from mmgl.imaging.writing import write_image
from mmgl.messages import MMGLError


def scan_suffix(scan: Scan) -> str:
    """Return the kind of file that a scan is written as, without loss: ``.png`` for pictures, else ``.nrrd``."""
    return ".png" if scan.modality == "picture" else ".nrrd"


def write_scan(path: Path, scan: Scan) -> None:
    """Write a scan so that reading it gives the same voxels, grid and modality; nothing else is in the file.

    Args:
        path: ends as ``scan_suffix`` says.

    Raises:
        MMGLError: ``file.exists`` or ``file.unwritable``.
    """
    if path.exists():
        raise MMGLError("file.exists", path=path)
    image = image_of(scan.array if len(scan.array) > 1 else scan.array[0], scan.grid)
    if scan.modality == "picture":
        image = image[:, :, 0]
    elif scan.modality:
        image.SetMetaData("Modality", scan.modality)
    write_image(path, image)
