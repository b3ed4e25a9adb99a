"""Slices of prepared cases, drawn at random into square windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.grid import Array
from mmgl.structures import UNLABELLED
from mmgl.study.label_codes import Sets

MARGIN = 1.25
"""A window is this much larger than a training slice, so that turning it brings real tissue into its corners."""


@dataclass
class Slices:
    """Windows of slices as they lie on the plan's grid, before augmentation.

    Attributes:
        images: (N, channels, W, W) float32.
        labels: (N, W, W) int64; 0 background, positive structures, ``UNLABELLED`` where nobody said, and outside
            the scan; -2 - i where it is background or one of the structures in the sampler's ``sets[i]``.
        planes: (N,) index into the plan's planes.
        positions: (N,) (k + 1) / D for slice k of D in its scan (Zeng et al. 2021, PCL).
        cases: (N,) number of the case.
    """

    images: Tensor
    labels: Tensor
    planes: Tensor
    positions: Tensor
    cases: Tensor


class SliceSampler:
    """Draws slices of all planes in equal share.

    Args:
        cases: prepared on the plan's grid.
        plan: of the run.
        generator: on the CPU; every draw comes from it.

    Attributes:
        sets: what the codes -2, -3, ... of drawn labels stand for, over all cases; empty where no structure is
            missing from a label.
        pseudo: by their number, cases with the labels that a network gave them where nobody said.
    """

    def __init__(self, cases: Sequence[PreparedCase], plan: Plan, generator: Generator) -> None:
        self.cases = list(cases)
        self.pseudo: dict[int, PreparedCase] = {}
        self.generator = generator
        self.size = round(plan.slice_size * MARGIN)
        self._axes = [PLANES.index(plane) for plane in plan.planes]
        # per plane, rows of (case, slice); and those of labelled cases with and without something painted
        self._all = [_rows(self.cases, axis) for axis in self._axes]
        self.sets: Sets = tuple(sorted({values for case in self.cases for values in case.sets}))
        self._codes = [_codes(case.sets, self.sets) for case in self.cases]
        self._unlabelled = [_unlabelled_rows(self.cases, axis) for axis in self._axes]
        if not any(len(rows) for rows in self._unlabelled):
            self._unlabelled = self._all
        self._painted: list[Array] = []
        self._labelled: list[Array] = []
        for axis in self._axes:
            painted, labelled = _labelled_rows(self.cases, axis)
            self._painted.append(painted)
            self._labelled.append(labelled)

    @property
    def unlabelled(self) -> list[int]:
        """The numbers of the cases that ``draw_unlabelled`` draws from."""
        return [int(case) for case in np.unique(np.concatenate([rows[:, 0] for rows in self._unlabelled]))]

    @property
    def has_labels(self) -> bool:
        """Whether any slice is painted."""
        return any(len(rows) for rows in self._painted)

    def __len__(self) -> int:
        """Return the number of slices over all planes."""
        return sum(len(rows) for rows in self._all)

    def draw(self, count: int) -> Slices:
        """Return ``count`` slices of all cases, labelled or not, each equally likely within its plane."""
        return self._draw(count, [self._all])

    def draw_unlabelled(self, count: int) -> Slices:
        """Return ``count`` slices on which something is not labelled (of all cases where nothing is left unlabelled).

        These are the slices of the cases without a label, and those of labelled cases with unlabelled voxels.
        """
        return self._draw(count, [self._unlabelled])

    def draw_pseudo_labelled(self, count: int) -> Slices:
        """Return ``count`` slices as ``draw_unlabelled`` does, of the cases in ``pseudo``, with their labels there."""
        known = np.zeros(len(self.cases), dtype=bool)
        known[list(self.pseudo)] = True
        return self._draw(count, [[rows[known[rows[:, 0]]] for rows in self._unlabelled]], cases=self.pseudo)

    def draw_labelled(self, count: int, painted: float = 0.7) -> Slices:
        """Return ``count`` slices of labelled cases, a share ``painted`` of them with a structure in the window."""
        return self._draw(count, [self._painted, self._labelled], painted)

    def _draw(
        self,
        count: int,
        choices: list[list[Array]],
        first: float = 1.0,
        cases: Mapping[int, PreparedCase] | Sequence[PreparedCase] = (),
    ) -> Slices:
        """Draw from the first table of rows with probability ``first``, else from the second."""
        cases = cases or self.cases
        images, labels, planes, positions, numbers = [], [], [], [], []
        for _ in range(count):
            focused = len(choices) > 1 and self._uniform() < first
            table = choices[0] if focused or len(choices) == 1 else choices[1]
            plane = self._pick([i for i, rows in enumerate(table) if len(rows)])
            case, index = table[plane][self._integer(len(table[plane]))]
            axis = self._axes[plane]
            image, label = _cut(cases[case], axis, int(index))
            if cases[case].sets:
                label = np.where(label < 0, self._codes[case][np.maximum(-1 - label, 0)], label)
            centre = self._centre(label, focused)
            images.append(_window(torch.from_numpy(image), centre, self.size, None))
            labels.append(_window(torch.from_numpy(label)[None], centre, self.size, UNLABELLED)[0])
            planes.append(plane)
            positions.append((index + 1) / self.cases[case].image.shape[1 + axis])
            numbers.append(case)
        return Slices(
            torch.stack(images),
            torch.stack(labels).long(),
            torch.tensor(planes),
            torch.tensor(positions, dtype=torch.float32),
            torch.tensor(numbers),
        )

    def _centre(self, label: Array, focused: bool) -> tuple[int, int]:
        """Return where the window's centre goes: anywhere in the slice, or so that a painted pixel is well inside.

        The painted pixel is not in the middle, so that a structure is learned with all of its surroundings.
        """
        if focused:
            y, x = np.nonzero(label > 0)
            k = self._integer(len(y))
            reach = self.size // 3
            wanted = tuple(int(v[k]) + self._integer(2 * reach + 1) - reach for v in (y, x))
        else:
            wanted = (self._integer(label.shape[0]), self._integer(label.shape[1]))
        centre = []
        for place, side in zip(wanted, label.shape, strict=True):
            half = self.size // 2
            centre.append(side // 2 if side <= self.size else min(max(place, half), side - self.size + half))
        return centre[0], centre[1]

    def _uniform(self) -> float:
        return float(torch.rand((), generator=self.generator))

    def _integer(self, below: int) -> int:
        return int(torch.randint(below, (), generator=self.generator))

    def _pick(self, choices: Sequence[int]) -> int:
        return choices[self._integer(len(choices))]


def _rows(cases: Sequence[PreparedCase], axis: int) -> Array:
    """Return (case, slice) of every slice across ``axis``."""
    rows = [(c, k) for c, case in enumerate(cases) for k in range(case.image.shape[1 + axis])]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _labelled_rows(cases: Sequence[PreparedCase], axis: int) -> tuple[Array, Array]:
    """Return (case, slice) of slices with a painted structure, and of all slices of labelled cases."""
    painted: list[tuple[int, int]] = []
    labelled: list[tuple[int, int]] = []
    for c, case in enumerate(cases):
        if case.labelmap is None:
            continue
        others = tuple(a for a in range(3) if a != axis)
        painted += [(c, int(k)) for k in np.flatnonzero((case.labelmap > 0).any(axis=others))]
        labelled += [(c, int(k)) for k in np.flatnonzero((case.labelmap != UNLABELLED).any(axis=others))]
    return np.array(painted, np.int64).reshape(-1, 2), np.array(labelled, np.int64).reshape(-1, 2)


def _unlabelled_rows(cases: Sequence[PreparedCase], axis: int) -> Array:
    """Return (case, slice) of the slices on which something is not labelled."""
    rows: list[tuple[int, int]] = []
    for c, case in enumerate(cases):
        count = case.image.shape[1 + axis]
        if case.labelmap is not None:
            found = (case.labelmap < 0).any(axis=tuple(a for a in range(3) if a != axis))
            rows += [(c, int(k)) for k in np.flatnonzero(found)]
        else:
            rows += [(c, k) for k in range(count)]
    return np.array(rows, np.int64).reshape(-1, 2)


def _codes(own: Sets, common: Sets) -> Array:
    """Return what the negative values -1, -2, ... of a case become, so that codes mean the same in all cases."""
    return np.array([UNLABELLED, *(-2 - common.index(values) for values in own)], dtype=np.int16)


def _cut(case: PreparedCase, axis: int, index: int) -> tuple[Array, Array]:
    """Return one slice: image (channels, h, w) float32 and label (h, w) int16."""
    image = np.take(case.image, index, axis=1 + axis).astype(np.float32)
    if case.labelmap is None:
        return image, np.full(image.shape[1:], UNLABELLED, np.int16)
    return image, np.ascontiguousarray(np.take(case.labelmap, index, axis=axis))


def _window(array: Tensor, centre: tuple[int, int], size: int, outside: int | None) -> Tensor:
    """Return the square window (channels, size, size) around ``centre``; beyond the slice the edge, or ``outside``."""
    pads: list[int] = []
    for dimension, middle in ((2, centre[1]), (1, centre[0])):
        side = array.shape[dimension]
        start = middle - size // 2
        low, high = max(0, start), min(side, start + size)
        array = array.narrow(dimension, low, high - low)
        pads += [low - start, start + size - high]
    if not any(pads):
        return array
    if outside is not None:
        return F.pad(array, pads, value=outside)
    return F.pad(array[None], pads, mode="replicate")[0]
