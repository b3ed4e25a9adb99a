"""Pictures without a screen: slice views with what lies on them, 3-D views, and panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

IN_SLICES = ("ModelSlice", "VolumeGlyphSlice", "Crosshair")
IN_SPACE = ("Camera", "View", "Model")


class _View:
    """A render window that nobody sees."""

    def __init__(self, width: int, height: int) -> None:
        self.renderer, self.window = vtk.vtkRenderer(), vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetSize(width, height)
        self.window.AddRenderer(self.renderer)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self.group = slicer.vtkMRMLDisplayableManagerGroup()

    def _manage(self, factory, names) -> None:
        for name in names:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self.group.Initialize(factory, self.renderer)

    def picture(self) -> np.ndarray:
        """Return the view as (y, x, 3) of uint8."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)[::-1, :, :3].copy()


class SliceView(_View):
    """A slice view of a volume, with the segmentations that are visible on it.

    Args:
        volume: in the background.
        orientation: ``Axial``, ``Coronal`` or ``Sagittal``.
        offset: of the slice in mm; the middle of the volume when None.
    """

    def __init__(self, volume, orientation: str = "Axial", offset: float | None = None, size=(480, 480)) -> None:
        super().__init__(*size)
        application = slicer.app.applicationLogic()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(application)
        application.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self.logic.AddSliceNode({"Axial": "Red", "Coronal": "Green", "Sagittal": "Yellow"}[orientation])
        self.node.SetOrientation(orientation)
        self.node.SetMappedInLayout(1)
        names = [f"vtkMRML{name}DisplayableManager" for name in IN_SLICES]
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self._manage(factory, [*names, "vtkMRMLSegmentationsDisplayableManager2D"])
        self.group.SetMRMLDisplayableNode(self.node)
        self.logic.ResizeSliceNode(*size)
        self.show(volume, offset)
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        mapper.SetInputConnection(self.logic.GetImageDataConnection())
        actor = vtk.vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(actor)

    def show(self, volume, offset: float | None = None) -> None:
        """Show a volume, another one than before where it is another."""
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        self.logic.FitSliceToBackground()
        if offset is not None:
            self.logic.SetSliceOffset(offset)
        self.logic.GetBlend().Update()


class SpaceView(_View):
    """A 3-D view of everything visible in the scene, from the front and a little above."""

    def __init__(self, size=(480, 480)) -> None:
        super().__init__(*size)
        node = slicer.vtkMRMLViewNode()
        node.SetLayoutName("1")
        node.SetName("View1")
        node.SetSingletonTag("1")
        self.node = slicer.mrmlScene.AddNode(node)
        self.node.SetMappedInLayout(1)
        names = [f"vtkMRML{name}DisplayableManager" for name in IN_SPACE]
        factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
        self._manage(factory, [*names, "vtkMRMLSegmentationsDisplayableManager3D"])
        self.group.SetMRMLDisplayableNode(self.node)
        self.node.SetBoxVisible(0)
        self.node.SetAxisLabelsVisible(0)
        self.renderer.SetBackground(0.76, 0.76, 0.91)
        self.window.Render()
        camera = self.renderer.GetActiveCamera()
        bounds = self.renderer.ComputeVisiblePropBounds()
        centre = [(bounds[i] + bounds[i + 1]) / 2 for i in (0, 2, 4)]
        camera.SetFocalPoint(*centre)
        camera.SetPosition(centre[0] + 60, centre[1] + 200, centre[2] + 60)
        camera.SetViewUp(0, 0, 1)
        self.renderer.ResetCamera(bounds)


def save(path: Path, *pictures: np.ndarray) -> Path:
    """Write pictures of equal height side by side as PNG."""
    from mmgl.imaging.segmentation_files import write_picture

    write_picture(path, np.concatenate(pictures, axis=1), overwrite=True)
    return path


def of_widget(widget, width: int = 420) -> np.ndarray:
    """Return the window that a panel is in as (y, x, 3) of uint8, as high as it wants to be."""
    from PySide6 import QtGui, QtWidgets

    window = widget.window()
    window.show()
    for child in window.findChildren(QtWidgets.QWidget):
        if hasattr(type(child), "describe"):  # a stand-in that can show more than it does
            child.describe()
    for _ in range(4):  # labels that wrap know their height only once they know their width
        slicer.app.processEvents()
        layout = window.layout()
        window.resize(width, max(layout.totalHeightForWidth(width), layout.totalSizeHint().height()))
    image = window.grab().toImage().convertToFormat(QtGui.QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()
