"""Segmentations on disk: labelmaps, and Slicer's ``.seg.nrrd`` files with names, colours and terminology."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.image_files import READERS, ImageFile, read_image, suffix_of
from mmgl.imaging.placing import place
from mmgl.imaging.segment_keys import keys_for, segments_of
from mmgl.imaging.segmentation import Segment, Segmentation
from mmgl.imaging.writing import write_image
from mmgl.messages import MMGLError
from mmgl.structures import Structure

__all__ = ["place", "read_segmentation", "write_labelmap", "write_map", "write_picture", "write_segmentation"]

MOST_VALUES = 65535
"""Different values in a layer beyond which it is taken for an image."""

LABELMAP_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".png")
"""What a labelmap can be written as."""


def read_segmentation(path: Path) -> Segmentation:
    """Return the segmentation in a labelmap, a mask of a picture or a ``.seg.nrrd`` file, on its own grid.

    The segments of a plain labelmap are its values other than zero, in increasing order and without names. Painted
    values that a ``.seg.nrrd`` file does not name follow its segments, without names.

    Raises:
        MMGLError: ``file.missing``, ``label.unreadable``, ``label.not_integers``, ``label.negative``,
            ``label.many_values``, ``label.coloured``, ``scan.four_dimensional`` or ``scan.sheared``.
    """
    file, array = _read_as_label(path)
    if suffix_of(path) == ".png" and file.channels > 1:
        if (array != array[:1]).any():
            raise MMGLError("label.coloured", path=path)
        array = array[:1]
    layers = _whole_numbers(path, array)
    try:
        named = segments_of(file.keys, len(layers)) if suffix_of(path) in (".nrrd", ".nhdr") else []
    except ValueError as error:
        raise MMGLError("label.unreadable", path=path, reason=str(error)) from error
    if not named and len(layers) > 1:
        raise MMGLError("label.unreadable", path=path, reason=f"it has {len(layers)} values for each voxel")
    known = {(segment.layer, segment.value) for segment in named}
    painted = [Segment(value, layer=i) for i, layer in enumerate(layers) for value in _values(path, layer)]
    unnamed = [segment for segment in painted if (segment.layer, segment.value) not in known]
    return Segmentation(layers, file.grid, (*named, *unnamed))


def write_labelmap(path: Path, labelmap: Array, grid: Grid, overwrite: bool = False) -> None:
    """Write whole numbers (z, y, x) as NIfTI, NRRD or MetaImage, or those of one slice as PNG.

    Raises:
        MMGLError: ``file.exists``, ``file.unknown_suffix`` or ``file.unwritable``.
        ValueError: the labelmap has another size than the grid, negative values, or is no picture for PNG.
    """
    if suffix_of(path) not in LABELMAP_SUFFIXES:
        raise MMGLError("file.unknown_suffix", path=path, suffixes=", ".join(LABELMAP_SUFFIXES))
    image = image_of(_smallest(_integers(labelmap)), grid)
    if suffix_of(path) == ".png":
        if grid.size[0] != 1 or labelmap.max(initial=0) > MOST_VALUES:
            raise ValueError("PNG holds one slice with values up to 65535")
        image = image[:, :, 0]
    _write(path, image, overwrite)


def write_segmentation(
    path: Path, labelmap: Array, grid: Grid, structures: Sequence[Structure], overwrite: bool = False
) -> None:
    """Write a labelmap (z, y, x) in which value i + 1 is ``structures[i]`` as a ``.seg.nrrd`` file of Slicer 5.

    Raises:
        MMGLError: ``file.exists``, ``file.unknown_suffix`` or ``file.unwritable``.
        ValueError: the labelmap has another size than the grid, or values that are no structure.
    """
    if not path.name.lower().endswith(".seg.nrrd"):
        raise MMGLError("file.unknown_suffix", path=path, suffixes=".seg.nrrd")
    if labelmap.max(initial=0) > len(structures):
        raise ValueError(f"value {labelmap.max()} is none of the {len(structures)} structures")
    smallest = _smallest(_integers(labelmap))
    image = image_of(smallest, grid)
    for key, text in keys_for(smallest, structures).items():
        image.SetMetaData(key, text)
    _write(path, image, overwrite)


def write_picture(path: Path, rgb: Array, overwrite: bool = False) -> None:
    """Write red, green and blue (y, x, 3) of uint8 as PNG.

    Raises:
        MMGLError: ``file.exists``, ``file.unknown_suffix`` or ``file.unwritable``.
        ValueError: the array is no such picture.
    """
    if suffix_of(path) != ".png":
        raise MMGLError("file.unknown_suffix", path=path, suffixes=".png")
    if rgb.ndim != 3 or rgb.shape[-1] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"a picture is (y, x, 3) of uint8, not {rgb.shape} of {rgb.dtype}")
    _write(path, sitk.GetImageFromArray(np.ascontiguousarray(rgb), isVector=True), overwrite)


def write_map(path: Path, values: Array, grid: Grid, overwrite: bool = False) -> None:
    """Write a map (z, y, x) of numbers, such as doubt, as float32.

    Raises:
        MMGLError: ``file.exists`` or ``file.unwritable``.
    """
    _write(path, image_of(values.astype(np.float32, copy=False), grid), overwrite)


def _write(path: Path, image: sitk.Image, overwrite: bool) -> None:
    """Write an image, compressed where the format can be, in one step that cannot be seen half done."""
    if path.exists() and not overwrite:
        raise MMGLError("file.exists", path=path)
    write_image(path, image)


def _read_as_label(path: Path) -> tuple[ImageFile, Array]:
    """Return what ``read_image`` does, with its troubles told of a label."""
    if path.is_dir() or READERS.get(suffix_of(path)) in (None, "JPEGImageIO", "GDCMImageIO"):
        if not path.exists():
            raise MMGLError("file.missing", path=path)
        raise MMGLError("label.unreadable", path=path, reason="a label is a NIfTI, NRRD, MetaImage or PNG file")
    try:
        return read_image(path)
    except MMGLError as error:
        if error.key == "scan.empty":
            raise MMGLError("label.unreadable", path=path, reason="it holds no voxels") from error
        if error.key == "scan.not_numbers":
            raise MMGLError("label.not_integers", path=path) from error
        if error.key == "scan.unreadable":
            raise MMGLError("label.unreadable", **error.parameters) from error
        raise


def _whole_numbers(path: Path, array: Array) -> Array:
    """Return an array of any numbers with the smallest unsigned type that holds them."""
    if np.iscomplexobj(array):
        raise MMGLError("label.not_integers", path=path)
    if array.dtype.kind == "f":
        whole = np.rint(array)
        if not np.isfinite(array).all() or np.abs(array - whole).max() > 1e-3:
            raise MMGLError("label.not_integers", path=path)
        array = whole
    if array.min() < 0:
        raise MMGLError("label.negative", path=path, value=int(array.min()))
    if array.max() >= 2**32:
        raise MMGLError("label.unreadable", path=path, reason="its values are too large")
    return _smallest(array)


def _integers(labelmap: Array) -> Array:
    """Return a labelmap that is to be written, once it is one of whole numbers."""
    if labelmap.ndim != 3 or labelmap.dtype.kind not in "iub":
        raise ValueError(f"a labelmap is (z, y, x) of integers, not {labelmap.shape} of {labelmap.dtype}")
    return labelmap


def _smallest(labelmap: Array) -> Array:
    """Return whole numbers with the smallest of uint8, uint16 and uint32 that holds them."""
    smallest, largest = int(labelmap.min(initial=0)), int(labelmap.max(initial=0))
    if smallest < 0 or largest >= 2**32:
        raise ValueError(f"a labelmap holds values from 0 to {2**32 - 1}, not {smallest} to {largest}")
    return labelmap.astype(np.min_scalar_type(largest), copy=False)


def _values(path: Path, layer: Array) -> list[int]:
    """Return the values other than zero of a layer (z, y, x), in increasing order."""
    if layer.dtype == np.uint32:
        values = np.unique(layer)
    else:
        seen = np.zeros(MOST_VALUES + 1, dtype=bool)
        seen[layer[layer > 0]] = True  # most of a large label is not painted
        values = np.flatnonzero(seen)
    found = [int(value) for value in values if value]
    if len(found) > MOST_VALUES:
        raise MMGLError("label.many_values", path=path, count=len(found))
    return found
