"""A folder of scans being segmented by a job that goes on without Slicer, and that is found again afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from mmgl.files import read_json
from mmgl.jobs import Job
from mmgl.messages import CATALOGUE
from MMGLLib import cache
from MMGLLib.messages import MMGLError
from MMGLLib.runs import Event, Run
from MMGLLib.segmenting import check_settings, checked_model
from MMGLLib.worker import command, environment

OPTIONS = {
    "mirror": ["--mirror"],
    "finer": ["--finer"],
    "doubt": ["--doubt"],
    "largest": ["--largest-piece", "suggested"],
    "tidy": ["--largest-piece", "--fill-holes"],
}
"""Settings as the command line has them."""


class SegmentingFolder(Run):
    """Follows the segmenting of a folder. The event ``done`` has ``output``, ``done`` (scans) and ``skipped``
    (pairs of a scan and a line that names it and says why).

    Args:
        job: the folder of the job.
        on_event: as for ``Run``.
    """

    def __init__(self, job: Path, on_event: Callable[[Event], None] | None = None) -> None:
        super().__init__(on_event)
        self.job, self.volume = Job(job), None
        arguments = [str(a) for a in read_json(self.job.folder / "job.json")["arguments"]]
        self.scans, self.output = Path(arguments[2]), Path(arguments[arguments.index("--output") + 1])
        self.skipped: list[tuple[str, str]] = []
        self._waits = False

    @staticmethod
    def start(
        scans: str | Path,
        output: str | Path,
        model: str | Path,
        device: str = "auto",
        structures: Sequence[str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        **settings: bool,
    ) -> SegmentingFolder:
        """Start segmenting all scans below a folder, and follow it.

        Args:
            scans: the folder; it is only read.
            output: the folder of the results, which go on where they were left; nothing in it is overwritten.
            model, device, structures: as for ``Segmenting``.
            on_event: as for ``Run``.
            settings: as for ``Segmenting``.

        Raises:
            MMGLError: ``slicer.no_folder``, ``slicer.no_results``, ``segment.same_folder``, or the model cannot be
                used.
        """
        check_settings(settings)
        if not str(scans) or not Path(scans).is_dir():
            raise MMGLError("slicer.no_folder")
        if not str(output):
            raise MMGLError("slicer.no_results")
        _, model = checked_model(model, structures)
        scans, output = Path(scans).resolve(), Path(output).resolve()
        if scans == output:
            raise MMGLError("segment.same_folder", path=scans)
        folder = cache.folder() / "folders" / f"{time.time_ns():020d}"
        arguments = ["segment", str(model), str(scans), "--output", str(output), "--device", device]
        arguments += ["--record", str(folder)]
        arguments += ["--structures", *structures] if structures is not None else []
        arguments += [option for name, options in OPTIONS.items() if settings.get(name) for option in options]
        program = command()
        Job.start(folder, arguments, python=program[0], environment=environment())
        return SegmentingFolder(folder, on_event)

    @staticmethod
    def unfinished(on_event: Callable[[Event], None] | None = None) -> SegmentingFolder | None:
        """Return the latest folder run whose end nobody was told, or None; it may have ended meanwhile."""
        found = cache.jobs()
        return SegmentingFolder(found[0], on_event) if found else None

    @property
    def idle(self) -> bool:
        """Whether it waits for the job."""
        return self._waits

    def cancel(self) -> None:
        """Ask the job to stop after the scan it is at; the results so far stay."""
        self.job.stop()

    def abandon(self) -> None:
        """Let it go on without anybody following; ``unfinished`` finds it again."""
        self.ended = True

    def close(self) -> None:
        """Forget the job, whose end was told."""
        shutil.rmtree(self.job.folder, ignore_errors=True)

    def work(self) -> Generator[None, None, Event]:
        """Follow the job to its end."""
        done = 0
        while True:
            events, look = self.job.poll()
            for event in events:
                if event["event"] == "segmented":
                    done = int(event["done"])
                    if "words" in event:
                        scan = str(event["scan"])
                        self.skipped.append((scan, left_out(self.scans, scan, str(event["words"]))))
                    share = done / max(1, int(event["of"]))
                    self.tell({"event": "progress", "share": share, "done": done, "of": event["of"]})
            self._waits = look.works
            if not look.works:
                break
            yield
        self.details = self.job.log_tail(200)
        if look.state != "finished":
            raise _ended(look, self.details)
        return {"event": "done", "output": str(self.output), "done": done, "skipped": self.skipped}


def left_out(folder: str | Path, scan: str, words: str) -> str:
    """Return in one line which scan of a folder was left out, and why, with its name instead of its path."""
    name = Path(scan).name
    said = words.replace(str(Path(folder, scan)), name)
    return said if name in said else f"{name}: {said}"


def _ended(look: Any, log: str) -> MMGLError:
    """Return why a job ended that did not finish."""
    if look.key in CATALOGUE:
        return MMGLError(look.key, **look.parameters)
    return MMGLError("slicer.stopped" if look.state == "stopped" else "slicer.died")
