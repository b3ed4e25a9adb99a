"""A folder of scans to a mirrored folder of results: resumable, never overwriting, shared by any number of processes.

Nothing but the file system coordinates: a scan is done when its row and its result are there. The row is written
first, so a result without a row is somebody else's file, and a row without a result is work that was cut off.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmgl.files import read_json, write_json
from mmgl.finding import Finding
from mmgl.imaging.image_files import stem
from mmgl.inference.files import Writer, Written
from mmgl.inference.predictor import Predictor
from mmgl.inference.results_table import OWN, ResultsTable
from mmgl.inference.settings import Settings
from mmgl.messages import MMGLError

TABLE_SECONDS = 60.0
"""The table is written anew after so many seconds, and at the end."""


@dataclass(frozen=True)
class Item:
    """One scan of a folder.

    Attributes:
        path: of the scan, or of a folder of DICOM files.
        name: of the scan in the table: its path below the folder, ``/`` between folders.
        target: of the result below the folder of results, without suffix.
        series: the DICOM series meant, or None.
    """

    path: Path
    name: str
    target: str
    series: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one scan: the results written, none where they were there already, or why there is none."""

    item: Item
    written: tuple[Path, ...] = ()
    error: MMGLError | None = None


def items_of(folder: Path, images: Iterable[tuple[str, Path, str]]) -> list[Item]:
    """Return the scans of a folder, each with a place in the results that no other one has.

    Args:
        folder: the one that was walked through.
        images: of each a name that is unique in its folder, its path, and its DICOM series or nothing.
    """
    found = []
    for name, path, series in images:
        below = PurePosixPath(path.relative_to(folder).as_posix())
        if path.is_dir():
            target = PurePosixPath(below, name) if series and name else below
        else:
            target = below.with_name(stem(path))
        found.append(Item(path, str(below), str(target), series or None))
    several = Counter(item.target.casefold() for item in found)
    items = []
    for item in found:
        # scans whose names differ in the suffix only keep it
        place = item.name if several[item.target.casefold()] > 1 and not item.path.is_dir() else item.target
        items.append(Item(item.path, item.name, folder.resolve().name if place == "." else place, item.series))
    return sorted(items, key=lambda item: (item.name, item.target))


class FolderRun:
    """Segments the scans of a folder into ``output``.

    Args:
        predictor: with the model.
        output: the folder of the results, which has results of the same model and the same settings or none.
        settings, suffix, smooth: as in ``Writer``.

    Raises:
        MMGLError: ``segment.other_results``, or as ``Writer``.
    """

    def __init__(
        self, predictor: Predictor, output: Path, settings: Settings, suffix: str = "seg.nrrd", smooth: bool = False
    ) -> None:
        self._predictor, self._output, self._settings = predictor, output, settings
        self._suffix, self._smooth = suffix, smooth
        self._table = ResultsTable(output, predictor.structures, settings.structures)
        asked = {"model": predictor.card.weights, **settings.to_json(), "format": suffix, "smooth": smooth}
        Writer(predictor, settings, suffix, smooth)  # refuses what no scan could be segmented with
        known = output / OWN / "settings.json"
        if not known.exists():
            write_json(known, asked)
        if read_json(known) != asked:
            raise MMGLError("segment.other_results", path=output)

    def run(
        self,
        items: Sequence[Item],
        shard: tuple[int, int] = (1, 1),
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> int:
        """Segment what is not done yet, write ``results.csv``, and return how many scans were skipped.

        Args:
            items: all scans, the same for every shard.
            shard: which part of how many, from 1.
            on_outcome: told what became of each scan.
        """
        number, count = shard
        skipped, due = 0, time.monotonic() + TABLE_SECONDS
        try:
            for item in items[number - 1 :: count]:
                try:
                    outcome = Outcome(item, self._segment(item))
                except MMGLError as error:
                    outcome = Outcome(item, error=error)
                    self._table.skip(item.name, item.target, error)
                    skipped += 1
                if on_outcome:
                    on_outcome(outcome)
                if time.monotonic() > due:
                    self._table.write()
                    due = time.monotonic() + TABLE_SECONDS
        finally:
            self._table.write()
        self._clean(items)
        return skipped

    def leave_out(self, name: str, error: MMGLError) -> None:
        """Put into the table why what is called ``name`` is none of the items."""
        self._table.skip(name, name, error)

    def _segment(self, item: Item) -> tuple[Path, ...]:
        """Return the results of a scan that were written now."""
        state = self._table.state(item.target)
        if state.done:
            return ()
        begun, written, findings = time.monotonic(), list[Path](), list[Finding]()

        def save(result: Written) -> None:
            nonlocal begun
            seconds, begun = time.monotonic() - begun, time.monotonic()
            self._table.add(item.name, item.target, result, findings, seconds)
            written.append(result.path)

        writer = Writer(
            self._predictor, self._settings, self._suffix, self._smooth, lambda _, found: findings.append(found), save
        )
        results = writer.write(item.path, self._output / item.target, item.series, state.frames, state.begun)
        frames = [written.frame for written in results]
        if frames[0] is not None:
            self._table.close(item.target, len(frames))
        return tuple(written)

    def _clean(self, items: Sequence[Item]) -> None:
        """Remove results that a killed process left half written, once no other process can be writing any."""
        states = [self._table.state(item.target) for item in items]
        if all(state.done or state.skipped for state in states):
            for left in self._output.rglob(".writing-*"):
                if OWN not in left.parts and left.suffix != ".csv":
                    left.unlink(missing_ok=True)
