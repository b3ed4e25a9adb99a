"""``slicer.ScriptedLoadableModule``: the base classes of a scripted module, written from their documentation."""

from __future__ import annotations

import importlib
import logging
import unittest
from pathlib import Path

import slicer

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """The module as the application lists it."""

    def __init__(self, parent) -> None:
        self.parent, self.moduleName = parent, type(self).__name__
        parent.title, parent.categories, parent.contributors, parent.dependencies = "", [], [], []
        parent.helpText = parent.acknowledgementText = ""

    def resourcePath(self, name: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / name)

    def runTest(self, msec: int = 100, **_named) -> None:
        test = getattr(importlib.import_module(self.moduleName), f"{self.moduleName}Test")()
        test.runTest()


class ScriptedLoadableModuleWidget:
    """The panel of a module."""

    def __init__(self, parent=None) -> None:
        self.parent, self.moduleName = parent, type(self).__name__.removesuffix("Widget")
        self.developerMode = False
        self.layout = parent.layout()
        self._onModuleAboutToBeUnloaded = self._about_to_be_unloaded
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def _about_to_be_unloaded(self, name: str) -> None:
        if name == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, name: str) -> str:
        return str(Path(getattr(slicer.modules, self.moduleName.lower()).path).parent / "Resources" / name)

    def setup(self) -> None:
        """Make the panel; the developer's section would come first."""

    def cleanup(self) -> None:
        """Called when the application ends or the module is reloaded."""

    def enter(self) -> None:
        """Called when the module is shown."""

    def exit(self) -> None:
        """Called when another module is shown."""

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def onReloadAndTest(self) -> None:
        self.onReload()


class ScriptedLoadableModuleLogic:
    """What a module can do, without a panel."""

    def __init__(self, parent=None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self):
        """Return the one parameter node of this module in the scene, made when there is none."""
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        return node or slicer.mrmlScene.AddNode(self.createParameterNode())

    def createParameterNode(self):
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetModuleName(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The self-test of a module, which the application runs by a button."""

    def __init__(self, *arguments, **named) -> None:
        super().__init__(*arguments, **named)

    def runTest(self) -> None:
        """Run all tests; modules override this."""

    def delayDisplay(self, message: str, requestedDelay=None, msec=None) -> None:
        logging.info(message)
