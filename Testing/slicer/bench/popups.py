"""Dialogs: on the bench nobody can click one away, so each is a fault unless the test has its answer ready."""

from __future__ import annotations

import traceback
from typing import Any

from PySide6 import QtWidgets

from bench import faults

answers: list[Any] = []
"""What the next dialogs answer, in order."""

seen: list[str] = []
"""What was asked since the test began."""

ASKING = {
    QtWidgets.QMessageBox: ("information", "question", "warning", "critical", "about"),
    QtWidgets.QInputDialog: ("getText", "getItem", "getInt", "getDouble", "getMultiLineText"),
    QtWidgets.QFileDialog: ("getOpenFileName", "getOpenFileNames", "getSaveFileName", "getExistingDirectory"),
    QtWidgets.QColorDialog: ("getColor",),
}


def _asked(name: str) -> Any:
    seen.append(name)
    if answers:
        return answers.pop(0)
    stack = "".join(traceback.format_stack()[-5:-2])
    faults.keep(AssertionError(f"{name} opened a dialog that nobody can answer\n{stack}"))
    return None


def install() -> None:
    """Replace every way to open a dialog that waits."""
    for cls, names in ASKING.items():
        for name in names:
            setattr(cls, name, staticmethod(lambda *_a, _n=f"{cls.__name__}.{name}", **_k: _asked(_n)))
    for name in ("exec", "exec_", "open"):
        setattr(QtWidgets.QDialog, name, lambda self, *_a: _asked(type(self).__name__))
        setattr(QtWidgets.QMessageBox, name, lambda self, *_a: _asked(f"{type(self).__name__}: {self.text}"))
