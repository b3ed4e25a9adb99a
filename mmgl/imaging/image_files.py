# mypy: disable-error-code="no-untyped-call"
"""One image file on disk: its header, its voxels, and everything that can be wrong with it.

ITK reads a cut-short NIfTI or JPEG file without a word and fills up with zeros, so completeness is checked too.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from mmgl.imaging.conversion import array_of, grid_of
from mmgl.imaging.dicom_elements import check_elements, looks_like_dicom
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.nifti import read_voxels
from mmgl.imaging.png_chunks import check_chunks
from mmgl.imaging.stacking import check_frames
from mmgl.imaging.text_headers import check_text_header
from mmgl.messages import MMGLError

READERS = {
    ".nii": "NiftiImageIO",
    ".nii.gz": "NiftiImageIO",
    ".nrrd": "NrrdImageIO",
    ".nhdr": "NrrdImageIO",
    ".mha": "MetaImageIO",
    ".mhd": "MetaImageIO",
    ".png": "PNGImageIO",
    ".jpg": "JPEGImageIO",
    ".jpeg": "JPEGImageIO",
    ".dcm": "GDCMImageIO",
    ".ima": "GDCMImageIO",
}
"""The reader of ITK for each suffix. DICOM files often have none."""

PICTURES = (".png", ".jpg", ".jpeg")
"""Suffixes of pictures: two dimensions, no place in space."""

LARGEST = 64 * 2**30
"""Bytes of voxels beyond which a header is taken for damaged: far above any scanner's."""

HIGHEST_RATIO = 2000
"""How many times larger than its file an image can be: deflate reaches 1032."""

_SWITCH, _INSIDE, _BEFORE = threading.Lock(), list[int](), list[bool]()
"""Of ITK's warnings: who may turn it, the blocks that hold them back, and how it stood before."""

_PLAIN_REASONS = (
    ("is not recognized as a NIFTI", "its header is damaged"),
    ("File cannot be read", "it is cut short or damaged"),
    ("Error while reading file", "it is cut short or damaged"),
    ("bytes but received", "it is cut short"),
    ("fread got only", "it is cut short"),
    ("hit end of header", "it is cut short"),
    ("error reading from gzFile", "it is cut short or damaged"),
    ("couldn't open", "the file with its voxels is not beside it"),
    ("Unknown PixelType", "its kind of pixel is not supported"),
    ("Unknown component type", "its kind of number is not supported"),
    ("allocate memory", "there is not enough memory for it"),
)


@dataclass(frozen=True)
class ImageFile:
    """What is in an image file, or in its header alone.

    Attributes:
        path: the file.
        grid: where its voxels are.
        channels: numbers per voxel, without the transparency of a picture.
        keys: the texts of its header, such as ``0008|0060`` of DICOM or ``Segment0_Name`` of NRRD.
    """

    path: Path
    grid: Grid
    channels: int
    keys: dict[str, str]


def suffix_of(path: Path) -> str:
    """Return the suffix that decides the format, in small letters: ``.nii.gz``, ``.nrrd``, ... or an empty string."""
    name = path.name.lower()
    return next((suffix for suffix in sorted(READERS, key=len, reverse=True) if name.endswith(suffix)), "")


def stem(path: Path) -> str:
    """Return the name of a file without ``.nii.gz``, ``.seg.nrrd`` or another suffix of images; folders have none."""
    name = path.name if path.is_dir() else path.name[: len(path.name) - len(suffix_of(path))]
    return name[:-4] if name != path.name and name.lower().endswith(".seg") else name


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back the warnings of ITK inside the block: what matters in them is checked and said by MMGL.

    The switch is one for all threads, so the last one to leave its block turns it back.
    """
    with _SWITCH:
        if not _INSIDE:
            _BEFORE[:] = [sitk.ProcessObject.GetGlobalWarningDisplay()]
            sitk.ProcessObject.SetGlobalWarningDisplay(False)
        _INSIDE.append(1)
    try:
        yield
    finally:
        with _SWITCH:
            _INSIDE.pop()
            if not _INSIDE:
                sitk.ProcessObject.SetGlobalWarningDisplay(_BEFORE[0])


def read_information(path: Path) -> ImageFile:
    """Return what the header of an image file says, without its voxels.

    Raises:
        MMGLError: ``file.missing``, ``scan.unknown_format``, ``scan.unreadable``, ``scan.empty``,
            ``scan.four_dimensional`` or ``scan.sheared``; for DICOM with frames ``scan.uneven_slices`` or
            ``scan.mixed_slices``.
    """
    return _open(path)[0]


def read_image(path: Path, sequence: bool = False) -> tuple[ImageFile, Array]:
    """Return the header and the voxels (channels, z, y, x) of an image file, with the stored dtype.

    Args:
        path: the file.
        sequence: whether it may hold a sequence, the frames of which are then its channels.

    Raises:
        MMGLError: as ``read_information``, or ``scan.not_numbers``.
    """
    header, reader = _open(path, sequence)
    _check_ending(path)
    if READERS.get(suffix_of(path)) == "NiftiImageIO":
        voxels = read_voxels(path, header.keys)
        if voxels is not None and header.channels == 1:
            return header, voxels.reshape(-1, *header.grid.size)
    with quiet():
        try:
            image = reader.Execute()
        except RuntimeError as error:
            raise failure(path, error) from error
    if image.GetDimension() > 3:
        return header, sitk.GetArrayFromImage(image).reshape(-1, *header.grid.size)
    return header, array_of(image)[: header.channels]


def failure(path: Path, error: RuntimeError) -> MMGLError:
    """Return the error that says in words what an exception of SimpleITK says in its own."""
    text = str(error)
    if "orthonormal direction" in text or "Bad direction" in text:
        return MMGLError("scan.sheared", path=path)
    plain = next((reason for mark, reason in _PLAIN_REASONS if mark in text), None)
    return MMGLError("scan.unreadable", path=path, reason=plain or _last_words(text))


def _last_words(text: str) -> str:
    """Return the line of an ITK error that says most, without places in source files and addresses in memory."""
    lines = [
        re.sub(r"^\[nrrd\] \w+: ?|\w+(?:::| )ERROR: ?|\w+ ?\(0x[0-9a-f]+\): ?", "", line) for line in text.split("\n")
    ]
    told = [line.strip() for line in lines if line.strip() and not re.search(r"\.[ch]xx:\d+|^Exception thrown", line)]
    chosen = told[-1] if "[nrrd]" in text else told[0] if told else "no reason given"
    return chosen.rstrip(".")[:200]


def _open(path: Path, sequence: bool = False) -> tuple[ImageFile, sitk.ImageFileReader]:
    """Return the checked header of a file, and the reader that can read its voxels."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise MMGLError("file.name", path=ascii(str(path))) from error
    if not path.is_file():
        raise MMGLError("file.missing", path=path)
    if path.stat().st_size == 0:
        raise MMGLError("scan.empty", path=path, size="0 bytes")
    expected = READERS.get(suffix_of(path), "GDCMImageIO" if looks_like_dicom(path) else "")
    if not expected:
        raise MMGLError("scan.unknown_format", path=path)
    check_text_header(path)
    check_chunks(path)
    if expected == "GDCMImageIO":
        check_elements(path)
    if sitk.ImageFileReader.GetImageIOFromFileName(str(path)) != expected:
        raise MMGLError("scan.unreadable", path=path, reason="it is cut short, damaged or not what its name says")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(expected)
    with quiet():
        try:
            reader.ReadImageInformation()
        except RuntimeError as error:
            raise failure(path, error) from error
    return _checked(path, reader, sequence), reader


def _checked(path: Path, reader: sitk.ImageFileReader, sequence: bool) -> ImageFile:
    """Return the header of a file after the checks that need no voxels."""
    size, grid, channels = reader.GetSize(), grid_of(reader), reader.GetNumberOfComponents()
    if min(size, default=0) == 0:
        raise MMGLError("scan.empty", path=path, size=" x ".join(map(str, size)))
    if (frames := math.prod(size[3:])) > 1 and not (sequence and channels == 1):
        raise MMGLError("scan.four_dimensional", path=path, frames=frames)
    if not all(math.isfinite(spacing) and spacing > 0 for spacing in grid.spacing):
        raise MMGLError("scan.unreadable", path=path, reason="the size of its voxels is not known")
    if not grid.is_orthogonal():
        raise MMGLError("scan.sheared", path=path)
    if (asked := _impossible_size(path, reader)) is not None:
        raise MMGLError("scan.unreadable", path=path, reason=f"its header asks for {asked / 1e9:,.3g} GB")
    if suffix_of(path) in PICTURES:
        grid, channels = Grid(grid.size), min(channels, 3)
    if reader.GetImageIO() == "GDCMImageIO" and grid.size[0] > 1:
        check_frames(path, grid)
    return ImageFile(path, grid, channels, _keys(reader))


def _impossible_size(path: Path, reader: sitk.ImageFileReader) -> int | None:
    """Return the bytes the voxels would need, where no file of this kind can hold so many."""
    number = sitk.Image([1] * 2, reader.GetPixelIDValue()).GetSizeOfPixelComponent()
    voxels = math.prod(reader.GetSize()) * reader.GetNumberOfComponents()
    whole = suffix_of(path) not in (".nhdr", ".mhd")
    too_large = voxels * number > LARGEST or (whole and voxels > HIGHEST_RATIO * path.stat().st_size)
    return voxels * number if too_large else None


def _keys(reader: sitk.ImageFileReader) -> dict[str, str]:
    """Return the texts of a header in which every character can be written again; a key that cannot is no key."""
    keys = (key for key in reader.GetMetaDataKeys() if key.isprintable())
    return {key: reader.GetMetaData(key).encode("utf-8", "replace").decode("utf-8") for key in keys}


def _check_ending(path: Path) -> None:
    """Refuse a JPEG file that is cut short, which its reader hides."""
    if suffix_of(path) in (".jpg", ".jpeg"):
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - 4096, 0))
            if b"\xff\xd9" not in file.read():
                raise MMGLError("scan.unreadable", path=path, reason="it is cut short")
