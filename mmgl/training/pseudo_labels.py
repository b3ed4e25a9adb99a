"""Pseudo-labels: what a network calls unlabelled scans (Lee 2013), whole ones, because only a whole scan shows what is
an island: a structure of one piece is where its largest piece is."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from mmgl.data.cache import PreparedCase, forget
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.files import replacing
from mmgl.imaging.grid import Array
from mmgl.inference.planes import fuse
from mmgl.inference.tidy import tidy
from mmgl.messages import unwritable
from mmgl.networks.unet import UNet
from mmgl.ranks import rank, world
from mmgl.structures import UNLABELLED, Structure
from mmgl.training.one_piece import is_one_piece
from mmgl.training.run import Run

FOLDER = "pseudo-labels"

AHEAD = 20
"""A stage begins with as many pixels as are labelled in this many steps."""

PER_STEP = 2
"""Pixels that are labelled in a step, for each that it learns from, until all scans are: a third of a step's time."""

SMALL = 128**3
"""Voxels of a scan that is labelled in all planes; a larger one in one of them, in turns."""

CLEAR = 2 / 3
"""Share of what is found of a structure that the largest piece must hold to be believed. A network that has learned
little may find most of a structure in a corner of the scan, and would be taught to."""


class PseudoLabels:
    """Labels more and more scans while a stage runs, so that a study of thousands does not wait for all of them.

    Args:
        slices: whose ``pseudo`` is filled, in an order that is always the same.
        structures: of the study.
        run: in whose folder the labels are until ``clear``; those that are there when a stage goes on are used again.
        stop: asked between two scans.
    """

    def __init__(
        self,
        slices: SliceSampler,
        plan: Plan,
        structures: Sequence[Structure],
        run: Run,
        device: torch.device,
        stop: Callable[[], bool],
    ) -> None:
        self._slices, self._plan, self._structures = slices, plan, tuple(structures)
        self._run, self._device, self._stop = run, device, stop
        # several processes find the same, each for itself
        self._folder = run.folder / (f"{FOLDER}-{rank()}" if rank() else FOLDER)
        self._labelled = 0  # pixels, each as often as there are planes that it is seen in

    def clear(self) -> None:
        """Forget all labels: they are those of another stage.

        Raises:
            MMGLError: ``file.unwritable``.
        """
        self._slices.pseudo.clear()
        self._labelled = 0
        for file in self._folder.glob("*.npy"):
            forget(file)
        try:
            shutil.rmtree(self._folder)
        except FileNotFoundError:
            pass
        except OSError as error:  # those that are left would be taken for labels of the next stage
            raise unwritable(error, self._folder) from error

    def extend(self, network: UNet, step: int) -> bool:
        """Label as many scans as a stage needs at its ``step``, at least one; return False where it is to stop before.

        Raises:
            MMGLError: ``file.unwritable`` or ``job.away``.
        """
        learned = max(1, self._plan.batch // 2) * self._plan.slice_size**2
        pseudo, wanted = self._slices.pseudo, PER_STEP * learned * (AHEAD + step)
        for number in self._order[len(pseudo) :]:
            if pseudo and self._labelled >= wanted:
                break
            if world() == 1 and self._stop():  # several would have to wait for one another
                return False
            case = self._slices.cases[number]
            if case.labelmap is None or case.labelmap.min() < 0:
                planes = self._planes(case, len(pseudo))
                case = replace(case, labelmap_file=self._file(network, case, planes))
                self._labelled += len(planes) * case.image[0].size
            pseudo[number] = case
        return True

    def _planes(self, case: PreparedCase, turn: int) -> tuple[str, ...]:
        """Return the planes in which a scan is labelled."""
        planes = self._plan.planes
        return planes if case.image[0].size <= SMALL else (planes[turn % len(planes)],)

    def _file(self, network: UNet, case: PreparedCase, planes: tuple[str, ...]) -> Path:
        """Return the file of the labels of a scan, which is made where it is not there."""
        file = self._folder / case.image_file.with_suffix(".npy").name
        if file.is_file():
            return file
        self._run.require_folder()
        try:
            self._folder.mkdir(exist_ok=True)
            with replacing(file) as temporary, temporary.open("wb") as opened:
                np.save(opened, self._label(network, case, planes))
        except OSError as error:
            raise unwritable(error, file) from error
        self._run.beat()
        return file

    @cached_property
    def _order(self) -> list[int]:
        numbers = self._slices.unlabelled
        shuffled = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(0))
        return [numbers[i] for i in shuffled.tolist()]

    @cached_property
    def _pieces(self) -> tuple[list[str], list[str]]:
        """The names of the structures of one piece, and of those whose labels do not tell."""
        told = {}
        for number, structure in enumerate(self._structures, start=1):
            told[structure.name] = is_one_piece(self._slices.cases, number)
            self._run.beat()
        return [name for name, one in told.items() if one], [name for name, one in told.items() if one is None]

    def _label(self, network: UNet, case: PreparedCase, planes: tuple[str, ...]) -> Array:
        """Return the labelmap (z, y, x) of a scan, int16: what somebody said, and elsewhere what the network finds.

        Of a structure of one piece, other pieces become background; where nobody knows, nothing is said of them. Where
        no piece is clearly the largest, nothing is said of any.
        """
        image = torch.from_numpy(case.image.astype("float32"))
        fused = fuse(network, image, replace(self._plan, planes=planes), stride=network.stride, device=self._device)
        found: Array = fused.labelmap().astype(np.int16)
        one, unknown = self._pieces
        tidied = found.copy()
        tidy(tidied, self._structures, [*one, *unknown], ())
        for number, structure in enumerate(self._structures, start=1):
            pieces, largest = found == number, tidied == number
            if largest.sum() < CLEAR * pieces.sum():
                found[pieces] = UNLABELLED
            elif structure.name in (*one, *unknown):
                found[pieces & ~largest] = 0 if structure.name in one else UNLABELLED
        return found if case.labelmap is None else _merged(case.labelmap, found, case)


def _merged(label: Array, found: Array, case: PreparedCase) -> Array:
    """Return a label, with what was found in its unlabelled voxels where it does not contradict."""
    open_ = label == UNLABELLED
    for number, values in enumerate(case.sets):
        open_ |= (label == -2 - number) & np.isin(found, (0, *values))
    return np.where(open_, found, label)
