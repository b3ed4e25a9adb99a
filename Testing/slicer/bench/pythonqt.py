"""Makes the PySide6 classes of this process behave as PythonQt does, which is what Slicer's ``qt`` module is.

Properties are attributes; an attribute that does not exist cannot be made; ``connect('clicked(bool)', f)`` checks the
signature; enums must not be compared to numbers. Stricter than PythonQt in one place: a signal that does not exist
raises, where PythonQt prints a line and returns False.
"""

from __future__ import annotations

import ctypes
import enum
import inspect
import types

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import QObject

from bench import signals

RECURSES = {"sizeHint", "minimumSizeHint"}
"""Virtual in C++: as properties they would end in themselves."""

_property, _set_property = QObject.property, QObject.setProperty

# shiboken's types refuse object.__setattr__
_generic_setattr = ctypes.pythonapi.PyObject_GenericSetAttr
_generic_setattr.argtypes = [ctypes.py_object] * 3
_generic_setattr.restype = ctypes.c_int


loading_ui: list[bool] = []
"""Not empty while a ``.ui`` file is being loaded."""


class Attribute:
    """A Qt property as an attribute of the object; on the class it is still the method of that name."""

    def __init__(self, name: str, cls: type, method) -> None:
        self.name, self.method = name, method
        self.setter = getattr(cls, f"set{name[0].upper()}{name[1:]}", None)

    def __get__(self, instance, owner=None):
        if instance is None:
            return self.method if self.method is not None else self
        if type(self.method).__name__ == "method_descriptor":
            return self.method(instance)  # the call past the virtual table, which cannot come back here
        return _property(instance, self.name)

    def __set__(self, instance, value) -> None:
        meta = instance.metaObject()
        told = meta.property(meta.indexOfProperty(self.name))
        if not told.isWritable():
            raise AttributeError(f"Property '{self.name}' of {meta.className()} object is not writable")
        if self.setter is None:
            if not _set_property(instance, self.name, value):
                raise AttributeError(f"Property '{self.name}' of {meta.className()} does not accept {value!r}")
            return
        try:
            self.setter(instance, value)
        except (TypeError, ValueError) as error:
            raise AttributeError(
                f"Property '{self.name}' of type '{told.typeName()}' does not accept {type(value).__name__} ({value!r})"
            ) from error


def _adopt(cls: type) -> None:
    """Turn the properties of a class into attributes."""
    meta = cls.staticMetaObject
    for index in range(meta.propertyCount()):
        name = meta.property(index).name()
        inherited = index < meta.propertyOffset() and name not in vars(cls)
        if name in RECURSES or inherited or isinstance(vars(cls).get(name), Attribute):
            continue
        method = getattr(cls, name, None)
        # isinstance(x, Signal) loses a reference to False in PySide6 6.12, and Python < 3.12 aborts at its end
        if type(method).__name__ != "Signal":
            setattr(cls, name, Attribute(name, cls, method))


def is_cpp(cls: type) -> bool:
    """Return whether a class is one that Slicer has in C++: Qt's own, and the stand-ins."""
    return cls.__module__.startswith("PySide6") or "_cpp" in vars(cls)


def _strict_setattr(self, name: str, value) -> None:
    """Refuse what PythonQt refuses on objects made in C++."""
    cls = type(self)
    found = inspect.getattr_static(cls, name, None)
    if isinstance(found, QtCore.Property):
        return _accessors(cls, name)[1](self, value)
    if is_cpp(cls) and not name.startswith("_"):
        if found is None and name not in self.dynamicPropertyNames():
            if loading_ui:
                return  # PySide6's loader sets each child on the top widget; here they are found by their names
            raise AttributeError(f"'{name}' does not exist on {cls.__name__}, and C++ objects take no new attributes")
        if found is not None and not hasattr(type(found), "__set__") and not isinstance(value, QtCore.SignalInstance):
            raise AttributeError(f"'{name}' is a slot or a signal of {cls.__name__} and cannot be replaced")
    _generic_setattr(self, name, value)


def _fallback_getattr(self, name: str):
    """Return a dynamic property or a child of that name."""
    if not name.startswith("__"):
        if name in [bytes(known).decode() for known in self.dynamicPropertyNames()]:
            return _property(self, name)
        for child in self.children():
            if _property(child, "objectName") == name:
                return child
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


def _getattribute(self, name: str):
    """Answer ``connect`` and ``disconnect`` here: shiboken does it in C, past the dictionary of the class."""
    if name == "connect":
        return types.MethodType(signals.connect, self)
    if name == "disconnect":
        return types.MethodType(signals.disconnect, self)
    value = object.__getattribute__(self, name)
    return _accessors(type(self), name)[0](self) if isinstance(value, QtCore.Property) else value


def _accessors(cls: type, name: str):
    """Return what reads and writes a property of a stand-in: PySide resolves its own ``Property`` in C, too."""
    return next(vars(c)["_accessors"][name] for c in cls.__mro__ if name in vars(c).get("_accessors", {}))


def _no_numbers(self, other) -> bool:
    """Compare enums, and refuse a number: equal in PythonQt, never in PySide6, and different again with Qt 6."""
    if isinstance(other, int) and not isinstance(other, enum.Enum):
        raise TypeError(f"{self!r} is compared to the number {other}; compare it to its name")
    return self is other or (type(self) is type(other) and self.value == other.value)


def _enums(owner) -> list[type]:
    nested = [getattr(owner, name, None) for name in dir(owner) if name[:1].isupper()]
    return [kind for kind in nested if isinstance(kind, type) and issubclass(kind, enum.Enum)]


def install() -> None:
    """Change the classes; once in a process."""
    for module in (QtCore, QtGui, QtWidgets):
        everything = [getattr(module, name) for name in dir(module)]  # PySide6 makes a class when it is asked for
        for cls in [c for c in everything if isinstance(c, type)]:
            for kind in _enums(cls):
                if not issubclass(kind, int):
                    kind.__eq__ = _no_numbers
            if issubclass(cls, QObject):
                _adopt(cls)
                if "__setattr__" in vars(cls):
                    cls.__setattr__ = _strict_setattr
            if hasattr(cls, "exec") and not hasattr(cls, "exec_"):
                cls.exec_ = cls.exec
    signals.keep_originals()
    QObject.name = property(lambda self: self.objectName, lambda self, value: QObject.setObjectName(self, value))
    QObject.className = lambda self: self.metaObject().className()
    QObject.delete = lambda self: self.deleteLater()
    QObject.__getattribute__, QObject.__setattr__, QObject.__getattr__ = (
        _getattribute,
        _strict_setattr,
        _fallback_getattr,
    )
    _find_by_class_name()


def _find_by_class_name() -> None:
    """Let ``findChildren`` be called without a type, or with the name of one."""
    original = QObject.findChildren

    def find(self, *arguments, **named):
        if arguments and not isinstance(arguments[0], str):
            return original(self, *arguments, **named)
        children = original(self, QObject)
        return [c for c in children if not arguments or c.metaObject().className() == arguments[0]]

    QObject.findChildren = find
