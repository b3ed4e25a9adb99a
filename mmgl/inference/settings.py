"""How a scan is segmented beyond what its model says, and what comes out."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

from mmgl.data.prepare import Box
from mmgl.finding import Finding
from mmgl.imaging.grid import Array, Grid
from mmgl.imaging.segmentation import counted
from mmgl.inference.doubt import Doubt
from mmgl.messages import MMGLError
from mmgl.structures import Structure

LOWER = 0.25
"""The lower threshold: beside the background alone, a structure is found from a probability of 0.2."""


@dataclass(frozen=True)
class Settings:
    """Attributes:
    region: voxels of the scan to segment, first and one after the last along its own z, y, x; None for all.
    structures: names of those wanted; all where empty. The others still compete, and then become background.
    largest: names of structures of which only the largest piece stays.
    filled: names of structures whose holes are filled.
    finer: the result on a finer grid along thick slices.
    mirror: average every slice with its mirror image; only for models that were trained on mirrored slices.
    doubt_map: return the map of doubt too.
    lower: names of structures that need only ``LOWER`` times the probability of what is more probable.
    pieces: how many parts the scan is segmented in, one after the other, where all of it is too much for the memory.
    fast: run the network in eight bits where the processor is faster with them. Labels differ a little, at borders,
        and those of a region or of pieces from those of the whole scan.
    """

    region: Box | None = None
    structures: tuple[str, ...] = ()
    largest: tuple[str, ...] = ()
    filled: tuple[str, ...] = ()
    finer: bool = False
    mirror: bool = False
    doubt_map: bool = False
    lower: tuple[str, ...] = ()
    pieces: int = 1
    fast: bool = False

    def check(self, structures: Collection[Structure]) -> None:
        """Refuse names that the model does not have.

        Raises:
            MMGLError: ``segment.unknown_structure``.
        """
        known = {structure.name for structure in structures}
        for name in (*self.structures, *self.largest, *self.filled, *self.lower):
            if name not in known:
                raise MMGLError("segment.unknown_structure", name=name, structures=", ".join(sorted(known)))

    def to_json(self) -> dict[str, Any]:
        """Return the settings as a dictionary that is the same when it comes back from JSON."""
        found: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return found


@dataclass(frozen=True)
class Result:
    """What segmenting a scan gives.

    Attributes:
        labelmap: (z, y, x); value i + 1 is structure i of the model.
        grid: the scan's own, or a finer one where that was asked for.
        doubt: where to look twice.
        own: the scan's own grid.
        doubt_map: entropy in bits (z, y, x) on the scan's own grid, float32, where it was asked for.
        findings: what was changed or happened on the way.
    """

    labelmap: Array
    grid: Grid
    own: Grid
    doubt: Doubt
    doubt_map: Array | None
    findings: tuple[Finding, ...]

    def volumes(self, structures: int) -> list[float]:
        """Return the volume of each of so many structures, in ml."""
        voxel = math.prod(self.grid.spacing)
        return [count * voxel / 1000 for count in counted(self.labelmap, structures).tolist()]
