"""Reading scans: NIfTI, NRRD, MetaImage, DICOM, PNG and JPEG, checked so that what is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmgl.imaging.dicom import MODALITY, PATIENT, find_series, read_series, read_series_information
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.image_files import PICTURES, ImageFile, read_image, read_information, suffix_of
from mmgl.imaging.scan import Scan
from mmgl.messages import MMGLError

MOST = 1e30
"""Beyond this, numbers stop being intensities: their squares overflow."""

__all__ = ["Header", "check_numbers", "find_series", "read_case_scan", "read_frames", "read_header", "read_scan"]


@dataclass(frozen=True)
class Header:
    """What is known of a scan before its voxels are read.

    Attributes:
        grid: where its voxels are.
        channels: how many numbers each voxel has.
        modality: as in ``Scan``.
        patient: the patient's identifier in DICOM, or an empty string; only there to group cases, never shown.
    """

    grid: Grid
    channels: int
    modality: str
    patient: str


def read_header(path: Path, series: str | None = None) -> Header:
    """Return what the header of a scan says, without reading its voxels.

    Args:
        path: an image file, or a folder of DICOM files.
        series: the UID of the series meant, where the folder holds several.

    Raises:
        MMGLError: as ``read_scan``, but for what only the voxels show.
    """
    file = read_series_information(path, series) if path.is_dir() else read_information(path)
    _refuse_sequence(file)
    return Header(file.grid, file.channels, _modality(file), file.keys.get(PATIENT, "").strip())


def read_scan(path: Path, series: str | None = None) -> Scan:
    """Return the scan in an image file or in a folder of DICOM files, its numbers as stored.

    A picture has three channels or one, no transparency, and pixels of 1 mm. A 2-D image is a scan of one slice.

    Args:
        path: an image file, or a folder of DICOM files.
        series: the UID of the series meant, where the folder holds several.

    Raises:
        MMGLError: ``file.missing``, ``scan.unknown_format``, ``scan.unreadable``, ``scan.empty``,
            ``scan.four_dimensional``, ``scan.sheared``, ``scan.not_numbers``, ``scan.constant``; for a folder
            ``scan.no_image_in_folder``, ``scan.several_series``, ``scan.unknown_series``, ``scan.mixed_slices`` or
            ``scan.uneven_slices``.
    """
    file, array = read_series(path, series) if path.is_dir() else read_image(path)
    _refuse_sequence(file)
    check_numbers(path, array)
    return Scan(array, file.grid, _modality(file))


def read_frames(path: Path) -> Iterator[Scan]:
    """Yield the frames of a sequence of images of one channel in a file, in their order; a single scan is one frame.

    Raises:
        MMGLError: as ``read_scan``, but for ``scan.four_dimensional``, which is left to sequences of several channels
            and of DICOM files.
    """
    if path.is_dir():
        yield read_scan(path)
        return
    file, array = read_image(path, sequence=True)
    many = len(array) > file.channels or _is_list(file)
    for frame in array[:, None] if many else array[None]:
        check_numbers(path, frame)
        yield Scan(frame, file.grid, _modality(file))


def read_case_scan(paths: Sequence[tuple[Path, str | None]], case: str) -> Scan:
    """Return one scan from several files on the same grid, whose channels follow one another.

    Args:
        paths: each file or folder, with the series meant or None; at least one.
        case: the name of the case, for the message.

    Raises:
        MMGLError: as ``read_scan``, or ``scan.channels_differ``.
    """
    scans = [read_scan(path, series) for path, series in paths]
    first = scans[0]
    if len(scans) == 1:
        return first
    for (path, _), scan in zip(paths, scans, strict=True):
        if not first.grid.same_as(scan.grid):
            raise MMGLError("scan.channels_differ", case=case, first=paths[0][0].name, other=path.name)
    kind = np.result_type(*(scan.array for scan in scans))
    array = np.concatenate([scan.array.astype(kind, copy=False) for scan in scans])
    return Scan(array, first.grid, first.modality)


def _refuse_sequence(file: ImageFile) -> None:
    """Refuse a sequence of Slicer, whose frames ITK takes for the components of a voxel."""
    if _is_list(file):
        raise MMGLError("scan.four_dimensional", path=file.path, frames=file.channels)


def _is_list(file: ImageFile) -> bool:
    """Return whether the components of a voxel are the frames of a sequence of Slicer."""
    return file.channels > 1 and file.keys.get("NRRD_kinds[pixel]") == "list"


def _modality(file: ImageFile) -> str:
    """Return the modality in DICOM's words, ``picture``, or an empty string."""
    if suffix_of(file.path) in PICTURES:
        return "picture"
    told = file.keys.get(MODALITY, file.keys.get("Modality", "")).strip().removeprefix("MET_MOD_")
    return "" if told in ("UNKNOWN", "OTHER") else told


def check_numbers(path: Path | str, array: Array) -> None:
    """Refuse voxels that are not numbers, and an image in which nothing can be seen.

    Args:
        path: of the image, or another name for it.

    Raises:
        MMGLError: ``scan.unreadable``, ``scan.not_numbers`` or ``scan.constant``.
    """
    if np.iscomplexobj(array):
        raise MMGLError("scan.unreadable", path=path, reason="its voxels are complex numbers")
    smallest, largest = array.min(), array.max()
    if not (np.isfinite(smallest) and np.isfinite(largest)) or max(-float(smallest), float(largest)) > MOST:
        raise MMGLError("scan.not_numbers", path=path, count=int(np.count_nonzero(~(np.abs(array) <= MOST))))
    if smallest == largest:
        raise MMGLError("scan.constant", path=path, value=float(smallest))
