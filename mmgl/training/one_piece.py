"""Which structures are of one piece, and are found better where only their largest piece is kept.

The check cases decide, as cross-validation does in nnU-Net (Isensee et al. 2021, Nature Methods 18: 203-211, empirical
post-processing). It is only said: results stay as they are unless somebody chooses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from scipy.ndimage import find_objects, generate_binary_structure, label

from mmgl.data.cache import PreparedCase
from mmgl.inference.fused import Fused
from mmgl.inference.tidy import tidy
from mmgl.structures import UNLABELLED, Structure
from mmgl.training.check import Rows, dice, means

WHOLE = 0.95
"""Share of a structure's voxels that its largest piece must hold for it to count as one piece: a slip of the brush does
not make two."""

GAIN = 0.001
"""Mean Dice that keeping only the largest piece must gain to be worth saying."""


def both_dice(case: PreparedCase, fused: Fused, structures: tuple[Structure, ...]) -> tuple[list[float], list[float]]:
    """Return the Dice of each structure in a check case with all its pieces, and with its largest piece only.

    Args:
        fused: what the network finds in it.
    """
    labelmap = fused.labelmap()
    whole = dice(torch.from_numpy(labelmap.astype("int64")), case, len(structures))
    if not tidy(labelmap, structures, [structure.name for structure in structures], ()):
        return whole, whole
    return whole, dice(torch.from_numpy(labelmap.astype("int64")), case, len(structures))


def gains(
    structures: Sequence[Structure], rows: Rows, tidied: Rows, training: Sequence[PreparedCase]
) -> dict[str, float]:
    """Return by name what keeping only the largest piece adds to the mean Dice of the structures it is right for.

    Args:
        rows, tidied: Dice on the check cases with all pieces, and with the largest only.
        training: the training cases, whose labels say which structures are of one piece.
    """
    gained = [after - before for before, after in zip(means(rows), means(tidied), strict=True)]
    return {
        structure.name: round(gain, 4)
        for number, (structure, gain) in enumerate(zip(structures, gained, strict=True), start=1)
        if gain >= GAIN and is_one_piece(training, number)
    }


def is_one_piece(cases: Iterable[PreparedCase], number: int) -> bool | None:
    """Return whether a structure is of one piece in every case that tells; None where none does.

    A case tells where the structure is painted, and every voxel is labelled as the structure or as something else.
    """
    told = None
    for case in cases:
        share = _largest_share(case, number)
        if share is None:
            continue
        if share < WHOLE:
            return False
        told = True
    return told


def _largest_share(case: PreparedCase, number: int) -> float | None:
    """Return the share of a structure's voxels in its largest piece, or None where the label does not tell."""
    labelmap = case.labelmap
    if labelmap is None:
        return None
    hidden = [UNLABELLED, *(-2 - i for i, values in enumerate(case.sets) if number in values)]
    if labelmap.min() < 0 and np.isin(labelmap, hidden).any():
        return None
    (box,) = find_objects((labelmap == number).view(np.uint8), max_label=1)
    if box is None:
        return None
    pieces, _ = label(labelmap[box] == number, generate_binary_structure(3, 3))
    sizes = np.bincount(pieces.ravel())[1:]
    return float(sizes.max() / sizes.sum())
