"""A scan in memory: channels of voxels on a grid."""

from __future__ import annotations

from dataclasses import dataclass

from mmgl.imaging.grid import Array, Grid


@dataclass(frozen=True)
class Scan:
    """One image volume, or a 2-D picture as a volume of one slice.

    Attributes:
        array: (channels, z, y, x), the numbers as stored in the file; never written to.
        grid: where its voxels are.
        modality: as DICOM writes it (``CT``, ``MR``, ...), ``picture`` for a colour or grey photograph, or an empty
            string where the file does not say.
    """

    array: Array
    grid: Grid
    modality: str = ""
