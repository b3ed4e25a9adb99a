# mypy: disable-error-code="no-untyped-call"
"""Writing images whole or not at all: where a disk is full, ITK may write a part of a file and say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.files import replacing
from mmgl.messages import unwritable


def write_image(path: Path, image: sitk.Image) -> None:
    """Write an image, compressed where the format can be, and read it again before it takes the place of ``path``.

    Raises:
        MMGLError: ``file.unwritable``; what was at ``path`` before is there still.
    """
    full = OSError(0, "the disk may be full")
    try:
        with replacing(path) as temporary:
            sitk.WriteImage(image, str(temporary), useCompression=True)
            if not _same(image, sitk.ReadImage(str(temporary))):
                raise full
    except OSError as error:
        raise unwritable(error, path) from error
    except RuntimeError as error:  # SimpleITK's
        raise unwritable(full, path) from error


def _same(one: sitk.Image, other: sitk.Image) -> bool:
    """Return whether two images have the same voxels, to the last bit."""
    first, second = (sitk.GetArrayViewFromImage(image).reshape(-1) for image in (one, other))
    bits = f"u{first.itemsize}"  # what is no number equals itself, too
    return first.dtype == second.dtype and bool(np.array_equal(first.view(bits), second.view(bits)))
