"""The seam to the process that segments: ask it, look at it now and then, cancel it. Nothing here ever waits.

At present each request is one `python -m mmgl segment` in a process of its own, so that a crash, or memory that runs
out, cannot take Slicer with it. A worker that stays warm can take its place behind the same four members of `Request`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import slicer

import mmgl
from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Array
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation_files import read_segmentation
from MMGLLib.messages import MMGLError


class Request:
    """One scan on its way through a model.

    Args:
        scan: its voxels are written to a temporary file at once, so it may change or vanish afterwards.
        model: the ``.mmgl`` file.
        name: of the scan, for messages.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(self, scan: Scan, model: Path, name: str, device: str = "auto") -> None:
        import SimpleITK as sitk

        self._folder = tempfile.TemporaryDirectory(prefix="mmgl-", ignore_cleanup_errors=True)
        self._name, self.cancelled = name, False
        folder = Path(self._folder.name)
        scan_file = folder / "scan.nrrd"
        image = image_of(scan.array if len(scan.array) > 1 else scan.array[0], scan.grid)
        if scan.modality:
            image.SetMetaData("Modality", f"MET_MOD_{scan.modality}")
        sitk.WriteImage(image, str(scan_file))
        self._log = folder / "log.txt"
        arguments = [*command(), "segment", str(model), str(scan_file)]
        arguments += ["--output", str(folder / "result"), "--format", "nrrd", "--device", device]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
                cwd=folder,
                **_alone(),
            )

    @property
    def ended(self) -> bool:
        """Whether the process has ended; answers at once."""
        return self._process.poll() is not None

    def cancel(self) -> None:
        """End the process and all it started; it is gone a moment later."""
        self.cancelled = True
        if self.ended:
            return
        if sys.platform == "win32":
            subprocess.Popen(["taskkill", "/F", "/T", "/PID", str(self._process.pid)], **_alone())
        else:
            os.killpg(self._process.pid, signal.SIGKILL)

    def result(self) -> Array:
        """Return the labelmap (z, y, x) of a request that has ended; value i + 1 is structure i of the model.

        Raises:
            MMGLError: ``slicer.stopped``, ``slicer.no_torch``, ``slicer.broken_torch``, ``slicer.died``, or what the
                process itself said was wrong.
        """
        if self.cancelled:
            raise MMGLError("slicer.stopped")
        if self._process.returncode:
            raise _told(self.details(), self._name, Path(self._folder.name))
        return read_segmentation(Path(self._folder.name) / "result" / "scan.nrrd").layers[0]

    def details(self) -> str:
        """Return what the process wrote, for a report; the last 200 lines."""
        text = self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-200:])

    def close(self) -> None:
        """Cancel what is not done, and remove the temporary files."""
        self.cancel()
        self._folder.cleanup()


class ToldError(MMGLError):
    """What the process said in words; the key stays there."""

    def __init__(self, words: str) -> None:
        Exception.__init__(self, words)
        self.key, self.parameters = "", {}


def _told(log: str, name: str, folder: Path) -> MMGLError:
    """Return what went wrong, from what the process wrote."""
    said = [line[len("mmgl: ") :] for line in log.splitlines() if line.startswith("mmgl: ")]
    if said:
        return ToldError(said[-1].replace(str(folder / "scan.nrrd"), name))
    if re.search(r"No module named '(torch|safetensors)'", log):
        return MMGLError("slicer.no_torch")
    if "import torch" in log or "libtorch" in log:
        return MMGLError("slicer.broken_torch")
    return MMGLError("slicer.died")


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


def _alone() -> dict[str, object]:
    """Return how a process is started so that all it starts can be ended with it, and without a window."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


__all__ = ["Request", "command", "environment"]
