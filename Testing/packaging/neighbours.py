"""Sets MMGL up beside other extensions' packages, and shows that none of them changes: `pip freeze` before and after.

python Testing/packaging/neighbours.py FOLDER [WHEELS]

makes a virtual environment in FOLDER with older versions of MONAI, nibabel, scikit-image and SimpleITK, lets the set-up
of the modules install what they need, and compares. It downloads PyTorch, or takes it from a folder of wheels.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

NEIGHBOURS = ("numpy==1.26.4", "nibabel==5.2.1", "scikit-image==0.22.0", "SimpleITK==2.3.1")
ALONE = ("monai==1.3.2",)
"""Installed without what it requires, as extensions do where Slicer has it already."""

DRIVER = """
import os, subprocess, sys, types
sys.path += filter(None, [os.environ.get("MMGL_OTHER")])
pip = [sys.argv[1], "-m", "pip", "--python", sys.executable]
kept, slicer = {}, types.ModuleType("slicer")
settings = types.SimpleNamespace(value=kept.get, setValue=kept.__setitem__, remove=lambda name: kept.pop(name, None))
slicer.app = types.SimpleNamespace(settings=lambda: settings)
slicer.util = types.SimpleNamespace(pip_install=lambda wishes: subprocess.run([*pip, "install", *wishes], check=True))
sys.modules["slicer"] = slicer
from MMGLLib import setup
ended = []
setup.require_space = lambda: None
setup.SetUp(lambda error, log: ended.append((error, log)), folder=sys.argv[2])
(error, log), = ended
sys.exit(f"{error}: {log}" if error else 0)
"""
"""The part of Slicer that the set-up uses, and the set-up; it is given the Python that has pip, and the folder."""


def make_environment(folder: Path) -> Path:
    """Make a virtual environment without anything in it, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip(python: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run pip for a Python, and return what it printed."""
    command = [sys.executable, "-m", "pip", "--python", str(python), *arguments]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return done.stdout


def freeze(python: Path) -> dict[str, str]:
    """Return the versions of all that a Python has, by name."""
    lines = pip(python, "list", "--format", "freeze").splitlines()
    return dict(line.split("==", 1) for line in lines if "==" in line)


def set_up(python: Path, environment: Mapping[str, str] | None = None, wheels: str = "") -> None:
    """Let the set-up of the modules install what they need, from the network or a folder, for a Python."""
    told = {**os.environ, **(environment or {}), "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([str(python), "-c", DRIVER, sys.executable, wheels], env=told, check=True, cwd=REPOSITORY)


def main(folder: Path, wheels: str = "") -> int:
    """Compare before and after, print both, and return an exit status."""
    python = make_environment(folder)
    pip(python, "install", *NEIGHBOURS)
    pip(python, "install", "--no-deps", *ALONE)
    before = freeze(python)
    set_up(python, wheels=wheels)
    after = freeze(python)
    changed = {name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version}
    for name, version in sorted(after.items()):
        print(f"{name:24} {before.get(name, '–'):16} {version}")
    print(f"{len(before)} packages before, {len(changed)} of them changed {changed or ''}, {len(after)} after")
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
