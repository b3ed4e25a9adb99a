"""A stand-in for Slicer's plot view, which draws the chart of its node from the tables it names, plainly."""

from __future__ import annotations

import math

import slicer
from PySide6 import QtCore, QtGui
from PySide6 import QtWidgets as Widgets

from bench.mrml_widgets import SCENE_SIGNAL
from bench.stand_in import Signal, stand_in

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 34


@stand_in(Widgets.QWidget, mrmlSceneChanged=Signal(object), SIGNALS={SCENE_SIGNAL})
class qMRMLPlotView:
    """A view of a chart. Slicer has no plug-in for it, so no ``.ui`` file can have one."""

    IN_FORMS = False
    _scene = _node = None
    drawn = 0  # how often the content was fitted, for tests that count

    def setMRMLScene(self, scene) -> None:
        self.__dict__["_scene"] = scene

    def mrmlScene(self):
        return self._scene

    def setMRMLPlotViewNode(self, node) -> None:
        self.__dict__["_node"] = node
        self.update()

    def mrmlPlotViewNode(self):
        return self._node

    def fitToContent(self) -> None:
        self.__dict__["drawn"] = self.drawn + 1
        self.update()

    def paintEvent(self, _event) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.fillRect(QtCore.QRectF(0, 0, self.width, self.height), QtGui.QColor("white"))
        node = self._node
        chart = node.GetPlotChartNode() if node is not None and node.GetScene() is slicer.mrmlScene else None
        if chart is not None:
            _draw(painter, self.width, self.height, chart)
        painter.end()


def curves(chart) -> list[tuple]:
    """Return name, colour and points of each series of a chart."""
    found = []
    for index in range(chart.GetNumberOfPlotSeriesNodes()):
        series = chart.GetNthPlotSeriesNode(index)
        table = series.GetTableNode().GetTable()
        x, y = (table.GetColumnByName(name) for name in (series.GetXColumnName(), series.GetYColumnName()))
        points = [(x.GetValue(i), y.GetValue(i)) for i in range(table.GetNumberOfRows())]
        found.append((series.GetName(), series.GetColor(), [p for p in points if not math.isnan(p[1])]))
    return found


def _draw(painter, width: float, height: float, chart) -> None:
    found = curves(chart)
    every = [point for _, _, points in found for point in points]
    if not every:
        return
    x1, y1 = max(p[0] for p in every) or 1.0, max(1.0, *(p[1] for p in every))
    area = QtCore.QRectF(LEFT, TOP, width - LEFT - RIGHT, height - TOP - BOTTOM)

    def at(point) -> QtCore.QPointF:
        return QtCore.QPointF(area.left() + area.width() * point[0] / x1, area.bottom() - area.height() * point[1] / y1)

    for part in range(5):
        y = y1 * part / 4
        painter.setPen(QtGui.QColor("#e4e4e4"))
        painter.drawLine(at((0, y)), at((x1, y)))
        painter.setPen(QtGui.QColor("#606060"))
        painter.drawText(QtCore.QPointF(8, at((0, y)).y() + 4), f"{y:.2f}" if y1 <= 1 else f"{y:.0f}")
    painter.drawText(QtCore.QPointF(area.right() - 60, height - 6), f"{chart.GetXAxisTitle()} {x1:.0f}")
    place = LEFT
    for name, colour, points in found:
        pen = QtGui.QPen(QtGui.QColor.fromRgbF(*colour), 2)
        painter.setPen(pen)
        painter.drawPolyline([at(point) for point in points])
        painter.drawText(QtCore.QPointF(place, height - 6), name)
        place += 12 + painter.fontMetrics().horizontalAdvance(name)
