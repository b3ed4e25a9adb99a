"""Installing what MMGL needs, once, after the user said yes. What is there already keeps its version.

Nothing here waits where Slicer can install without waiting (5.12 and newer): ``on_end`` tells how it ended.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

import mmgl
import MMGLLib
from MMGLLib.messages import MMGLError

REQUIREMENTS = {"torch": "torch>=2.2,!=2.9.*", "safetensors": "safetensors>=0.4"}
"""What is installed, by the name it is imported by; everything else comes with Slicer."""

TORCH = ">=2.2,!=2.9.*"
NEEDED = 6.0
"""GB that PyTorch takes while it is being installed."""

PENDING = "MMGL/SetUp"
"""While it is being installed, the folder of wheels or ``network``: it is gone on with after Slicer was closed."""

REASONS = {
    "slicer.disk": ("No space left on device", "[Errno 28]", "WinError 112"),
    "slicer.rights": ("Permission denied", "[Errno 13]", "WinError 5]", "Access is denied"),
}
CERTIFICATE = ("CERTIFICATE_VERIFY_FAILED", "SSLError", "SSLCertVerificationError")
NETWORK = ("ProxyError", "NewConnectionError", "ConnectTimeout", "Failed to establish", "getaddrinfo", "403 Forbidden")

End = Callable[["MMGLError | None", str], None]


def missing() -> list[str]:
    """Return what is not installed, without importing any of it."""
    return [name for name in REQUIREMENTS if importlib.util.find_spec(name) is None]


def require_slicer() -> None:
    """Refuse a Slicer that is too old, and tell of one in which another core is at work.

    Raises:
        MMGLError: ``slicer.old`` or ``slicer.other_core``.
    """
    version = int(slicer.app.majorVersion), int(slicer.app.minorVersion)
    if version < (5, 10):
        raise MMGLError("slicer.old", version=".".join(str(part) for part in version))
    if any(MMGLLib.OTHER_CORE):
        other, folder = MMGLLib.OTHER_CORE
        raise MMGLError("slicer.other_core", version=other, folder=Path(folder), own=mmgl.__version__)


def pending() -> str | None:
    """Return where a set-up that Slicer was closed in came from, the folder of wheels or ``network``, else None."""
    begun = str(slicer.app.settings().value(PENDING) or "")
    return begun if begun and missing() else None


class SetUp:
    """Installs what is missing; the user was asked before.

    Args:
        on_end: called once, with None or what went wrong, and with what pip said.
        folder: of wheels, for computers without a network; empty for the network.
        anew: whether a torch that does not start is taken away first.
    """

    def __init__(self, on_end: End, folder: str = "", anew: bool = False) -> None:
        self._on_end, self._folder, self._said = on_end, folder, list[str]()
        self._temporary = tempfile.TemporaryDirectory(prefix="mmgl-setup-", ignore_cleanup_errors=True)
        self._ended = False
        slicer.app.settings().setValue(PENDING, folder or "network")
        try:
            require_space()
            if anew:
                self._said.append("uninstalling torch")
                slicer.util.pip_uninstall("torch")
                importlib.invalidate_caches()
            self._install(self._lacking(anew), anew)
        except MMGLError as error:
            self._end(error)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            self._said.append(str(error))
            self._end(self._reason())
        except (ImportError, OSError) as error:  # the PyTorch extension imports the torch that it has installed
            self._said.append(f"{type(error).__name__}: {error}")
            self._end(self._reason() if "torch" in missing() else MMGLError("slicer.broken_torch"))

    def _lacking(self, anew: bool) -> list[str]:
        lacking = missing()
        if anew and "torch" not in lacking:
            lacking.insert(0, "torch")  # this process may still see the one that was taken away
        if "torch" in lacking and not self._folder and _torch_by_extension():
            lacking.remove("torch")
        return lacking

    def _install(self, lacking: list[str], anew: bool) -> None:
        """Install with the newest means that this Slicer has."""
        wishes = [REQUIREMENTS[name] for name in lacking]
        if not wishes:
            self._end(None)
            return
        constraints = Path(self._temporary.name) / "constraints.txt"
        kept = [line for line in installed() if not (anew and line.startswith("torch=="))]
        constraints.write_text("\n".join(kept) + "\n", encoding="utf-8")
        offline = ["--no-index", "-f", self._folder] if self._folder else []  # -f: where the wheels lie
        packaging = _packaging()
        if packaging is not None:
            packaging.pip_install(
                [*offline, *wishes],
                constraints=str(constraints),
                blocking=False,
                show_progress=False,
                requester="MMGL",
                logCallback=self._said.append,
                completedCallback=self._completed,
            )
            if slicer.app.testingEnabled() and not packaging.isPipInstallInProgress():
                self._completed(0)  # in testing mode Slicer waits, and calls nobody
            return
        slicer.util.pip_install([*offline, "--constraint", str(constraints), *wishes])
        self._completed(0)

    def _completed(self, code: int) -> None:
        importlib.invalidate_caches()
        self._end(self._reason() if code else None)

    def _reason(self) -> MMGLError:
        """Return in words what pip said."""
        text = "\n".join(self._said)
        if any(word in text for word in REASONS["slicer.disk"]):
            return _no_space()
        if any(word in text for word in REASONS["slicer.rights"]):
            return MMGLError("slicer.rights")
        if self._folder:
            version = ".".join(str(part) for part in sys.version_info[:2])
            return MMGLError("slicer.wheels", python=version, system=f"{platform.system()} {platform.machine()}")
        if any(word in text for word in CERTIFICATE):
            return MMGLError("slicer.network", reason="its security certificate is not known")
        if any(word in text for word in NETWORK):
            return MMGLError("slicer.network", reason="no connection")
        return MMGLError("slicer.not_installed")

    def _end(self, error: MMGLError | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._temporary.cleanup()
        if error is None:
            slicer.app.settings().remove(PENDING)
        log = [f"needed: {', '.join(REQUIREMENTS.values())}", *self._said[-200:]]
        self._on_end(error, "\n".join(log))


def waits(folder: str) -> bool:
    """Return whether Slicer hardly answers meanwhile: before 5.12, and where the PyTorch extension installs torch.

    Args:
        folder: of wheels, from which the extension does not install.
    """
    return _packaging() is None or (not folder and importlib.util.find_spec("PyTorchUtils") is not None)


def _packaging() -> Any:
    """Return what installs without waiting, None before 5.12; it is no attribute of ``slicer`` before its import."""
    try:
        return importlib.import_module("slicer.packaging")
    except ModuleNotFoundError:
        return None


def require_space() -> None:
    """Refuse to begin where the disk is too full.

    Raises:
        MMGLError: ``slicer.disk``.
    """
    if "torch" in missing() and shutil.disk_usage(sys.prefix).free / 1e9 < NEEDED:
        raise _no_space()


def _no_space() -> MMGLError:
    free = shutil.disk_usage(sys.prefix).free / 1e9
    return MMGLError("slicer.disk", needed=f"{NEEDED:.0f}", folder=sys.prefix, free=f"{free:.1f}")


def installed() -> list[str]:
    """Return all that is installed, each as ``name==version``; a half removed one is left out.

    The names of the folders say it: reading what is in them would hold up the application. What lies in two places
    counts where Python finds it first.
    """
    found: dict[str, str] = {}
    for path in filter(None, sys.path):
        for folder in Path(path).glob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            if version and (folder / "METADATA").is_file():
                found.setdefault(name.lower(), f"{name}=={version}")
    return sorted(found.values())


def _torch_by_extension() -> bool:
    """Let the PyTorch extension install torch where it is there: it knows which build fits the graphics card."""
    try:
        from PyTorchUtils import PyTorchUtilsLogic
    except ImportError:
        return False
    logic = PyTorchUtilsLogic()
    wishes = {"askConfirmation": False, "torchVersionRequirement": TORCH}
    known = inspect.signature(logic.installTorch).parameters  # older ones know fewer
    logic.installTorch(**{name: value for name, value in wishes.items() if name in known})
    return True
