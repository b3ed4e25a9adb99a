"""The part of the application itself that scripted modules use, and how it loads a module and makes its panel."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import types
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

from bench import core, faults


class ModuleManager(QtCore.QObject):
    """Tells when a module is about to be unloaded."""

    _cpp = True
    moduleAboutToBeUnloaded = QtCore.Signal(str)

    def factoryManager(self):
        return self


class Application(QtCore.QObject):
    """``slicer.app``."""

    _cpp = True
    startupCompleted = QtCore.Signal()
    aboutToQuit = QtCore.Signal()
    applicationName, majorVersion, minorVersion, revision = "Slicer", 5, 12, "0"
    SIGNALS = ("startupCompleted()", "aboutToQuit()")

    def __init__(self, qt_application: QtWidgets.QApplication) -> None:
        super().__init__()
        self._qt = qt_application
        self._testing = True
        self._manager = ModuleManager()
        self.aboutToQuit.connect(faults.quit_)  # the first to hear of it
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")

    def begin(self, scene, logic, modules) -> None:
        """Begin with another scene, and with settings that hold nothing."""
        self._scene, self._logic, self._io = scene, logic, core.CoreIO(modules)
        file = os.path.join(self._folder.name, f"settings-{id(scene)}.ini")
        self._settings = QtCore.QSettings(file, QtCore.QSettings.Format.IniFormat)
        self._settings.clear()

    def applicationLogic(self):
        return self._logic

    def mrmlScene(self):
        return self._scene

    def coreIOManager(self):
        return self._io

    ioManager = coreIOManager

    def moduleManager(self):
        return self._manager

    def layoutManager(self):
        return None

    def mainWindow(self):
        return None

    def testingEnabled(self) -> bool:
        return self._testing

    def settings(self):
        return self._settings

    userSettings = revisionUserSettings = settings

    def processEvents(self, *_arguments) -> None:
        if faults.in_slot():
            faults.keep(faults.BlockedError("processEvents was called in a slot, which then runs inside itself"))
        self._qt.processEvents()

    @property
    def temporaryPath(self) -> str:
        return self._folder.name

    @property
    def slicerHome(self) -> str:
        return self._folder.name

    def startupEnvironment(self):
        return QtCore.QProcessEnvironment.systemEnvironment()

    def pauseRender(self) -> None:
        pass

    def resumeRender(self) -> None:
        pass

    def clipboard(self):
        return self._qt.clipboard()

    def topLevelWidgets(self):
        return self._qt.topLevelWidgets()

    def palette(self):
        return self._qt.palette()

    def restart(self) -> None:
        faults.keep(AssertionError("the application was restarted without being asked"))


def load_module(file: Path) -> tuple[types.ModuleType, object]:
    """Import the file of a module and make the module object, as the application does when it starts."""
    name = file.stem
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))
    code = importlib.import_module(name)
    parent = ModuleParent(str(file), name)
    module = getattr(code, name)(parent)
    setattr(slicer.modules, name.lower(), parent)
    return code, module


class ModuleParent:
    """The C++ side of a scripted module, on which it sets what is said about it."""

    __slots__ = (
        "acknowledgementText", "associatedNodeTypes", "categories", "contributors", "dependencies", "helpText",
        "hidden", "icon", "name", "path", "title",
    )  # fmt: skip

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name, self.hidden = path, name, False


def make_widget(code: types.ModuleType, name: str):
    """Make the panel of a module inside a parent, as the application does when the module is opened first."""
    parent = slicer.qMRMLWidget()
    parent.setLayout(QtWidgets.QVBoxLayout())
    parent.setMRMLScene(slicer.mrmlScene)
    widget = getattr(code, f"{name}Widget")(parent)
    widget.setup()
    setattr(slicer.modules, f"{name}Widget", widget)
    return widget
