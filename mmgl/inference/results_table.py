"""The table of a folder of results: a row for each scan or frame, kept one file a row until they are put together."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mmgl.files import read_json, write_json, write_text
from mmgl.finding import Finding
from mmgl.inference.files import Written
from mmgl.inference.spikes import spike_finding, spikes
from mmgl.messages import MMGLError
from mmgl.structures import Structure

OWN = ".mmgl"
"""Folder inside the results for what makes them resumable."""


@dataclass(frozen=True)
class State:
    """What is there of one scan.

    Attributes:
        done: its result, or the results of all its frames.
        skipped: it has none for a reason that is in the table.
        frames: those whose results are there.
        begun: those that have a row and no result, None for a scan that is none: work that was cut off.
    """

    done: bool
    skipped: bool
    frames: frozenset[int]
    begun: frozenset[int | None]


class ResultsTable:
    """Rows of a folder of results.

    Args:
        output: the folder.
        structures: of the model.
        wanted: names of those that are segmented; all where empty.
    """

    def __init__(self, output: Path, structures: Sequence[Structure], wanted: Collection[str] = ()) -> None:
        self._output, self._rows = output, output / OWN / "rows"
        self._structures = structures
        self._names = [s.name for s in structures if not wanted or s.name in wanted]

    def state(self, target: str) -> State:
        """Return what is there of the scan whose results are ``target``."""
        row = self._read(self._file(target))
        files = list(self._file(target, 0).parent.glob("[0-9]*.json"))
        frames = frozenset(int(file.stem) for file in files if self._has_result(self._read(file)))
        begun: set[int | None] = {number for file in files if (number := int(file.stem)) not in frames}
        if "frames" in row:
            return State(frames >= set(range(row["frames"])), False, frames, frozenset(begun))
        done = self._has_result(row)
        begun |= {None} if "result" in row and not done else set()
        return State(done, "skipped" in row, frames, frozenset(begun))

    def add(self, scan: str, target: str, written: Written, findings: Sequence[Finding], seconds: float) -> None:
        """Keep the row of a result.

        Args:
            scan: its name in the table.
            target: of its results.
            findings: what was told before the work.
            seconds: that it took.
        """
        result = written.result
        volumes = zip(self._structures, result.volumes(len(self._structures)), strict=True)
        row = {
            "scan": scan,
            "frame": written.frame,
            "result": written.path.relative_to(self._output).as_posix(),
            "seconds": round(seconds, 2),
            "ml": {structure.name: round(volume, 4) for structure, volume in volumes},
            "doubt": {s.structure: s.doubt for s in result.doubt.structures},
            "check": [s.structure for s in result.doubt.structures if s.check],
            "slices": [f"{s.plane} {s.index}" for s in result.doubt.slices],
            "notes": [finding.words for finding in (*findings, *result.findings)],
        }
        write_json(self._file(target, written.frame), row)

    def skip(self, scan: str, target: str, error: MMGLError) -> None:
        """Keep why a scan has no result."""
        write_json(self._file(target), {"scan": scan, "skipped": error.key, "notes": [str(error)]})

    def close(self, target: str, frames: int) -> None:
        """Keep how many frames a sequence has, all of whose results are there."""
        write_json(self._file(target), {"frames": frames})

    def write(self) -> None:
        """Write ``results.csv`` from all rows whose result is there, by whichever process it was made.

        Where another process adds a row meanwhile it is written again, so that whoever is last writes all.
        """
        written = -1
        while written != (count := len(files := sorted(self._rows.rglob("[!.]*.json")))):
            rows = [row for file in files if "scan" in (row := self._read(file))]
            rows = [row for row in rows if "skipped" in row or self._has_result(row)]
            rows.sort(key=lambda row: (row["scan"], row.get("frame") or 0, row.get("result", "")))
            self._note_spikes(rows)
            text = io.StringIO()
            table = csv.writer(text, lineterminator="\n")
            columns = [f"{name} {what}" for name in self._names for what in ("ml", "doubt")]
            table.writerow(["scan", "frame", "result", *columns, "check", "doubtful slices", "notes", "seconds"])
            table.writerows(self._cells(row) for row in rows)
            write_text(self._output / "results.csv", text.getvalue())
            written = count

    def _note_spikes(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add to the rows of frames what stands out among the others; to sequences without gaps only."""
        sequences: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in rows:
            if row.get("frame") is not None:
                sequences.setdefault((row["scan"], str(PurePosixPath(row["result"]).parent)), []).append(row)
        for frames in sequences.values():
            if [row["frame"] for row in frames] != list(range(len(frames))):
                continue
            for name in self._names:
                for frame in spikes([row["ml"][name] for row in frames]):
                    frames[frame]["notes"].append(spike_finding(name, [frame]).words)

    def _cells(self, row: dict[str, Any]) -> list[Any]:
        """Return a row of the table: nothing but the reason for a scan that was skipped."""
        notes = " ".join(row["notes"])
        if "skipped" in row:
            return [row["scan"], "", "skipped", *[""] * (2 * len(self._names)), "", "", notes, ""]
        numbers = [row[what][name] for name in self._names for what in ("ml", "doubt")]
        frame = "" if row["frame"] is None else row["frame"]
        lists = ["; ".join(row["check"]), "; ".join(row["slices"])]
        return [row["scan"], frame, row["result"], *numbers, *lists, notes, row["seconds"]]

    def _has_result(self, row: dict[str, Any]) -> bool:
        """Return whether the result of a row is there."""
        return "result" in row and (self._output / row["result"]).is_file()

    def _file(self, target: str, frame: int | None = None) -> Path:
        """Return the file of a row; frames have a hidden folder, as a scan may lie in ``target`` and be called 1."""
        return self._rows / (f"{target}.json" if frame is None else f"{target}/.frames/{frame}.json")

    @staticmethod
    def _read(file: Path) -> dict[str, Any]:
        """Return a row, an empty one where there is none."""
        row: dict[str, Any] = read_json(file) if file.is_file() else {}
        return row
