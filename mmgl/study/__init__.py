"""What the clinician has: structures, cases with their labels, and which cases are held out. No torch."""

from mmgl.study.cases import Case, Image, Label, Use
from mmgl.study.folders import add_folder
from mmgl.study.study import Study

__all__ = ["Case", "Image", "Label", "Study", "Use", "add_folder"]
