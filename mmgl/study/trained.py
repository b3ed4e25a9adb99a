"""What was trained on a study: the names of its runs and models. No torch."""

from __future__ import annotations

from pathlib import Path

RUNS, MODELS = "runs", "models"
"""Folders in the folder of a study."""


def free_name(folder: Path) -> str:
    """Return the first of model-1, model-2, ... that is neither a run nor a model of the study in a folder yet."""
    number = 1
    while (folder / RUNS / f"model-{number}").exists() or (folder / MODELS / f"model-{number}.mmgl").exists():
        number += 1
    return f"model-{number}"


def model_files(folder: Path) -> list[Path]:
    """Return the models of the study in a folder, the oldest first."""
    return sorted((folder / MODELS).glob("*.mmgl"), key=lambda file: (file.stat().st_mtime, file.name))


def free_file(folder: Path, name: str) -> Path:
    """Return the file of a model called ``name``, or ``name-2``, ``name-3``, ... where there is one already."""
    names = (name, *(f"{name}-{number}" for number in range(2, 10_000)))
    return next(file for other in names if not (file := folder / "models" / f"{other}.mmgl").exists())
