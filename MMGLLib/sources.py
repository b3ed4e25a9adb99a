"""Where scans can come from besides folders: volumes of the scene, and series of Slicer's DICOM database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import slicer

from mmgl.files import replacing
from mmgl.imaging.conversion import image_of
from mmgl.study import Image
from mmgl.study.cases import clean_name
from mmgl.study.splits import pseudonym
from MMGLLib import nodes
from MMGLLib.case_nodes import CASE
from MMGLLib.messages import MMGLError


class Source(NamedTuple):
    """A scan that can be added to a study.

    Attributes:
        words: what the user reads.
        name: of the case it becomes.
        volume: the node, or None.
        image: the DICOM series, or None.
        patient: a pseudonym, or an empty string.
    """

    words: str
    name: str
    volume: Any = None
    image: Image | None = None
    patient: str = ""


def volumes() -> list[Source]:
    """Return the scans of the scene that are not shown from a study."""
    found = []
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        plain = node.GetClassName() in ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
        if plain and node.GetImageData() is not None and not node.GetAttribute(CASE) and not node.GetHideFromEditors():
            found.append(Source(node.GetName(), clean_name(node.GetName()), volume=node))
    return found


def series() -> Iterator[Source]:
    """Yield the series of the DICOM database one by one; none where there is no database."""
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.isOpen:
        return
    for patient in database.patients():
        for study in database.studiesForPatient(patient):
            for uid in database.seriesForStudy(study):
                files = database.filesForSeries(uid)
                if files and database.fileValue(files[0], "0008,0060") not in ("SEG", "RTSTRUCT", "SR", "PR", "KO"):
                    said = [database.fileValue(files[0], tag) for tag in ("0008,103e", "0008,0060", "0008,0020")]
                    who = pseudonym(database.fileValue(files[0], "0010,0020") or patient)
                    words = f"{who}: {', '.join(filter(None, said)) or 'series'}, {len(files)} images"
                    image = Image(Path(files[0]).parent, uid)
                    yield Source(words, clean_name(f"{who} {said[0] or 'series'}"), image=image, patient=who)


def write_volume(volume: Any, folder: Path) -> Path:
    """Write a volume of the scene into the folder of a study, as it is shown, and return the new file.

    Raises:
        MMGLError: it is no scan, or there is a file of that name.
    """
    import SimpleITK as sitk

    scan = nodes.scan_of(volume)
    file = folder / "scans" / f"{clean_name(volume.GetName())}.nrrd"
    if file.exists():
        raise MMGLError("file.exists", path=file)
    image = image_of(scan.array if len(scan.array) > 1 else scan.array[0], scan.grid)
    if scan.modality:
        image.SetMetaData("Modality", f"MET_MOD_{scan.modality}")
    with replacing(file) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=False)  # compressing takes ten times as long
    return file


def segmentation_of(volume: Any) -> Any:
    """Return the segmentation that was painted on a volume, where there is exactly one."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    found = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if node.GetNodeReference(role) is volume and node.GetSegmentation().GetNumberOfSegments()
    ]
    return found[0] if len(found) == 1 else None
