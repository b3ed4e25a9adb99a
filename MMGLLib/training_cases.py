"""From a corrected segmentation in the scene to a labelled case of a study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from mmgl.files import replacing
from mmgl.imaging.conversion import image_of
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import PALETTE, Structure
from mmgl.study import Study
from mmgl.study.cases import clean_name
from MMGLLib import nodes


def add_case(node: Any, volume: Any, folder: str | Path, meanings: Mapping[str, str] | None = None) -> str:
    """Write a volume and what is painted on it into a study as a new case, and return its name.

    Where segments overlap, the upper one in the list wins. Scan and label become files of the study, so the scene need
    not be saved.

    Raises:
        MMGLError: the study cannot be opened, nothing is painted, the name is taken, or a segment is not known
            (``label.unknown_structure``, to be asked).
    """
    import SimpleITK as sitk

    study = Study.open(folder)
    name = clean_name(volume.GetName())
    if any(case.name == name for case in study.cases):
        raise MMGLError("study.duplicate_case", case=name)
    scan, label = nodes.scan_of(volume), nodes.label_of(node, volume)
    structures = [
        Structure(i, s.name or f"Segment {i}", s.colour or PALETTE[i % len(PALETTE)], s.terminology)
        for i, s in enumerate(label.segments, start=1)
    ]
    image_file = study.folder / "scans" / f"{name}.nrrd"
    label_file = study.folder / "labels" / f"{name}.seg.nrrd"
    for file in (image_file, label_file):
        if file.exists():
            raise MMGLError("file.exists", path=file)
    image = image_of(scan.array if len(scan.array) > 1 else scan.array[0], scan.grid)
    if scan.modality:
        image.SetMetaData("Modality", f"MET_MOD_{scan.modality}")
    try:
        with replacing(image_file) as temporary:
            sitk.WriteImage(image, str(temporary), useCompression=True)
        labelmap = label.labelmap(range(1, len(structures) + 1)).astype(np.uint16)
        write_segmentation(label_file, labelmap, scan.grid, structures)
        study.add_case(image_file, label=label_file, name=name, meanings=meanings)
        study.save()
    except MMGLError:
        for file in (image_file, label_file):  # both are this call's own
            file.unlink(missing_ok=True)
        raise
    _mark_completed(node)
    return name


def _mark_completed(node: Any) -> None:
    """Say in Slicer's own way that a person has checked these segments."""
    status = slicer.vtkSlicerSegmentationsModuleLogic
    segmentation = node.GetSegmentation()
    for index in range(segmentation.GetNumberOfSegments()):
        status.SetSegmentStatus(segmentation.GetNthSegment(index), status.Completed)
