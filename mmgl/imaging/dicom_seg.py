"""A segmentation as DICOM writes it (DICOM SEG), with the codes of its structures; needs highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mmgl import __version__
from mmgl.files import replacing
from mmgl.imaging.dicom_elements import looks_like_dicom
from mmgl.imaging.grid import Array, Grid
from mmgl.messages import MMGLError, unwritable
from mmgl.structures import Structure

TISSUE = ("SCT", "85756007", "Tissue")
"""Category and type of a structure without codes, as Slicer gives them to a new segment."""

AS_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Elements that a scan must have by the standard and may have empty. Where they are lacking they count as empty."""

ISSUER = ("IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence")
"""Whose number of the patient it is; with ``AS_EMPTY`` all that is repeated of what a scan says of people."""

LONGEST_LABEL = 64
"""Characters that DICOM allows for a name or the meaning of a code."""


def check_highdicom() -> None:
    """Refuse to begin where DICOM SEG cannot be written at all.

    Raises:
        MMGLError: ``dicom.no_highdicom``.
    """
    if find_spec("highdicom") is None:
        raise MMGLError("dicom.no_highdicom")


def check_source(files: Sequence[Path]) -> None:
    """Refuse to begin with a scan that a DICOM SEG cannot refer to.

    Raises:
        MMGLError: ``dicom.no_series``.
    """
    if not looks_like_dicom(files[0]):
        raise MMGLError("dicom.no_series", path=files[0])


def write_dicom_seg(
    path: Path, labelmap: Array, grid: Grid, structures: Sequence[Structure], files: Sequence[Path]
) -> None:
    """Write a labelmap (z, y, x) in which value i + 1 is ``structures[i]``, one segment for each of them.

    Patient and study are those of the scan, the frame of reference too; the series is a new one. Of the patient there
    is what DICOM asks for (name, number, date of birth, sex), and no more.

    Args:
        path: of the file.
        labelmap: on ``grid``, which need not be that of the scan.
        files: of the scan, DICOM, in the order of its slices.

    Raises:
        MMGLError: ``file.exists``, ``file.unwritable``, ``dicom.no_highdicom``, or ``dicom.no_series`` where the files
            do not say where in the patient they are.
    """
    if path.exists():
        raise MMGLError("file.exists", path=path)
    check_highdicom()
    check_source(files)
    import highdicom as hd
    from pydicom.valuerep import DSfloat

    sources = [_header(file) for file in files]
    place = np.eye(4)
    place[:3, :3] = (grid.matrix * grid.spacing)[::-1]  # columns z, y, x of the array; rows x, y, z of space
    place[:3, 3] = grid.origin[::-1]
    frame = sources[0].FrameOfReferenceUID
    volume = hd.Volume(labelmap, place, coordinate_system="PATIENT", frame_of_reference_uid=frame)
    written = hd.seg.Segmentation(
        source_images=sources,
        pixel_array=volume,
        segmentation_type="BINARY",
        segment_descriptions=[_description(i, structure) for i, structure in enumerate(structures, start=1)],
        series_instance_uid=hd.UID(),
        series_number=int(sources[0].get("SeriesNumber") or 0) + 1000,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="MMGL",
        manufacturer_model_name="MMGL",
        software_versions=__version__,
        device_serial_number="0",
        content_label="SEGMENTATION",
        content_description="Segmented by MMGL",
        omit_empty_frames=bool(labelmap.any()),
        series_description="MMGL segmentation",
    )
    measures = written.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]  # highdicom copies those of the scan
    thickness, *in_plane = (DSfloat(n, auto_format=True) for n in grid.spacing)
    measures.SliceThickness, measures.SpacingBetweenSlices, measures.PixelSpacing = thickness, thickness, in_plane
    try:
        with replacing(path) as temporary:
            written.save_as(temporary)
    except OSError as error:
        raise unwritable(error, path) from error


def _header(file: Path) -> Any:
    """Return the header of a file of a scan, as highdicom needs it."""
    from pydicom import dcmread

    header = dcmread(file, stop_before_pixels=True)
    for element in list(header):  # highdicom copies all of it: address, comments, diagnoses, who else looked at it
        of_people = element.tag.group == 0x0010 or element.VR == "PN" or "Diagnos" in element.keyword
        if of_people and element.keyword not in (*AS_EMPTY, *ISSUER):
            del header[element.tag]
    for name in AS_EMPTY:
        if name not in header:
            setattr(header, name, "")
    if not header.get("SliceThickness"):
        header.SliceThickness = 1.0  # asked for, and not used
    if "PerFrameFunctionalGroupsSequence" in header:
        shared, first = header.SharedFunctionalGroupsSequence[0], header.PerFrameFunctionalGroupsSequence[0]
        for name in ("PlaneOrientationSequence", "PixelMeasuresSequence"):  # each frame may tell what all share
            if name not in shared and name in first:
                setattr(shared, name, first.get(name))
    needed = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
    if any(not header.get(name) for name in needed):
        raise MMGLError("dicom.no_series", path=file)
    return header


def _description(number: int, structure: Structure) -> Any:
    """Return what DICOM says of a segment."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    _, category, kind, modifier, _, region, region_modifier = [*structure.terminology.split("~"), *[""] * 7][:7]
    regions = [_code(region)] if _code(region) else None
    description = hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=structure.name[:LONGEST_LABEL],
        segmented_property_category=_code(category) or _code("^".join(TISSUE)),
        segmented_property_type=_code(kind) or _code("^".join(TISSUE)),
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            "MMGL", family=codes.cid7162.ArtificialIntelligence, version=__version__
        ),
        anatomic_regions=regions,
        display_color=hd.color.CIELabColor.from_rgb(*structure.colour),
    )
    if sided := _code(modifier):
        description.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [sided]
    if regions and (sided := _code(region_modifier)):
        description.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [sided]
    return description


def _code(entry: str) -> Any:
    """Return the code of a part ``scheme^value^meaning`` of a terminology entry, or None."""
    from highdicom.sr import CodedConcept

    scheme, value, meaning = [*entry.split("^"), "", "", ""][:3]
    if not (scheme and value and meaning):
        return None
    return CodedConcept(value=value, scheme_designator=scheme[:16], meaning=meaning[:LONGEST_LABEL])
