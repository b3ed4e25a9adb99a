"""Stand-ins for the MRML widgets of Slicer that our panels use; names as in Slicer's headers."""

from __future__ import annotations

import slicer
from PySide6 import QtWidgets as Widgets

from bench.stand_in import Of, Signal, flag, stand_in

SCENE_SIGNAL = "mrmlSceneChanged(vtkMRMLScene*)"


@stand_in(Widgets.QWidget, mrmlSceneChanged=Signal(object), SIGNALS={SCENE_SIGNAL})
class qMRMLWidget:
    """A widget with a scene."""

    _scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


def _release(observed: list) -> None:
    """Stop observing; without the widget, of which only Python's half may still be there."""
    while observed:
        node, tag = observed.pop()
        node.RemoveObserver(tag)


@stand_in(qMRMLWidget)
class qSlicerWidget:
    """A widget of the application."""


@stand_in(
    qMRMLWidget,
    nodeTypes=Of("QStringList", []),
    hideChildNodeTypes=Of("QStringList", []),
    showHidden=flag(False),
    showChildNodeTypes=flag(True),
    baseName=Of(str, ""),
    noneEnabled=flag(False),
    noneDisplay=Of(str, "None"),
    addEnabled=flag(True),
    removeEnabled=flag(True),
    editEnabled=flag(False),
    renameEnabled=flag(False),
    selectNodeUponCreation=flag(True),
    currentNodeID=Of(str, ""),
    currentNodeChanged=Signal(object),
    currentNodeIDChanged=Signal(str),
    nodeAdded=Signal(object),
    nodeAddedByUser=Signal(object),
    nodeActivated=Signal(object),
    SIGNALS={
        SCENE_SIGNAL,
        "currentNodeChanged(vtkMRMLNode*)",
        "currentNodeChanged(bool)",
        "currentNodeIDChanged(QString)",
        "nodeAdded(vtkMRMLNode*)",
        "nodeAddedByUser(vtkMRMLNode*)",
        "nodeActivated(vtkMRMLNode*)",
    },
)
class qMRMLNodeComboBox:
    """A choice of nodes of the scene; it never chooses a node that is newly added by itself."""

    def __init__(self, parent=None) -> None:
        Widgets.QWidget.__init__(self, parent)
        self._observed, self._attributes = observed, _ = [], []
        self.destroyed.connect(lambda: _release(observed))
        box = Widgets.QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        self._shown = Widgets.QComboBox(self)
        box.addWidget(self._shown)

    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        _release(self._observed)
        events = slicer.vtkMRMLScene
        kinds = (events.NodeAddedEvent, events.NodeRemovedEvent, events.EndCloseEvent)
        self._observed += [(scene, scene.AddObserver(kind, self._scene_changed)) for kind in kinds] if scene else []
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)
        self._scene_changed()

    def addAttribute(self, node_type, name, value=None) -> None:
        self._attributes.append((node_type, name, value))

    def nodes(self) -> list:
        scene = self._scene
        every = (scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())) if scene else ()
        return [node for node in every if self._accepts(node)]

    def nodeCount(self) -> int:
        return len(self.nodes())

    def currentNode(self):
        identity = self.__dict__.get("_value_currentNodeID", "")
        return self._scene.GetNodeByID(identity) if self._scene and identity else None

    def setCurrentNode(self, node) -> None:
        self._choose(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, identity) -> None:
        self._choose(identity or "")

    def addNode(self, node_type=None):
        kind = node_type or self.nodeTypes[0]
        name = self._scene.GenerateUniqueName(self.baseName or kind.replace("vtkMRML", "").replace("Node", ""))
        node = self._scene.AddNewNodeByClass(kind, name)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def _accepts(self, node) -> bool:
        kinds = self.nodeTypes
        if not any(node.IsA(k) if self.showChildNodeTypes else node.GetClassName() == k for k in kinds):
            return False
        if any(node.IsA(kind) for kind in self.hideChildNodeTypes) or (
            node.GetHideFromEditors() and not self.showHidden
        ):
            return False
        return all(
            not node.IsA(kind) or (node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name)))
            for kind, name, value in self._attributes
        )

    def _scene_changed(self, *_event) -> None:
        identity = self.__dict__.get("_value_currentNodeID", "")
        if identity and identity not in [node.GetID() for node in self.nodes()]:
            self._choose("")
        self._show()

    def _choose(self, identity: str) -> None:
        identity = identity if identity in [node.GetID() for node in self.nodes()] else ""
        if identity == self.__dict__.get("_value_currentNodeID", ""):
            return
        self.__dict__["_value_currentNodeID"] = identity
        self._show()
        self.currentNodeChanged.emit(self.currentNode())
        self.currentNodeIDChanged.emit(identity)

    def _show(self) -> None:
        node = self.currentNode()
        self._shown.clear()
        self._shown.addItem(node.GetName() if node else self.noneDisplay)


@stand_in(
    qMRMLWidget,
    segmentationNodeSelectorVisible=flag(True),
    sourceVolumeNodeSelectorVisible=flag(True),
    switchToSegmentationsButtonVisible=flag(True),
    show3DButtonVisible=flag(True),
    readOnly=flag(False),
    undoEnabled=flag(True),
    maximumNumberOfUndoStates=Of(int, 0),
    SIGNALS={SCENE_SIGNAL},
)
class qMRMLSegmentEditorWidget:
    """The segment editor, of which only the nodes it works on are here, and whether it listens."""

    _editor = _segmentation = _volume = None
    observes = shortcuts = False  # the slice views, while a tool is chosen, and the keys of the main window

    def __init__(self, parent=None) -> None:
        Widgets.QWidget.__init__(self, parent)
        box = Widgets.QVBoxLayout(self)
        self._list = Widgets.QLabel("(the Segment Editor of Slicer is here)", self)
        box.addWidget(self._list)

    def describe(self) -> None:
        """Show for a picture the list of segments that the application has here."""
        node = self.segmentationNode()
        segmentation = node.GetSegmentation() if node is not None else None
        lines = ["(the Segment Editor of Slicer is here, with its tools and this list)"]
        for index in range(segmentation.GetNumberOfSegments() if segmentation else 0):
            segment = segmentation.GetNthSegment(index)
            colour = "#" + "".join(f"{round(255 * part):02x}" for part in segment.GetColor())
            lines.append(f'<span style="color:{colour}">■</span> {segment.GetName()}')
        self._list.setText("<br>".join(lines))

    def setMRMLSegmentEditorNode(self, node) -> None:
        self._editor = node

    def mrmlSegmentEditorNode(self):
        return self._editor

    def setSegmentationNode(self, node) -> None:
        if node is self.segmentationNode():
            return
        self._segmentation = node
        if self._editor is not None:
            self._editor.SetAndObserveSegmentationNode(node)
        self.setActiveEffectByName("")

    def segmentationNode(self):
        return self._editor.GetSegmentationNode() if self._editor is not None else self._segmentation

    def setSourceVolumeNode(self, node) -> None:
        if self._editor is not None:
            self._editor.SetAndObserveSourceVolumeNode(node)

    def setActiveEffectByName(self, name) -> None:
        if self._editor is not None:
            self._editor.SetActiveEffectName(name)
            if not slicer.mrmlScene.IsClosing():  # when the widget does not look at its node
                self.__dict__["observes"] = bool(name)

    def setActiveEffect(self, effect) -> None:
        self.setActiveEffectByName(effect or "")

    def setupViewObservations(self) -> None:
        self.__dict__["observes"] = True

    def removeViewObservations(self) -> None:
        self.__dict__["observes"] = False

    def installKeyboardShortcuts(self) -> None:
        self.__dict__["shortcuts"] = True

    def uninstallKeyboardShortcuts(self) -> None:
        self.__dict__["shortcuts"] = False


@stand_in(Widgets.QPushButton)
class qMRMLSegmentationShow3DButton:
    """Shows the surfaces of a segmentation."""

    _segmentation = None

    def __init__(self, parent=None) -> None:
        Widgets.QPushButton.__init__(self, parent)
        self.setText("Show 3D")
        self.setCheckable(True)

    def setSegmentationNode(self, node) -> None:
        self._segmentation = node

    def segmentationNode(self):
        return self._segmentation
