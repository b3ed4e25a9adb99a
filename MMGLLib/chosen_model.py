"""Which model MMGL Segment takes: the one of the scene, of those this computer knows."""

from __future__ import annotations

from pathlib import Path

import slicer

SETTING = "MMGL/Models"
"""Of this computer, not of the scene: model files and folders of studies, the latest first, one a line."""


def known() -> list[str]:
    """Return the model files and studies this computer knows, the latest first."""
    return [file for file in str(slicer.app.settings().value(SETTING) or "").split("\n") if file]


def remember(file: str | Path) -> None:
    """Put a model file or a study at the head of those this computer knows."""
    others = [kept for kept in known() if kept != str(file)]
    slicer.app.settings().setValue(SETTING, "\n".join([str(file), *others]))


def chosen() -> str:
    """Return the model that MMGL Segment takes now, or an empty string."""
    from MMGLSegment import MMGLSegmentLogic

    return MMGLSegmentLogic().getParameterNode().model or next(iter(known()), "")


def choose(file: str | Path) -> None:
    """Let MMGL Segment take a model from now on."""
    from MMGLSegment import MMGLSegmentLogic

    remember(file)
    MMGLSegmentLogic().getParameterNode().model = str(file)
