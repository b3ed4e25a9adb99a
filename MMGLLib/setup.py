"""Installing what MMGL needs, once, after the user said yes. What is there already keeps its version."""

from __future__ import annotations

import importlib.util
import inspect
import tempfile
from importlib import metadata
from pathlib import Path

import slicer

REQUIREMENTS = ["safetensors>=0.4"]
"""Besides torch; everything else comes with Slicer."""

TORCH = ">=2.2,!=2.9.*"


def missing() -> list[str]:
    """Return what is not installed, without importing any of it."""
    return [name for name in ("torch", "safetensors") if importlib.util.find_spec(name) is None]


def install(folder: str = "") -> None:
    """Install what is missing; the user was asked before.

    Args:
        folder: of wheels, for computers without a network; empty for the network.
    """
    lacking = missing()
    with tempfile.TemporaryDirectory() as temporary:
        constraints = Path(temporary) / "constraints.txt"
        constraints.write_text("\n".join(installed()) + "\n", encoding="utf-8")
        if "torch" in lacking and (folder or not _torch_by_extension()):
            lacking.remove("torch")
            _pip([f"torch{TORCH}"], constraints, folder)
        _pip([wish for wish in REQUIREMENTS if wish.startswith(tuple(lacking))], constraints, folder)


def repair() -> None:
    """Take a torch that does not start away and install it again; Slicer must be restarted afterwards."""
    slicer.util.pip_uninstall("torch")
    importlib.invalidate_caches()
    install()


def installed() -> list[str]:
    """Return all that is installed, each as ``name==version``; a half removed one has no version and is left out."""
    found = {(d.metadata["Name"], d.version) for d in metadata.distributions() if d.metadata["Name"]}
    return sorted(f"{name}=={version}" for name, version in found if version and "+" not in version)


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


def _pip(wishes: list[str], constraints: Path, folder: str) -> None:
    """Install some packages with the newest means that this Slicer has."""
    if not wishes:
        return
    if hasattr(slicer, "packaging") and not folder:
        from packaging.requirements import Requirement

        needs = [Requirement(wish) for wish in wishes]
        slicer.packaging.pip_ensure(needs, constraints=str(constraints), prompt_install=False, requester="MMGL")
        return
    offline = ["--no-index", "-f", folder] if folder else []  # -f: where the wheels lie
    slicer.util.pip_install([*offline, "--constraint", str(constraints), *wishes])
