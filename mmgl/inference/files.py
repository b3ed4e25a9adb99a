"""From a scan's file to a result's file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from mmgl.finding import Finding
from mmgl.imaging.dicom import files_of
from mmgl.imaging.dicom_seg import check_highdicom, check_source, write_dicom_seg
from mmgl.imaging.grid import Array
from mmgl.imaging.image_files import stem
from mmgl.imaging.reading import read_frames, read_scan
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation_files import write_labelmap, write_map, write_segmentation
from mmgl.inference.frames import segment_frames
from mmgl.inference.predictor import Predictor
from mmgl.inference.settings import Result, Settings
from mmgl.messages import MMGLError
from mmgl.structures import Structure


@dataclass(frozen=True)
class Written:
    """A result that was written.

    Attributes:
        path: of the segmentation.
        frame: which one of a sequence, from 0; None for a scan.
        result: what is in it.
    """

    path: Path
    frame: int | None
    result: Result


class Writer:
    """Segments files and writes the results.

    Args:
        predictor: with the model.
        settings: for every scan.
        suffix: ``seg.nrrd`` or ``seg.dcm``, with names, colours and codes; or ``nii.gz``, ``nrrd`` or ``png``, with
            values, of which i + 1 is structure i.
        smooth: sequences with what neighbouring frames show.
        on_finding: told before the work what may spoil a result.
        before: told of every result just before it is written.

    Raises:
        MMGLError: as ``Predictor.check``, or ``dicom.no_highdicom``.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings | None = None,
        suffix: str = "seg.nrrd",
        smooth: bool = False,
        on_finding: Callable[[Path, Finding], None] | None = None,
        before: Callable[[Written], None] | None = None,
    ) -> None:
        self.predictor, self.settings, self.suffix, self.smooth = predictor, settings or Settings(), suffix, smooth
        self._on_finding, self._before = on_finding, before
        predictor.check(self.settings)
        if suffix == "seg.dcm":
            check_highdicom()

    def path_of(self, target: Path, frame: int | None = None) -> Path:
        """Return the file of a result: ``TARGET.SUFFIX``, or for a frame ``TARGET/NAME-000.SUFFIX``."""
        target = target if frame is None else target / f"{target.name}-{frame:03}"
        return target.with_name(f"{target.name}.{self.suffix}")

    def write(
        self,
        path: Path,
        target: Path,
        series: str | None = None,
        kept: Collection[int] = (),
        begun: Collection[int | None] = (),
    ) -> Iterator[Written]:
        """Segment a scan, or every frame of a sequence, and yield what was written; never over a file that exists.

        Args:
            path: of a scan, of a sequence, or of a folder that holds DICOM files.
            target: of the results, without a suffix.
            series: the DICOM series meant, where the folder holds several.
            kept: frames whose results are there and stay.
            begun: frames, None for a scan, whose map of doubt may be left of work that was cut off.

        Raises:
            MMGLError: the scan cannot be read or does not fit the model, a result exists, or DICOM SEG is asked for
                and cannot be written.
        """
        if self.path_of(target).exists():
            raise MMGLError("file.exists", path=self.path_of(target))
        sources = files_of(path, series) if self.suffix == "seg.dcm" else []
        if sources:
            check_source(sources)
        frames: Iterator[Scan] | None = None
        try:
            scan = read_scan(path, series)
        except MMGLError as error:
            if error.key != "scan.four_dimensional" or path.is_dir():
                raise
            frames = read_frames(path)
            scan = next(frames)
        self._look(path, scan)
        if frames is None:
            written = Written(self.path_of(target), None, self.predictor.result(scan, self.settings))
            yield self._put(written, sources, begun)
            return
        results = segment_frames(self.predictor, chain([scan], frames), self.settings, self.smooth)
        for number, result in enumerate(results):
            written = Written(self.path_of(target, number), number, result)
            yield written if number in kept else self._put(written, sources, begun)

    def _look(self, path: Path, scan: Scan) -> None:
        """Refuse what cannot be written, and tell what may spoil the result."""
        if self.suffix == "png" and scan.grid.size[0] > 1:
            raise MMGLError("segment.one_slice", path=path, count=scan.grid.size[0])
        for finding in self.predictor.fit(scan):
            if self._on_finding:
                self._on_finding(path, finding)

    def _put(self, written: Written, sources: Sequence[Path], begun: Collection[int | None]) -> Written:
        """Write a result, and before it its map of doubt where there is one."""
        result, structures = written.result, self.predictor.structures
        ending = "nii.gz" if self.suffix == "nii.gz" else "nrrd"
        place = written.path.with_name(f"{written.path.name.removesuffix('.' + self.suffix)}.doubt.{ending}")
        ours = written.frame in begun
        for path in (written.path, *([place] if result.doubt_map is not None and not ours else [])):
            if path.exists():
                raise MMGLError("file.exists", path=path)
        if self._before:
            self._before(written)
        if result.doubt_map is not None:
            write_map(place, result.doubt_map, result.own, overwrite=ours)
        labelmap, named = result.labelmap, self.suffix in ("seg.nrrd", "seg.dcm")
        if named and (wanted := self.settings.structures):
            structures, labelmap = _only(labelmap, structures, wanted)
        if self.suffix == "seg.nrrd":
            write_segmentation(written.path, labelmap, result.grid, structures)
        elif self.suffix == "seg.dcm":
            write_dicom_seg(written.path, labelmap, result.grid, structures, sources)
        else:
            write_labelmap(written.path, labelmap, result.grid)
        return written


def _only(
    labelmap: Array, structures: Sequence[Structure], names: Collection[str]
) -> tuple[tuple[Structure, ...], Array]:
    """Return the structures of these names, and the labelmap with their values from 1 on."""
    kept = tuple(s for s in structures if s.name in names)
    values = [0] + [kept.index(s) + 1 if s in kept else 0 for s in structures]
    return kept, np.array(values, dtype=labelmap.dtype)[labelmap]


def segment_file(
    predictor: Predictor, path: Path, folder: Path, suffix: str = "seg.nrrd", settings: Settings | None = None
) -> Path:
    """Segment one scan and return the file written, ``folder/NAME.suffix``; never over a file that exists.

    Args:
        path: of a scan, or of a folder that holds one DICOM series.
        suffix: ``seg.nrrd`` and ``seg.dcm`` keep names, colours and codes; the others hold values, where value i + 1
            is structure i of the model.

    Returns:
        The result's file; the folder of the results where the scan is a sequence.

    Raises:
        MMGLError: the scan cannot be read or does not fit the model, or the result exists.
    """
    written = list(Writer(predictor, settings, suffix).write(path, folder / stem(path)))
    return written[0].path if written[0].frame is None else written[0].path.parent


def segment(model: str | Path, scan: str | Path, output: str | Path, *, device: str = "auto") -> Path:
    """Segment one scan with a model file and return the ``.seg.nrrd`` written into the folder ``output``.

    For several scans make one ``Predictor`` and use ``segment_file``, which loads the model once.

    Args:
        model: a ``.mmgl`` file.
        scan: a file, or a folder that holds one DICOM series.
        output: made where it is not there.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MMGLError: as ``Predictor`` and ``segment_file``.
    """
    return segment_file(Predictor(Path(model), device), Path(scan), Path(output))
