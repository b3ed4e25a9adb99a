"""The models a user can choose from, and what a card says about one in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmgl.imaging.grid import Grid
from MMGLLib.messages import MMGLError

if TYPE_CHECKING:
    from mmgl.model import Card

COARSER = 2.0
"""How many times thicker than those of the training scans voxels may be before it is said."""


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


def words(card: Card) -> str:
    """Return what a model is, in a few lines."""
    counted = [f"{card.cases[kind]} {kind}" for kind in ("labelled", "unlabelled", "check") if card.cases.get(kind)]
    lines = [card.name, f"Structures: {', '.join(structure.name for structure in card.structures)}"]
    if counted:
        lines.append(f"Learned from: {', '.join(counted)} scans")
    if card.scores:
        scores = ", ".join(f"{name} {score:.2f}" for name, score in card.scores.items())
        lines.append(f"Dice on its check cases: {scores}")
    else:
        lines.append("It was not checked: too few labelled scans.")
    return "\n".join([*lines, f"Made {card.created[:10]}" if card.created else ""]).strip()


def fit(card: Card, grid: Grid, channels: int) -> str:
    """Return what speaks against a model for a scan, in one line; empty where nothing does."""
    expected = card.plan.channels
    if channels != expected:
        return f"This model reads scans with {expected} channel(s), and this one has {channels}."
    if card.plan.pictures and grid.size[0] > 1:
        return f"This model segments pictures of one slice, and this scan has {grid.size[0]}."
    learned = [mm for mm in card.plan.spacing if mm is not None] if not card.plan.pictures else []
    spacing = grid.reorientation().apply_to_grid(grid).spacing
    if len(learned) == 3 and (np.array(spacing) / learned).max() > COARSER:
        return "Check the result: this scan has thicker slices or larger voxels than the training scans."
    return ""


def channels_of(volume: Any) -> int:
    """Return how many numbers a voxel of a volume node has; 0 without voxels."""
    image = volume.GetImageData()
    return image.GetNumberOfScalarComponents() if image is not None else 0
