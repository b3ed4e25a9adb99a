"""A scan that is too large for the memory, segmented in parts one after the other.

Every voxel is what it is in the whole scan: a part is a region, and looks as far beyond itself as the network does.
Only the doubt of a structure is a little different, as the surroundings of a part count too. In eight bits voxels along
borders may differ too, as how large numbers are is looked up in each part by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from mmgl.data.plan import PLANES, Plan
from mmgl.data.prepare import Box
from mmgl.finding import Finding
from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation import counted
from mmgl.inference.doubt import APART, CHECK, WORST, Doubt, DoubtfulSlice, StructureDoubt
from mmgl.inference.settings import Result


def cut(region: Box | None, grid: Grid, plan: Plan, pieces: int) -> list[Box]:
    """Return a region of a scan, or all of it, cut into at most so many parts across the slices of the first plane."""
    sides = list(region or ((0, grid.size[0]), (0, grid.size[1]), (0, grid.size[2])))
    axis = grid.reorientation().axes[PLANES.index(plan.planes[0])]
    low, high = sides[axis]
    bounds = np.unique(np.linspace(low, high, pieces + 1).round().astype(int)).tolist()
    parts = []
    for first, last in pairwise(bounds):
        z, y, x = ((first, last) if a == axis else side for a, side in enumerate(sides))
        parts.append((z, y, x))
    return parts


def joined(results: Iterator[tuple[Box, Result]], names: Sequence[str], usual: Mapping[str, float]) -> Result:
    """Return the result of a scan from those of its parts.

    Args:
        results: each part, and its result on the grid of the whole scan, not tidied up yet.
        names: of the model's structures; label value i + 1 is ``names[i]``.
        usual: as for ``doubt_of``.
    """
    whole: Result | None = None
    doubts: list[tuple[dict[str, int], Doubt]] = []
    findings: list[Finding] = []
    for box, result in results:
        here = tuple(slice(*side) for side in box)
        part = result.labelmap[here]
        doubts.append((dict(zip(names, counted(part, len(names)).tolist(), strict=True)), result.doubt))
        findings += [finding for finding in result.findings if finding not in findings]
        if whole is None:
            whole = result
            continue
        whole.labelmap[here] = part
        if whole.doubt_map is not None and result.doubt_map is not None:
            whole.doubt_map[here] = result.doubt_map[here]
    if whole is None:
        raise ValueError("a scan has at least one part")
    return replace(whole, doubt=_doubt(doubts, usual), findings=tuple(findings))


def _doubt(doubts: list[tuple[dict[str, int], Doubt]], usual: Mapping[str, float]) -> Doubt:
    """Return the doubt of the whole from that of its parts, each with the voxels found of every structure."""
    each = []
    for i, name in enumerate(structure.structure for structure in doubts[0][1].structures):
        voxels = sum(counts[name] for counts, _ in doubts)
        total = sum(counts[name] * doubt.structures[i].doubt for counts, doubt in doubts)
        mean = round(total / voxels, 4) if voxels else 1.0
        each.append(StructureDoubt(name, mean, mean > usual.get(name, CHECK)))
    slices = sorted((s for _, doubt in doubts for s in doubt.slices), key=lambda s: -s.area)
    chosen: list[DoubtfulSlice] = []
    for one in slices:
        if len(chosen) < WORST and all(abs(one.index - other.index) > APART for other in chosen):
            chosen.append(one)
    return Doubt(tuple(each), tuple(chosen))
