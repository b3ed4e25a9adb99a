"""The settings that are saved with the scene."""

from typing import Annotated

from slicer import (
    vtkMRMLMarkupsROINode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
    vtkMRMLVectorVolumeNode,
)
from slicer.parameterNodeWrapper import Choice, Default, parameterNodeWrapper


@parameterNodeWrapper
class MMGLSegmentParameterNode:
    """What is saved with the scene."""

    scan: (
        vtkMRMLScalarVolumeNode | vtkMRMLVectorVolumeNode | None
    )  # the selector offers just these; colours are scans, too
    result: vtkMRMLSegmentationNode
    model: str
    device: Annotated[str, Choice(["auto", "cpu", "cuda"])]
    region: vtkMRMLMarkupsROINode
    leftOut: str  # names of structures, one a line
    doubt: Annotated[bool, Default(True)]
    mirror: bool
    finer: bool
    largest: bool
    tidy: bool
    frames: bool
