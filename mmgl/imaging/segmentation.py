"""A segmentation in memory: layers of painted voxels, and what each painted value is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmgl.imaging.grid import Array, Grid
from mmgl.structures import Colour


@dataclass(frozen=True)
class Segment:
    """One painted structure as its file has it.

    Attributes:
        value: the label value in its layer.
        name: empty where the file knows only values.
        colour: red, green, blue, 0 to 255, or None where the file says none.
        terminology: Slicer's serialised terminology entry, or an empty string.
        layer: the layer it is painted in; segments that overlap lie in different layers.
    """

    value: int
    name: str = ""
    colour: Colour | None = None
    terminology: str = ""
    layer: int = 0


@dataclass(frozen=True)
class Segmentation:
    """What is painted on a scan.

    Attributes:
        layers: (layers, z, y, x), unsigned integers.
        grid: where its voxels are; not always the grid of the scan.
        segments: in the order of the file; empty segments included.
    """

    layers: Array
    grid: Grid
    segments: tuple[Segment, ...]

    def voxels(self, segment: Segment) -> Array:
        """Return the boolean mask (z, y, x) of one segment."""
        mask: Array = self.layers[segment.layer] == segment.value
        return mask

    def labelmap(self, numbers: Sequence[int]) -> Array:
        """Return one labelmap (z, y, x) of int32 in which segment i has ``numbers[i]``, and 0 is background.

        A segment whose number is 0 is left out. Where segments overlap, the upper one in the list wins.
        """
        told = list(zip(self.segments, numbers, strict=True))
        if len(self.layers) == 1 and self.layers.dtype != np.uint32:  # nothing overlaps: one look-up for all
            table = np.zeros(np.iinfo(self.layers.dtype).max + 1, dtype=np.int32)
            for segment, number in reversed(told):
                if number and segment.value < len(table):
                    table[segment.value] = number
            labelmap: Array = table[self.layers[0]]
            return labelmap
        labelmap = np.zeros(self.grid.size, dtype=np.int32)
        for segment, number in reversed(told):
            if number:
                labelmap[self.voxels(segment)] = number
        return labelmap

    def counts(self) -> list[int]:
        """Return how many voxels each segment has, in the order of ``segments``."""
        found = [dict(zip(*np.unique(layer, return_counts=True), strict=True)) for layer in self.layers]
        return [int(found[segment.layer].get(segment.value, 0)) for segment in self.segments]


def counted(labelmap: Array, structures: int) -> Array:
    """Return how many voxels of a labelmap (z, y, x) have each of the values 1 to ``structures``; int64."""
    counts = np.zeros(structures + 1, np.int64)
    for one in labelmap:  # all at once would take eight bytes a voxel
        counts += np.bincount(one.ravel(), minlength=len(counts))
    return counts[1:]
