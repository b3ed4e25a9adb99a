"""Starts the bench once in a process, and gives every test a scene of its own."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
import types

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault(
    "VTK_DEFAULT_OPENGL_WINDOW",
    "vtkOSOpenGLRenderWindow" if ctypes.util.find_library("OSMesa") else "vtkEGLRenderWindow",
)

import slicer
import slicer.util

NOT_IN_APPLICATION = (*vars(slicer.util), "slicer_core", "MRMLCore", "MRMLCLI", "MRMLLogic", "MRMLDisplayableManager")
"""Names that the wheel copies into ``slicer`` and the application does not have there."""


def start() -> None:
    """Make ``qt``, ``ctk`` and the missing parts of ``slicer`` importable, and the first scene."""
    from PySide6 import QtWidgets

    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    from bench import faults, popups, pythonqt, qt_module, signals

    _keep_singletons()
    pythonqt.install()
    popups.install()
    sys.excepthook = signals.report
    sys.modules["qt"] = qt_module.make()
    from bench import (
        ctk_widgets,
        i18n,
        mrml_widgets,
        packaging,
        parameter_node,
        parameter_types,
        plot_view,
        sample_data,
        scripted,
        stand_in,
    )

    for name in NOT_IN_APPLICATION:
        if not name.startswith("vtk"):
            vars(slicer).pop(name, None)
    del ctk_widgets, mrml_widgets, plot_view
    sys.modules["ctk"] = stand_in.module("ctk")
    for name, widget in stand_in.registry.items():
        if name.startswith("q"):
            setattr(slicer, name, widget)
    slicer.util = sys.modules["slicer.util"]
    parameters = types.ModuleType("slicer.parameterNodeWrapper")
    vars(parameters).update({n: getattr(parameter_types, n) for n in parameter_types.__all__})
    parameters.parameterNodeWrapper = parameter_node.parameterNodeWrapper
    parts = {"ScriptedLoadableModule": scripted, "i18n": i18n, "packaging": packaging}
    for name, module in {**parts, "parameterNodeWrapper": parameters}.items():
        sys.modules[f"slicer.{name}"] = module
        if name != "packaging":  # the application imports it only when it is needed
            setattr(slicer, name, module)
    sys.modules["SampleData"] = sample_data
    from bench.application import Application

    slicer.app = Application(application)
    fresh()
    faults.watch()


def _keep_singletons() -> None:
    """Keep None, True and False alive: PySide6 6.12 loses references to them, and Python < 3.12 aborts at its end."""
    if sys.version_info < (3, 12):
        for value in (None, True, False):
            ctypes.c_ssize_t.from_address(id(value)).value += 2**40


def fresh() -> None:
    """Give the application an empty scene with new logics, and forget settings and faults of the test before."""
    from bench import core, faults, packaging, popups

    if hasattr(slicer, "mrmlScene"):
        slicer.mrmlScene.RemoveAllObservers()  # else panels of the test before would still follow it to its end
    scene, logic, modules = core.new_scene()
    slicer.mrmlScene, slicer.modules = scene, modules
    slicer.app.begin(scene, logic, modules)
    for kept in (faults.kept, popups.answers, popups.seen, packaging.asked):
        kept.clear()
