"""A scene with its logics on the ``slicer-core`` wheel: what the application sets up before any module is loaded."""

from __future__ import annotations

import tempfile
import types
from pathlib import Path

import slicer
import vtk

LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Models": "vtkSlicerModelsLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
}

_CACHE = tempfile.TemporaryDirectory(prefix="bench-cache-")

KINDS = {
    ".seg.nrrd": "SegmentationFile",
    ".mrml": "SceneFile",
    ".mrb": "SceneFile",
    ".stl": "ModelFile",
    ".vtp": "ModelFile",
    ".h5": "TransformFile",
    ".tfm": "TransformFile",
    ".csv": "TableFile",
}
"""What Slicer takes a file for, by its suffix; everything else is a volume."""


class CoreIO:
    """The part of ``qSlicerCoreIOManager`` that ``slicer.util`` calls."""

    def __init__(self, modules: types.SimpleNamespace) -> None:
        self._modules = modules

    def fileType(self, name) -> str:
        return next((kind for suffix, kind in KINDS.items() if str(name).lower().endswith(suffix)), "VolumeFile")

    def fileWriterFileType(self, node, _format="") -> str:
        return node.GetClassName()

    def loadNodes(self, kind, properties, nodes, messages=None) -> bool:
        file = str(properties["fileName"])
        name = properties.get("name") or Path(file).name.split(".")[0]
        if kind == "SceneFile":
            return self._load_scene(file, messages)
        modules = self._modules
        load = {
            "VolumeFile": lambda: modules.volumes.logic().AddArchetypeVolume(
                file, name, int(bool(properties.get("labelmap")))
            ),
            "SegmentationFile": lambda: modules.segmentations.logic().LoadSegmentationFromFile(file, True, name, None),
            "ModelFile": lambda: modules.models.logic().AddModel(file),
            "TableFile": lambda: modules.tables.logic().AddTable(file, name),
            "TransformFile": lambda: modules.transforms.logic().AddTransform(file, slicer.mrmlScene),
        }
        node = load[kind]()
        if node is not None:
            nodes.AddItem(node)
        return node is not None

    def _load_scene(self, file: str, messages) -> bool:
        if file.lower().endswith(".mrb"):
            return bool(slicer.mrmlScene.ReadFromMRB(file, True, messages))
        slicer.mrmlScene.SetURL(file)
        return bool(slicer.mrmlScene.Connect(messages))

    def saveNodes(self, kind, properties, _messages=None) -> bool:
        if kind == "SceneFile":
            file = str(properties["fileName"])
            if file.lower().endswith(".mrb"):
                return bool(slicer.mrmlScene.WriteToMRB(file))
            return bool(slicer.mrmlScene.Commit(file))
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if not node.GetStorageNode():
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(str(properties["fileName"]))
        storage.SetUseCompression(int(properties.get("useCompression", 1)))
        return bool(storage.WriteData(node))


def new_scene() -> tuple[slicer.vtkMRMLScene, slicer.vtkSlicerApplicationLogic, types.SimpleNamespace]:
    """Return a new scene, the application logic on it, and the modules whose logics work on it."""
    window = vtk.vtkOutputWindow()
    window.SetDisplayModeToAlwaysStdErr()
    vtk.vtkOutputWindow.SetInstance(window)
    scene, logic = slicer.vtkMRMLScene(), slicer.vtkSlicerApplicationLogic()
    cross = slicer.vtkMRMLCrosshairNode()
    cross.SetCrosshairName("default")
    scene.AddNode(cross)
    logic.SetMRMLScene(scene)
    _keep_cache(scene)
    colours = logic.GetColorLogic()
    colours.SetMRMLScene(scene)
    colours.AddDefaultColorNodes()
    logic.SetModuleLogic("Colors", colours)
    logic.SetSliceLogics(vtk.vtkCollection())
    logic.SetViewLogics(vtk.vtkCollection())
    for factory in (
        slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
    ):
        factory.GetInstance().SetMRMLApplicationLogic(logic)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene, True)
    modules = types.SimpleNamespace()
    for name, kind in LOGICS.items():
        module_logic = getattr(slicer, kind)()
        module_logic.SetMRMLApplicationLogic(logic)
        module_logic.SetMRMLScene(scene)
        logic.SetModuleLogic(name, module_logic)
        setattr(modules, name.lower(), types.SimpleNamespace(logic=lambda held=module_logic: held, name=name))
    _keep_hierarchy(scene)
    return scene, logic, modules


def _keep_cache(scene) -> None:
    """Give the scene the folder into which bundles are unpacked."""
    manager, cache = slicer.vtkDataIOManager(), slicer.vtkCacheManager()
    cache.SetRemoteCacheDirectory(_CACHE.name)
    manager.SetCacheManager(cache)
    scene.SetDataIOManager(manager)
    scene.SetCacheManager(cache)


def _keep_hierarchy(scene) -> None:
    """Make and remove items of the subject hierarchy, as a plugin handler in Qt does in the application."""
    hierarchy = scene.GetSubjectHierarchyNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def added(_scene, _event, node=None) -> None:
        if node is not None and _has_item(node) and not hierarchy.GetItemByDataNode(node):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def removed(_scene, _event, node=None) -> None:
        if node is not None and hierarchy.GetItemByDataNode(node):
            hierarchy.RemoveItem(hierarchy.GetItemByDataNode(node), False, False)

    scene.AddObserver(scene.NodeAddedEvent, added)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, removed)


def _has_item(node) -> bool:
    return isinstance(node, slicer.vtkMRMLDisplayableNode) and not node.GetHideFromEditors()
