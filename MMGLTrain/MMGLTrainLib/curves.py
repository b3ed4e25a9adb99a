"""The curve of a training in Slicer's own plots: how well the result agrees with the labels, as time goes by."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk


class Curves:
    """A chart in a view of its own, which is no part of the layout; its nodes are not saved with the scene.

    Args:
        view: the plot view of the panel.
    """

    def __init__(self, view):
        self._view, self._nodes, self._shown = view, [], ()
        self._table = self._chart = None

    def show(self, story, structures):
        """Draw the checks of a story, or, where nothing is checked, how little there is left to learn."""
        names = [structure.name for structure in structures]
        colours = [structure.colour for structure in structures]
        if story.checks and len(story.checks[-1][1]) == len(names):
            rows = [[minutes, *(np.nan if d is None else d for d in dices)] for minutes, dices in story.checks]
        else:
            rows, names, colours = [list(point) for point in story.errors], [_("Still to learn")], [(90, 90, 90)]
        shown = (tuple(names), len(rows), rows[-1][0] if rows else 0)
        if not rows or (shown == self._shown and self._is_there()):
            return
        if not self._is_there() or self._shown[:1] != shown[:1]:
            self._make(names, colours, bool(story.checks))
        self._fill(["Minutes", *names], np.array(rows, float))
        self._shown = shown

    def close(self):
        """Take the nodes out of the scene."""
        for node in self._nodes:
            if node.GetScene() is not None:
                node.GetScene().RemoveNode(node)
        self._nodes, self._table, self._chart, self._shown = [], None, None, ()

    def _is_there(self):
        return self._chart is not None and self._chart.GetScene() is slicer.mrmlScene

    def _make(self, names, colours, checked):
        """Make the nodes: a table, a series for each curve, the chart, and the view that shows it."""
        self.close()
        self._table = self._new("vtkMRMLTableNode", _("Training"))
        self._chart = self._new("vtkMRMLPlotChartNode", _("Training"))
        self._chart.SetXAxisTitle(_("Minutes"))
        self._chart.SetYAxisTitle(_("Agreement with your labels") if checked else _("Still to learn, %"))
        self._chart.SetLegendVisibility(len(names) > 1)
        for name, colour in zip(names, colours, strict=True):
            series = self._new("vtkMRMLPlotSeriesNode", name)
            series.SetAndObserveTableNodeID(self._table.GetID())
            series.SetXColumnName("Minutes")
            series.SetYColumnName(name)
            series.SetPlotType(series.PlotTypeScatter)
            series.SetMarkerStyle(series.MarkerStyleCircle if checked else series.MarkerStyleNone)
            series.SetColor(*(part / 255 for part in colour))
            self._chart.AddAndObservePlotSeriesNodeID(series.GetID())
        owner = self._new("vtkMRMLScriptedModuleNode", "MMGLTrain")  # with it the layout leaves the view alone
        view = slicer.mrmlScene.CreateNodeByClass("vtkMRMLPlotViewNode")
        view.UnRegister(None)
        view.SetLayoutName("MMGLTrain")
        view.SetAndObserveParentLayoutNodeID(owner.GetID())
        view.SetSaveWithScene(False)
        view.SetHideFromEditors(True)
        self._nodes.append(slicer.mrmlScene.AddNode(view))
        view.SetPlotChartNodeID(self._chart.GetID())
        self._view.setMRMLScene(slicer.mrmlScene)
        self._view.setMRMLPlotViewNode(view)

    def _new(self, kind, name):
        node = slicer.mrmlScene.CreateNodeByClass(kind)
        node.UnRegister(None)
        node.SetName(name)
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        self._nodes.append(slicer.mrmlScene.AddNode(node))
        return node

    def _fill(self, columns, rows):
        table = vtk.vtkTable()
        for name, values in zip(columns, rows.T, strict=True):
            array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
            array.SetName(name)
            table.AddColumn(array)
        self._table.SetAndObserveTable(table)
        self._view.fitToContent()
