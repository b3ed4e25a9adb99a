"""MMGL: segmentation of your own structures from a handful of labelled scans and a folder of unlabelled ones.

Importing the package loads neither torch nor MONAI; each name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Study": "mmgl.study",
    "add_folder": "mmgl.study",
    "Budget": "mmgl.training.budget",
    "train": "mmgl.training.train",
    "Predictor": "mmgl.inference.predictor",
    "segment": "mmgl.inference.files",
    "evaluate": "mmgl.evaluation.folders",
    "as_text": "mmgl.evaluation.table",
    "MMGLError": "mmgl.messages",
}

__all__ = [
    "Budget",
    "MMGLError",
    "Predictor",
    "Study",
    "__version__",
    "add_folder",
    "as_text",
    "evaluate",
    "segment",
    "train",
]

if TYPE_CHECKING:
    from mmgl.evaluation.folders import evaluate_folder as evaluate
    from mmgl.evaluation.table import as_text
    from mmgl.inference.files import segment
    from mmgl.inference.predictor import Predictor
    from mmgl.messages import MMGLError
    from mmgl.study import Study, add_folder
    from mmgl.training.budget import Budget
    from mmgl.training.train import train


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mmgl' has no attribute {name!r}")
    home = import_module(_HOMES[name])
    return getattr(home, "evaluate_folder" if name == "evaluate" else name)
