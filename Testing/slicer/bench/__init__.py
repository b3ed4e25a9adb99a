"""The bench: Slicer's real MRML core without its desktop, and stand-ins for the widgets that scripted modules use.

The tests beside this folder run on it with pytest, and inside a real Slicer, where everything is there already and this
package only gives them their test case. It is written from the public programming interface and is as strict as the
application or stricter; `README.md` says what the application was never asked.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]

INSTALLED = os.environ.get("MMGL_INSTALLED", "")
"""Folder ``qt-scripted-modules`` of an installed extension, to test that instead of the source tree."""

if "slicer" not in sys.modules and not (importlib.util.find_spec("slicer") and importlib.util.find_spec("PySide6")):
    raise unittest.SkipTest(
        "needs slicer-core and PySide6-Essentials, which the extra 'test' installs where they exist"
    )

import slicer  # noqa: E402

IN_APPLICATION = hasattr(slicer, "app")
"""Whether this is the application itself; the wheel has no ``slicer.app`` until the bench makes one."""


def module_file(name: str) -> Path:
    """Return the file of a module: installed ones lie side by side, sources in a folder each."""
    return Path(INSTALLED, f"{name}.py") if INSTALLED else REPOSITORY / name / f"{name}.py"


for folder in (Path(INSTALLED or REPOSITORY), *(module_file(name).parent for name in ("MMGLSegment", "MMGLTrain"))):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

if not IN_APPLICATION:
    from bench import start

    start.start()

from bench.case import BenchTest, on_bench_only  # noqa: E402

__all__ = ["INSTALLED", "IN_APPLICATION", "REPOSITORY", "BenchTest", "module_file", "on_bench_only"]
