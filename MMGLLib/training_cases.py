"""From a corrected segmentation in the scene to a labelled case of a study."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmgl.finding import Finding
from mmgl.imaging.scan import Scan
from mmgl.imaging.scan_files import write_scan
from mmgl.imaging.segmentation import Segmentation
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.structures import PALETTE, Structure
from mmgl.study import Study
from mmgl.study.cases import clean_name
from mmgl.study.label_statistics import overlaps
from mmgl.study.trained import model_files
from MMGLLib import nodes
from MMGLLib.aside import RunWithAside
from MMGLLib.case_nodes import CaseNodes
from MMGLLib.messages import MMGLError
from MMGLLib.results import Making, slabs
from MMGLLib.runs import Event


class AddingCase(RunWithAside):
    """Writes a volume and what is painted on it into a study. The event ``done`` has ``case``, ``waiting`` and
    ``told`` (which segments overlap, in words).

    Where segments overlap, the upper one in the list wins. Scan and label become new files of the study, so the scene
    need not be saved, and nothing is overwritten. The files are written by a thread that sees copies only, no node.

    Args:
        node: the segmentation node; marked as completed, and otherwise only read.
        volume: the volume node; only read.
        folder: of the study.
        meanings: as for ``Study.add_case``.
        same: whether a case of this name that the study has is this very scan and gets its corrected label; with False
            the scan is added under another name, with None it is asked.
        on_event: as for ``Run``. ``failed`` with ``label.unknown_structure``, ``label.unnamed_values`` or
            ``slicer.same_scan`` is a question: add it again with the answer.

    Raises:
        MMGLError: the study cannot be opened, nothing is painted, or there is something to ask.
    """

    def __init__(
        self,
        node: Any,
        volume: Any,
        folder: str | Path,
        meanings: Mapping[str, str] | None = None,
        same: bool | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(on_event)
        if node is None or volume is None:
            raise MMGLError("slicer.no_result")
        self.node, self.volume, self.scene = node, volume, volume.GetScene()
        self.folder, self.meanings, self.same = Path(folder), dict(meanings or {}), same

    def work(self) -> Generator[None, None, Event]:
        """Copy what is in the scene, have it written, and mark the segments as completed."""
        if not (self.folder / "study.json").is_file():
            raise MMGLError("slicer.no_study", path=self.folder)
        study = Study.open(self.folder)
        name = self._case_name(study)
        scan = yield from copied(nodes.scan_of(self.volume))
        painted = yield from nodes.making_painted(self.node)

        def write() -> list[str]:
            label = painted.on(scan.grid)
            _write(study, name, scan, label, self.meanings, bool(self.same))
            return _overlaps(label)

        told = yield from self.aside(write)
        if self.node.GetScene() is self.scene:
            CaseNodes(name, self.volume, self.node).done()
        return {"event": "done", "case": name, "waiting": corrections(study), "told": told}

    def _case_name(self, study: Study) -> str:
        """Return the name of the case."""
        name, taken = clean_name(self.volume.GetName()), {case.name for case in study.cases}
        if name not in taken or self.same:
            return name
        if self.same is None:
            raise MMGLError("slicer.same_scan", case=name)
        return next(other for n in range(2, len(taken) + 3) if (other := f"{name}-{n}") not in taken)


def corrections(study: Study) -> int:
    """Return how many labels of a study are newer than its latest model."""
    newest = max((file.stat().st_mtime for file in model_files(study.folder)), default=0.0)
    labels = [case.label.path for case in study.cases if case.label]
    return sum(path.is_file() and path.stat().st_mtime > newest for path in labels)


def _overlaps(label: Segmentation) -> list[str]:
    """Return which segments share voxels, in words."""
    names = [segment.name for segment in label.segments]
    found = overlaps(label, range(1, len(names) + 1))
    parameters = [{"first": names[a - 1], "second": names[b - 1], "voxels": count} for a, b, count in found]
    return [Finding("slicer.overlap", one).words for one in parameters]


def copied(scan: Scan) -> Making[Scan]:
    """Return a scan with voxels of its own."""
    array = np.empty_like(scan.array, order="C")
    for slab in slabs(array.shape[1:]):
        array[:, slab] = scan.array[:, slab]
        yield
    return Scan(array, scan.grid, scan.modality)


def _write(study: Study, name: str, scan: Scan, label: Segmentation, said: Mapping[str, str], same: bool) -> None:
    """Write the files of a case, and add it to the study or give it its new label."""
    structures = [
        Structure(i, s.name or f"Segment {i}", s.colour or PALETTE[i % len(PALETTE)], s.terminology)
        for i, s in enumerate(label.segments, start=1)
    ]
    written: list[Path] = []
    try:
        label_file = _free(study.folder / "labels", name, ".seg.nrrd")
        written.append(label_file)
        labelmap = label.labelmap(range(1, len(structures) + 1)).astype(np.uint16)
        write_segmentation(label_file, labelmap, scan.grid, structures)
        if same:
            study.set_label(name, label_file, said)
        else:
            image_file = _free(study.folder / "scans", name, ".nrrd")
            written.append(image_file)
            write_scan(image_file, scan)
            study.add_case(image_file, label=label_file, name=name, meanings=said)
        study.save()
    except BaseException:
        for file in written:  # this call's own
            file.unlink(missing_ok=True)
        raise


def _free(folder: Path, name: str, suffix: str) -> Path:
    """Return a path in a folder that no file has."""
    names = [name, *(f"{name}-{n}" for n in range(2, 1000))]
    return next(path for stem in names if not (path := folder / f"{stem}{suffix}").exists())
