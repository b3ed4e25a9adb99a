"""Where scans can come from besides folders: volumes of the scene, and series of Slicer's DICOM database."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import slicer

from mmgl.imaging.scan_files import write_scan
from mmgl.study import Image
from mmgl.study.cases import clean_name
from mmgl.study.splits import pseudonym
from MMGLLib import nodes
from MMGLLib.aside import RunWithAside
from MMGLLib.case_nodes import CASE
from MMGLLib.messages import MMGLError
from MMGLLib.runs import Event
from MMGLLib.training_cases import copied


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


class AddingVolume(RunWithAside):
    """Writes a volume of the scene into the folder of a study, as it is shown. The event ``done`` has its ``file``.

    Args:
        volume: the node; only read.
        folder: of the study.
        on_event: as for ``Run``. ``failed`` where it is no scan, or there is a file of that name.
    """

    def __init__(self, volume: Any, folder: Path, on_event: Callable[[Event], None] | None = None) -> None:
        super().__init__(on_event)
        self.volume, self.folder = volume, folder

    def work(self) -> Generator[None, None, Event]:
        """Copy the voxels, and have them written."""
        file = self.folder / "scans" / f"{clean_name(self.volume.GetName())}.nrrd"
        if file.exists():
            raise MMGLError("file.exists", path=file)
        scan = yield from copied(nodes.scan_of(self.volume))
        yield from self.aside(lambda: write_scan(file, scan))
        return {"event": "done", "file": file}


def segmentation_of(volume: Any) -> Any:
    """Return the segmentation that was painted on a volume, where there is exactly one."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    found = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
        if node.GetNodeReference(role) is volume and node.GetSegmentation().GetNumberOfSegments()
    ]
    return found[0] if len(found) == 1 else None
