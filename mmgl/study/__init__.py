"""What the clinician has: structures, cases with their labels, and which cases are held out. No torch."""

from mmgl.study.cases import Case, Image, Label, Use
from mmgl.study.corrections import ask_again, change_meaning, has_answers, told_meanings
from mmgl.study.extents import Extent
from mmgl.study.folders import add_folder
from mmgl.study.merging import Merged, merge
from mmgl.study.questions import label_questions
from mmgl.study.study import Study

__all__ = [
    "Case",
    "Extent",
    "Image",
    "Label",
    "Merged",
    "Study",
    "Use",
    "add_folder",
    "ask_again",
    "change_meaning",
    "has_answers",
    "label_questions",
    "merge",
    "told_meanings",
]
