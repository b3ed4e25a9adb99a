"""The part of ``slicer.parameterNodeWrapper`` we use: typed attributes of a class, kept in a parameter node.

Types are ``bool``, ``int``, ``float``, ``str`` and node classes, plain or ``Annotated``. A widget takes part through
its dynamic property ``SlicerParameterName``.
"""

from __future__ import annotations

import types
import typing
import weakref

import qt
import slicer
import vtk

from bench import parameter_types

WIDGETS: dict[str, tuple[str, str]] = {
    "QCheckBox": ("checked", "toggled(bool)"),
    "ctkCheckBox": ("checked", "toggled(bool)"),
    "QLineEdit": ("text", "textChanged(QString)"),
    "QSpinBox": ("value", "valueChanged(int)"),
    "QComboBox": ("currentText", "currentTextChanged(QString)"),
    "ctkComboBox": ("currentText", "currentTextChanged(QString)"),
    "ctkPathLineEdit": ("currentPath", "currentPathChanged(QString)"),
}
"""Property and signal by the exact class, as subclasses do not take part."""


class _Parameter:
    """One typed attribute."""

    def __init__(self, name: str, annotation) -> None:
        self.name = name
        notes = typing.get_args(annotation)[1:] if typing.get_origin(annotation) is typing.Annotated else ()
        self.kind = typing.get_args(annotation)[0] if notes else annotation
        self.nodes = tuple(kind for kind in typing.get_args(self.kind) or (self.kind,) if self._is_node(kind))
        if self.kind not in (bool, int, float, str) and not self.nodes:
            raise TypeError(f"parameter '{name}' has type {self.kind}, which the bench does not know")
        self.empty = len(self.nodes) == 1 or types.NoneType in typing.get_args(self.kind)
        self.checks = [note for note in notes if hasattr(note, "check")]
        defaults = [note.value for note in notes if isinstance(note, parameter_types.Default)]
        choices = [note.choices[0] for note in notes if isinstance(note, parameter_types.Choice)]
        self.default = [*defaults, *choices, None if self.nodes else self.kind()][0]

    @staticmethod
    def _is_node(kind) -> bool:
        return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)

    def __get__(self, wrapper, owner=None):
        return self if wrapper is None else wrapper._known[self.name]

    def range(self) -> tuple[int, int]:
        """Return the smallest and the largest whole number; those of C++ where nothing is said of them."""
        within = [(note.minimum, note.maximum) for note in self.checks if hasattr(note, "maximum")]
        return [*within, (-(2**31), 2**31 - 1)][0]

    def read(self, node):
        """Return the value that a parameter node holds now."""
        if self.nodes:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if not node.HasParameter(self.name):
            return self.default
        return text == "True" if self.kind is bool else self.kind(text)

    def __set__(self, wrapper, value) -> None:
        with slicer.util.NodeModify(wrapper.parameterNode):
            self._write(wrapper.parameterNode, value)
            wrapper._known[self.name] = self.read(wrapper.parameterNode)  # before anybody hears of it

    def _write(self, node, value) -> None:
        if self.nodes:
            value = slicer.mrmlScene.GetNodeByID(value) if isinstance(value, str) else value
            if not (self.empty if value is None else isinstance(value, self.nodes)):
                raise TypeError(f"parameter '{self.name}' takes a {self.kind}, not a {type(value).__name__}")
            node.SetNodeReferenceID(self.name, value.GetID() if value is not None else None)
            return
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise TypeError(f"parameter '{self.name}' takes a {self.kind.__name__}, not {value!r}")
        for check in self.checks:
            check.check(value)
        node.SetParameter(self.name, str(value))


def parameterNodeWrapper(cls: type) -> type:
    """Return the class with its annotated attributes kept in a parameter node."""
    for name, annotation in typing.get_type_hints(cls, include_extras=True).items():
        setattr(cls, name, _Parameter(name, annotation))

    parameters = [one for one in vars(cls).values() if isinstance(one, _Parameter)]

    def begin(self, parameterNode) -> None:
        object.__setattr__(self, "parameterNode", parameterNode)
        object.__setattr__(self, "_links", {})
        object.__setattr__(self, "_known", {})
        _know(self, parameters)
        me = weakref.ref(self)
        tag = parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: _know(me(), parameters))
        weakref.finalize(self, parameterNode.RemoveObserver, tag)

    def refuse(self, name: str, value) -> None:
        if not isinstance(getattr(cls, name, None), _Parameter):
            raise AttributeError(f"{cls.__name__} has no parameter '{name}'")
        object.__setattr__(self, name, value)

    cls.__init__, cls.__setattr__ = begin, refuse
    cls.connectGui, cls.disconnectGui = _connect_gui, _disconnect_gui
    cls.AddObserver = lambda self, *a: self.parameterNode.AddObserver(*a)
    cls.RemoveObserver = lambda self, *a: self.parameterNode.RemoveObserver(*a)
    cls.HasObserver = lambda self, *a: self.parameterNode.HasObserver(*a)
    return cls


def _know(self, parameters: list[_Parameter]) -> None:
    """Read all values; between two changes of the node the application tells what it read then."""
    if self is not None:
        self._known.update({one.name: one.read(self.parameterNode) for one in parameters})


def _connect_gui(self, gui) -> int:
    """Connect every widget inside ``gui`` that names a parameter, both ways, and return a tag to undo it."""
    links = []
    for widget in [gui, *gui.findChildren(qt.QWidget)]:
        name = widget.property("SlicerParameterName")
        if name:
            if not isinstance(getattr(type(self), name, None), _Parameter):
                raise ValueError(f"the widget {widget.objectName} names the parameter '{name}', which there is not")
            links.append(_link(self, widget, name))
    observer = self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: [show() for show, *_ in links])
    for show, *_ in links:
        show()
    tag = max(self._links, default=0) + 1
    self._links[tag] = (links, observer)
    return tag


def _link(self, widget, name: str):
    """Return what shows a parameter in a widget, and what undoes the connection back."""
    if isinstance(widget, slicer.qMRMLNodeComboBox):
        signal = "currentNodeChanged(vtkMRMLNode*)"
        widget.nodeTypes = [kind().GetClassName() for kind in getattr(type(self), name).nodes]  # whatever the file says

        def show() -> None:
            widget.setCurrentNode(getattr(self, name))

        def take() -> None:
            setattr(self, name, widget.currentNode())
    else:
        kind = type(widget).__name__
        if kind not in WIDGETS:
            raise ValueError(f"a {kind} cannot be connected to a parameter")
        attribute, signal = WIDGETS[kind]
        if kind == "QSpinBox":
            widget.setRange(*getattr(type(self), name).range())  # whatever the file says

        def show() -> None:
            setattr(widget, attribute, getattr(self, name))

        def take() -> None:
            setattr(self, name, getattr(widget, attribute))

    widget.connect(signal, take)
    return show, widget, signal, take


def _disconnect_gui(self, tag: int) -> None:
    """Undo ``connectGui``."""
    links, observer = self._links.pop(tag)
    self.parameterNode.RemoveObserver(observer)
    for _, widget, signal, take in links:
        widget.disconnect(signal, take)
