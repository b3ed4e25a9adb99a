"""The seam to the process that segments: ask it, look at it now and then, cancel it. Nothing here ever waits.

There is one process for the whole application. It is started when it is first needed, stays while it is used, and a
crash, or memory that runs out, takes it alone and not Slicer.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import slicer

import mmgl
from mmgl.finding import Finding
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.scan import Scan
from mmgl.jobs.order import Answer
from mmgl.jobs.worker import Worker
from MMGLLib.messages import MMGLError


class Request:
    """One scan on its way through a model.

    Args:
        scan: its voxels are copied into a private temporary file at once, so it may change or vanish afterwards.
        model: the ``.mmgl`` file.
        name: of the scan, for messages.
        device: ``auto``, ``cpu`` or ``cuda``.
        **settings: those of ``mmgl.inference.settings.Settings`` that are not the usual ones: ``region`` (voxels of the
            scan, first and one after the last along z, y, x), ``structures``, ``largest`` and ``filled`` (lists of
            names), ``finer``, ``mirror`` and ``doubt_map`` (true or false).

    Raises:
        MMGLError: ``worker.refused`` for what is no scan or no setting, ``file.unwritable``.
    """

    def __init__(self, scan: Scan, model: Path, name: str, device: str = "auto", **settings: Any) -> None:
        self._order = _worker.ask(
            scan.array, vars(scan.grid), model, name=name, modality=scan.modality, device=device, settings=settings
        )
        self._size, self._answer = scan.grid.size, None

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to come; looks, and answers at once."""
        return self._order.ended

    @property
    def cancelled(self) -> bool:
        """Whether it ended because somebody cancelled it."""
        return self._order.state == "cancelled"

    def events(self) -> list[dict[str, Any]]:
        """Return what is new since the last call: how far it is.

        Each has a ``stage`` (a key of the catalogue such as ``progress.segmenting``), the ``share`` of the whole that
        is done, from 0 to 1, and ``seconds_left``, None where that cannot be told yet.
        """
        return self._order.events()

    def cancel(self) -> None:
        """End it at once; the process is ready again a little later."""
        self._order.cancel()

    def result(self) -> Array:
        """Return the labelmap (z, y, x) of a request that has ended; value i + 1 is structure i of the model.

        Raises:
            MMGLError: ``slicer.stopped``, ``slicer.no_torch``, ``slicer.broken_torch``, ``slicer.died``, or what the
                process itself said was wrong.
        """
        return self._found().labelmap

    @property
    def grid(self) -> Grid:
        """Where the voxels of the result are: the scan's own grid, or a finer one where that was asked for."""
        answer = self._found()
        spacing, origin, rows = (answer.grid[name] for name in ("spacing", "origin", "directions"))
        z, y, x = answer.labelmap.shape
        return Grid((z, y, x), tuple(spacing), tuple(origin), tuple(tuple(row) for row in rows))

    def doubt(self) -> Array | None:
        """Return the entropy in bits (z, y, x) on the scan's own grid, float32; None where it was not asked for."""
        return self._found().doubt_map

    @property
    def doubts(self) -> list[dict[str, Any]]:
        """How doubtful each structure is: ``structure`` (its name), ``doubt`` from 0 to 1, ``check`` (look twice)."""
        return self._found().structures

    @property
    def flags(self) -> list[str]:
        """The names of the structures to look at twice."""
        return [told["structure"] for told in self._found().structures if told["check"]]

    @property
    def slices(self) -> list[dict[str, Any]]:
        """The worst slices first: ``plane``, ``axis`` and ``index`` in the scan's array, ``structure``, ``area``."""
        return self._found().slices

    @property
    def fit(self) -> list[Finding]:
        """What may spoil the result, as the scan is unlike those of the model; known before the work begins."""
        return [Finding(told["key"], told["parameters"]) for told in self._order.fit or []]

    @property
    def findings(self) -> list[Finding]:
        """What was changed in the result, or happened on the way."""
        return [Finding(told["key"], told["parameters"]) for told in self._found().findings]

    def details(self) -> str:
        """Return what the process printed meanwhile, for a report; the last 200 lines."""
        return "\n".join(self._order.log.splitlines()[-200:])

    def close(self) -> None:
        """Cancel what is not done, and remove the temporary files."""
        self._order.close()

    def _found(self) -> Answer:
        """Return what the process found, or raise why it found nothing."""
        if self._answer is None:
            try:
                self._answer = self._order.answer()
            except MMGLError as error:
                if error.key == "worker.cancelled":
                    raise MMGLError("slicer.stopped") from error
                if error.key == "worker.died":
                    raise MMGLError(_cause(self._order.log)) from error
                raise
        return self._answer


def prepare(model: Path, device: str = "auto") -> None:
    """Have a model loaded before it is needed, when it is chosen; tells nothing, even where that does not go well."""
    with suppress(MMGLError):
        _worker.prepare(Path(model), device)


def rest() -> None:
    """Do not go on with loading a model that is not needed soon: the user does something else."""
    _worker.rest()


def close() -> None:
    """End the process and all requests: the module is unloaded, or the application ends."""
    _worker.close()


def _cause(log: str) -> str:
    """Return the key that says why a process ended without a word."""
    if re.search(r"No module named '(torch|safetensors)'", log):
        return "slicer.no_torch"
    if "import torch" in log or "libtorch" in log:
        return "slicer.broken_torch"
    return "slicer.died"


def command() -> list[str]:
    """Return what runs the core: Slicer's own Python, as ``sys.executable`` is Slicer itself there."""
    return [shutil.which("PythonSlicer") or sys.executable, "-m", "mmgl"]


def environment() -> dict[str, str]:
    """Return the environment of the process: the core that is in use here comes first, and text is UTF-8."""
    found = slicer.util.startupEnvironment()
    core = str(Path(mmgl.__file__).parents[1])
    paths = [core, *filter(None, found.get("PYTHONPATH", "").split(os.pathsep))]
    fixed = {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}
    return {**found, **fixed, "PYTHONPATH": os.pathsep.join(paths)}


_worker = Worker(lambda: command(), lambda: environment())
atexit.register(close)

__all__ = ["Request", "close", "command", "environment", "prepare", "rest"]
