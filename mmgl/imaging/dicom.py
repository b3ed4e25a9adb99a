"""A folder of DICOM files: which series it holds, and how the slices of one series stack."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.files import stamp
from mmgl.imaging.conversion import array_of
from mmgl.imaging.dicom_elements import looks_like_dicom
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.image_files import ImageFile, failure, quiet, read_image, read_information
from mmgl.imaging.stacking import check_gaps
from mmgl.messages import MMGLError

MODALITY, DESCRIPTION, SERIES, PATIENT = "0008|0060", "0008|103e", "0020|000e", "0010|0020"

NOT_SCANS = ("SEG", "PR", "KO", "SR", "RTSTRUCT")
"""Modalities of DICOM files that say something about a scan and are none."""


def find_series(folder: Path) -> dict[str, str]:
    """Return the series of scans in this folder, not below it: UID to modality, description and number of files.

    Raises:
        MMGLError: ``file.missing``, or ``scan.unreadable`` for a DICOM file that is cut short.
    """
    words = {uid: _describe(files) for uid, files in _files_by_series(folder).items()}
    return dict(sorted(words.items(), key=lambda item: (item[1], item[0])))


def read_series_information(folder: Path, series: str | None = None) -> ImageFile:
    """Return the header of a series: its grid, channels, and the keys of its first file.

    Raises:
        MMGLError: ``file.missing``, ``scan.no_image_in_folder``, ``scan.several_series``, ``scan.unknown_series``,
            ``scan.mixed_slices``, ``scan.four_dimensional``, ``scan.uneven_slices``, ``scan.sheared`` or
            ``scan.unreadable``.
    """
    return _stack(folder, _choose(folder, series))[0]


def read_series(folder: Path, series: str | None = None) -> tuple[ImageFile, Array]:
    """Return the header and the voxels (channels, z, y, x) of a series, rescaled as its files say.

    Raises:
        MMGLError: as ``read_series_information``.
    """
    header, paths = _stack(folder, _choose(folder, series))
    if len(paths) == 1:
        return read_image(paths[0])
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in paths])
    reader.SetImageIO("GDCMImageIO")
    with quiet():
        try:
            return header, array_of(reader.Execute())
        except RuntimeError as error:
            raise failure(folder, error) from error


def files_of(path: Path, series: str | None = None) -> list[Path]:
    """Return the files of a DICOM scan in the order of its slices: of a series in a folder, or a single file.

    Raises:
        MMGLError: as ``read_series_information``.
    """
    return _stack(path, _choose(path, series))[1] if path.is_dir() else [path]


def _files_by_series(folder: Path) -> Mapping[str, Sequence[ImageFile]]:
    """Return the images of DICOM in a folder, by the UID of their series.

    The last folders are remembered while their files stay as they are: each of their series is asked for in turn.
    """
    if not folder.is_dir():
        raise MMGLError("file.missing", path=folder)
    return _read_headers(folder, json.dumps(stamp(folder)))


@lru_cache(maxsize=4)  # two scans are read at a time
def _read_headers(folder: Path, state: str) -> Mapping[str, Sequence[ImageFile]]:
    """Return what ``_files_by_series`` does, for files of this state."""
    found: dict[str, list[ImageFile]] = defaultdict(list)
    for path in sorted(folder.iterdir()):
        if not path.is_file() or not (path.suffix.lower() in (".dcm", ".ima") or looks_like_dicom(path)):
            continue
        try:
            header = read_information(path)
        except MMGLError:
            if _is_image(path) and path.name.upper() != "DICOMDIR":
                raise
            continue
        if header.keys.get(MODALITY, "").strip() not in NOT_SCANS:
            found[header.keys.get(SERIES, "").strip()].append(header)
    return dict(found)


def _is_image(path: Path) -> bool:
    """Return whether a file that cannot be read tells how many rows an image has, as reports and the like do not."""
    with path.open("rb") as file:
        start = file.read(1 << 16)
    return len(start) == 0 or b"\x28\x00\x10\x00US" in start or b"\x28\x00\x10\x00\x02\x00\x00\x00" in start


def _describe(files: Sequence[ImageFile]) -> str:
    """Return the words a person chooses a series by."""
    keys = files[0].keys
    told = [keys.get(key, "").strip() for key in (MODALITY, DESCRIPTION)]
    return ", ".join([*filter(None, told), f"{len(files)} file{'s' if len(files) > 1 else ''}"])


def _choose(folder: Path, series: str | None) -> Sequence[ImageFile]:
    """Return the files of the series that is asked for, or of the only one."""
    found = _files_by_series(folder)
    if not found:
        raise MMGLError("scan.no_image_in_folder", path=folder)
    listed = "; ".join(f"{uid} ({_describe(files)})" for uid, files in sorted(found.items()))
    if series is None and len(found) > 1:
        raise MMGLError("scan.several_series", path=folder, count=len(found), series=listed)
    chosen = next(iter(found)) if series is None else series
    if chosen not in found:
        raise MMGLError("scan.unknown_series", path=folder, series=series, found=listed)
    return found[chosen]


def _stack(folder: Path, files: Sequence[ImageFile]) -> tuple[ImageFile, list[Path]]:
    """Return the header of the volume that slices make, and their paths in the order of its slices."""
    first = files[0]
    if len(files) == 1:
        return first, [first.path]
    for file in files:
        alike = (file.grid.size, file.channels) == (first.grid.size, first.channels) and file.grid.size[0] == 1
        if not alike or not np.allclose(file.grid.matrix, first.grid.matrix, atol=1e-3):
            raise MMGLError("scan.mixed_slices", path=folder)
    heights = [float(np.dot(file.grid.origin, first.grid.matrix[:, 0])) for file in files]
    order = np.argsort(heights, kind="stable")
    stacked = [files[i] for i in order]
    gap = check_gaps(folder, np.asarray(heights)[order])
    _check_straight(folder, stacked)
    lowest = stacked[0]
    spacing = (gap, *lowest.grid.spacing[1:])
    grid = Grid((len(files), *lowest.grid.size[1:]), spacing, lowest.grid.origin, lowest.grid.directions)
    return replace(lowest, path=folder, grid=grid), [file.path for file in stacked]


def _check_straight(folder: Path, stacked: Sequence[ImageFile]) -> None:
    """Refuse slices that are shifted against one another, as a tilted gantry makes them."""
    bottom, top = stacked[0].grid, stacked[-1].grid
    path = np.subtract(top.origin, bottom.origin)
    drift = path - np.dot(path, bottom.matrix[:, 0]) * bottom.matrix[:, 0]
    if np.linalg.norm(drift) > 1e-3 * np.linalg.norm(path) + 0.01:
        raise MMGLError("scan.sheared", path=folder)
