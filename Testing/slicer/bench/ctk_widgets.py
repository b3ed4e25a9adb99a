"""Stand-ins for the widgets of CTK that our panels use; names of properties and signals as in CTK's headers."""

from __future__ import annotations

import os

from PySide6 import QtCore, QtGui
from PySide6 import QtWidgets as Widgets

from bench.stand_in import Of, Signal, flag, stand_in

HEADER = 24
"""Height in pixels of the bar of a section."""


@stand_in(
    Widgets.QAbstractButton,
    collapsed=Of(bool, False, "contentsCollapsed"),
    flat=flag(False),
    collapsedHeight=Of(int, 10),
    contentsLineWidth=Of(int, 1),
    contentsCollapsed=Signal(bool),
)
class ctkCollapsibleButton:
    """A section that folds; checked means open."""

    def __init__(self, parent=None) -> None:
        Widgets.QAbstractButton.__init__(self, parent if isinstance(parent, Widgets.QWidget) else None)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(2, HEADER, 2, 2)
        self.toggled.connect(lambda is_open: self.setCollapsed(not is_open))
        if isinstance(parent, str):
            self.setText(parent)

    def _on_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)
        for child in QtCore.QObject.children(self):
            if isinstance(child, Widgets.QWidget):
                child.setVisible(not collapsed)
        self.updateGeometry()

    def childEvent(self, event) -> None:
        if event.type() == QtCore.QEvent.Type.ChildAdded and self.collapsed and event.child().isWidgetType():
            event.child().setVisible(False)
        Widgets.QAbstractButton.childEvent(self, event)

    def sizeHint(self) -> QtCore.QSize:
        layout = self.layout()
        if self.collapsed or layout is None:
            return QtCore.QSize(100, HEADER)
        return layout.totalSizeHint()

    def minimumSizeHint(self) -> QtCore.QSize:
        return self.sizeHint()

    def hasHeightForWidth(self) -> bool:
        return False

    def paintEvent(self, _event) -> None:
        painter = QtGui.QPainter(self)
        painter.fillRect(0, 0, QtCore.QObject.property(self, "width"), HEADER - 2, QtGui.QColor("#dcdcdc"))
        painter.drawText(8, 16, f"{'+' if self.collapsed else '–'}  {self.text}")
        painter.end()


@stand_in(Widgets.QComboBox, defaultText=Of(str, ""), forceDefault=flag(False))
class ctkComboBox:
    """A combo box with a text for no choice."""


@stand_in(Widgets.QCheckBox)
class ctkCheckBox:
    """A check box."""


@stand_in(
    Widgets.QComboBox,
    checkedIndexesChanged=Signal(),
)
class ctkCheckableComboBox:
    """A combo box whose entries have a check mark."""

    def setCheckState(self, index, state) -> None:
        self.model().setData(index, state, QtCore.Qt.ItemDataRole.CheckStateRole)
        self.checkedIndexesChanged.emit()

    def checkState(self, index):
        return QtCore.Qt.CheckState(self.model().data(index, QtCore.Qt.ItemDataRole.CheckStateRole) or 0)

    def checkedIndexes(self) -> tuple:
        rows = (self.model().index(row, 0) for row in range(self.count))
        return tuple(i for i in rows if self.checkState(i) == QtCore.Qt.CheckState.Checked)


@stand_in(
    Widgets.QWidget,
    currentPath=Of(str, "", "currentPathChanged"),
    nameFilters=Of("QStringList", []),
    settingKey=Of(str, ""),
    showBrowseButton=flag(True),
    showHistoryButton=flag(True),
    currentPathChanged=Signal(str),
    validInputChanged=Signal(bool),
    Files=2,
    Readable=0x10,
)
class ctkPathLineEdit:
    """A line for a path with a history."""

    def addCurrentPathToHistory(self) -> None:
        pass

    def retrieveHistory(self) -> None:
        pass

    def browse(self) -> None:
        pass


@stand_in(
    Widgets.QWidget,
    directory=Of(str, "", "directoryChanged"),
    caption=Of(str, ""),
    text=Of(str, ""),
    directoryChanged=Signal(str),
    directorySelected=Signal(str),
)
class ctkDirectoryButton:
    """A button that chooses a folder."""

    def _on_directory(self, directory: str) -> None:
        self.__dict__["_value_directory"] = os.path.abspath(directory) if directory else directory


@stand_in(Widgets.QMessageBox, dontShowAgainSettingsKey=Of(str, ""), dontShowAgainVisible=flag(False))
class ctkMessageBox:
    """A message box that can be told not to come again."""
