"""Loading ``.ui`` files: every class, property and connection is checked, where Qt only prints or keeps still."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from PySide6 import QtCore, QtUiTools, QtWidgets
from PySide6.QtCore import QObject

from bench import pythonqt, signals, stand_in


class QUiLoader(QtUiTools.QUiLoader):
    """Makes the widgets of a file; what the file has wrong raises, all of it at once."""

    def createWidget(self, name, parent=None, object_name=""):
        cls = in_forms().get(name)
        if cls is None:
            if name not in self.availableWidgets():
                raise ValueError(f"no widget class {name} (widget '{object_name}')")
            return super().createWidget(name, parent, object_name)
        widget = cls(parent)
        QObject.setObjectName(widget, object_name)
        return widget

    def load(self, file, parent=None):
        root = ET.fromstring(bytes(file.readAll()))
        links = [
            tuple(c.findtext(k) for k in ("sender", "signal", "receiver", "slot")) for c in root.iter("connection")
        ]
        for element in root.findall("connections"):
            root.remove(element)  # types of VTK have no meta type, so Qt could not make them
        unknown = {e.get("class") for e in root.iter("widget")} - set(in_forms()) - set(self.availableWidgets())
        if unknown:
            raise ValueError(f"no widget class {', '.join(sorted(unknown))}")
        buffer = QtCore.QBuffer()
        buffer.setData(ET.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        pythonqt.loading_ui.append(True)
        try:
            top = super().load(buffer, parent)
        finally:
            pythonqt.loading_ui.pop()
        if top is None:
            raise ValueError(f"the file cannot be loaded: {self.errorString()}")
        objects = {QObject.property(o, "objectName"): o for o in [top, *top.findChildren(QtWidgets.QWidget)]}
        problems = [*_wrong_properties(root, objects), *_connect(links, objects)]
        if problems:
            raise ValueError("; ".join(problems))
        return top


def in_forms() -> dict[str, type]:
    """Return the stand-ins of those classes that a plug-in of CTK or Slicer makes for ``.ui`` files."""
    return {name: cls for name, cls in stand_in.registry.items() if getattr(cls, "IN_FORMS", True)}


def _wrong_properties(root: ET.Element, objects: dict) -> list[str]:
    """Return a line for each property that its widget does not have."""
    return [
        f"{element.get('name')} ({element.get('class')}) has no property '{told.get('name')}'"
        for element in root.iter("widget")
        for told in element.findall("property")
        if told.get("stdset") != "0" and element.get("name") in objects
        if objects[element.get("name")].metaObject().indexOfProperty(told.get("name")) < 0
    ]


def _connect(links: list[tuple], objects: dict) -> list[str]:
    """Make the connections of a file, and return a line for each that cannot be made."""
    problems = []
    for sender, signal, receiver, slot in links:
        try:
            target = getattr(objects[receiver], slot.split("(")[0])
            signals.signal_of(objects[sender], signal).connect(signals.guarded(target))
        except (KeyError, AttributeError, ValueError) as error:
            problems.append(f"connection {sender}.{signal} -> {receiver}.{slot}: {error}")
    return problems
