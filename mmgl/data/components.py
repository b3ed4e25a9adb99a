"""Connected pieces of labels: of each structure in a slice, only the largest piece is believed."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import find_objects, label
from torch import Tensor

NEIGHBOURS = np.ones((3, 3), dtype=bool)
"""Pixels that touch at a corner belong together."""


def largest_components(labels: Tensor) -> Tensor:
    """Return the labels with only the largest piece of each structure in each slice.

    Of pieces of the same size the first one stays, row by row. The work is done on the CPU.

    Args:
        labels: (N, H, W), 0 background, positive for structures; negative ones stay as they are.
    """
    found = labels.cpu().numpy().copy()
    for image in found:
        for number, place in enumerate(find_objects(np.maximum(image, 0)), start=1):
            if place is not None:
                _keep_largest(image[place], number)
    return torch.from_numpy(found).to(labels.device)


def _keep_largest(image: np.ndarray[tuple[int, int], np.dtype[np.int64]], number: int) -> None:
    """Paint all but the largest piece of one structure as background, in place."""
    pieces, count = label(image == number, NEIGHBOURS)
    if count > 1:
        largest = np.bincount(pieces.ravel())[1:].argmax() + 1
        image[(pieces > 0) & (pieces != largest)] = 0
