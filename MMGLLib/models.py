"""The models a user can choose from, and what a card says about one in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmgl.imaging.grid import Grid
from mmgl.study.trained import model_files
from MMGLLib import nodes
from MMGLLib.messages import MMGLError

if TYPE_CHECKING:
    from mmgl.model import Card

COARSER = 2.0
"""How many times thicker than those of the training scans voxels may be before it is said; for models that do not know
the range of theirs."""

TRUSTED = 3
"""Check cases from which a Dice says something."""


def card_of(file: str | Path) -> Card:
    """Return the card of a model file.

    Raises:
        MMGLError: it is no whole model, or ``slicer.no_torch`` before the first set-up.
    """
    try:
        from mmgl.model import read_card
    except ModuleNotFoundError as error:
        raise MMGLError("slicer.no_torch") from error
    return read_card(Path(file))


def usable(files: Sequence[str]) -> dict[str, Card]:
    """Return the cards of those model files that are there and whole, by file, in the order given."""
    cards = {}
    for file in files:
        try:
            cards[str(file)] = card_of(file)
        except MMGLError:
            continue
    return cards


def models_of_study(folder: str | Path) -> list[str]:
    """Return the model files of a study, the latest first.

    Raises:
        MMGLError: ``slicer.no_study``, or ``slicer.no_models``.
    """
    folder = Path(folder)
    if not (folder / "study.json").is_file():
        raise MMGLError("slicer.no_study", path=folder)
    found = model_files(folder)
    if not found:
        raise MMGLError("slicer.no_models", path=folder)
    return [str(file) for file in reversed(found)]


def models_there(path: str | Path) -> list[str]:
    """Return the model files at a path that was added once: a file, or those of a study; none where it is gone."""
    if not Path(path).is_dir():
        return [str(path)]
    try:
        return models_of_study(path)
    except MMGLError:
        return []


def study_of(model: str | Path) -> str:
    """Return the folder of the study that a model file lies in, or an empty string."""
    folder = Path(model).parent.parent
    return str(folder) if str(model) and (folder / "study.json").is_file() else ""


def words(card: Card) -> str:
    """Return what a model is, in a few lines."""
    counted = [f"{card.cases[kind]} {kind}" for kind in ("labelled", "unlabelled", "check") if card.cases.get(kind)]
    lines = [card.name, f"Structures: {', '.join(structure.name for structure in card.structures)}"]
    if counted:
        lines.append(f"Learned from: {', '.join(counted)} scans")
    if card.scores:
        checks = card.cases.get("check", 0)
        scores = ", ".join(f"{name} {score:.2f}" for name, score in card.scores.items())
        lines.append(f"Dice on its check cases: {scores}")
        if 0 < checks < TRUSTED:
            lines.append(f"Checked on {checks} scan(s) only: too few to trust the numbers.")
    else:
        lines.append("It was not checked: too few labelled scans.")
    if card.one_piece:
        lines.append(f"Better with only the largest piece: {gained(card)}")
    return "\n".join([*lines, f"Made {card.created[:10]}" if card.created else ""]).strip()


def gained(card: Card) -> str:
    """Return of which structures the model suggests to keep only the largest piece, and what that gains."""
    return ", ".join(f"{name} (Dice +{gain:.3f})" for name, gain in card.one_piece.items())


def fit(card: Card, grid: Grid, channels: int, modality: str = "") -> str:
    """Return what speaks against a model for a scan, a line for each thing; empty where nothing does."""
    expected = card.plan.channels
    if channels != expected:
        return f"This model reads scans with {expected} channel(s), and this one has {channels}."
    if card.plan.pictures and grid.size[0] > 1:
        return f"This model segments pictures of one slice, and this scan has {grid.size[0]}."
    if card.plan.scans is not None:
        from mmgl.inference.fit import fit_header

        return "\n".join(finding.words for finding in fit_header(modality, grid, card.plan))
    learned = [mm for mm in card.plan.spacing if mm is not None] if not card.plan.pictures else []
    spacing = grid.reorientation().apply_to_grid(grid).spacing
    if len(learned) == 3 and (np.array(spacing) / learned).max() > COARSER:
        return "Check the result: this scan has thicker slices or larger voxels than the training scans."
    return ""


def fit_of(card: Card, volume: Any) -> str:
    """Return what speaks against a model for a volume node, by its header alone.

    Raises:
        MMGLError: as ``nodes.grid_of``.
    """
    return fit(card, nodes.grid_of(volume), channels_of(volume), nodes.modality_of(volume))


def channels_of(volume: Any) -> int:
    """Return how many numbers a voxel of a volume node has; 0 without voxels."""
    image = volume.GetImageData()
    return image.GetNumberOfScalarComponents() if image is not None else 0
