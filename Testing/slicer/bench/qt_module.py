"""The module ``qt``: everything of Qt's core, GUI and widgets in one place, as PythonQt has it."""

from __future__ import annotations

import types

from PySide6 import QtCore, QtGui, QtWidgets

ONLY_PYSIDE = ("Slot", "Property", "ClassInfo", "QEnum", "QFlag", "qApp")
"""Names that PythonQt does not have."""

GONE_WITH_QT6 = ("QRegExp", "QTextCodec", "QDesktopWidget")
"""Names that a module for Qt 5 and Qt 6 cannot use; PySide6 has none of them."""


def make() -> types.ModuleType:
    """Return the module."""
    from bench.ui_files import QUiLoader

    module = types.ModuleType("qt")
    for source in (QtCore, QtGui, QtWidgets):
        vars(module).update(
            {name: getattr(source, name) for name in dir(source) if name[0] != "_" and name not in ONLY_PYSIDE}
        )
    module.QUiLoader = QUiLoader
    _plain_answers()
    return module


def _plain_answers() -> None:
    """Let dialogs answer with the path alone, as PythonQt does, where PySide6 adds the filter."""
    for name in ("getOpenFileName", "getSaveFileName"):
        original = getattr(QtWidgets.QFileDialog, name)
        setattr(QtWidgets.QFileDialog, name, staticmethod(lambda *a, _original=original: _original(*a)[0]))
