"""Checking the network on the check cases while it trains, to choose the best one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.segmentation_files import write_picture
from mmgl.inference.planes import fused_probabilities
from mmgl.networks.unet import UNet
from mmgl.ranks import added, rank, world
from mmgl.structures import UNLABELLED, Structure
from mmgl.training.preview import preview, shown_slice
from mmgl.training.run import Run

Rows = list[list[float]]
"""Dice of each case and structure; NaN where there is nothing to compare."""


class Checker:
    """Checks the network on the check cases, keeps the best one, and leaves a picture each time.

    Args:
        cases: the check cases; may be empty, then there are only pictures.
        others: training cases, one of which is shown where there are no check cases: an unlabelled one if possible.
        structures: of the study.
        run: gets the best checkpoint, the pictures and the events.
        stop: asked between two check cases; whoever says yes does not wait for the others.

    Attributes:
        rows: Dice of the best network on each case, empty before the first check.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        others: Sequence[PreparedCase],
        plan: Plan,
        structures: Sequence[Structure],
        run: Run,
        device: torch.device,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self._cases, self._plan, self._structures, self._stop = cases, plan, structures, stop
        self._run, self._device = run, device
        unlabelled = [case for case in others if case.labelmap_file is None]
        self._shown = next(iter([*cases, *unlabelled, *others]))
        self.best = -1.0
        self.rows: Rows = []

    def resume(self) -> None:
        """Go on from the best checkpoint of the run, where there is one: it may be newer than the last."""
        if self._run.has("best"):
            kept = self._run.load("best")[1]
            self.best, self.rows = kept["mean"], kept["rows"]

    def seconds(self, network: UNet) -> float:
        """Return how long a check takes, from one case and the sizes of all."""
        begun = time.monotonic()
        if not self._cases:
            find_shown(network, self._shown, self._plan, self._device)
            return time.monotonic() - begun
        find(network, self._shown, self._plan, self._device)
        voxels = sum(case.image.size for case in self._cases) / min(world(), len(self._cases))
        return (time.monotonic() - begun) * voxels / self._shown.image.size

    @property
    def after(self) -> float:
        """As many checks as what follows the last step takes time for.

        That is the doubt of the check cases, the check of the model before, and that of a training case in one plane;
        without check cases only the last, slice by slice.
        """
        if not self._cases:
            return float(self._shown.image.shape[1 + PLANES.index(self._plan.planes[0])])
        others = any(file.stem != self._run.folder.name for file in self._run.folder.parents[1].glob("models/*.mmgl"))
        return 1 + others + 1 / (len(self._cases) * len(self._plan.planes))

    def check(self, network: UNet, stage: str, step: int, steps: int) -> list[float] | None:
        """Check the network after a step, keep it if it is the best so far, and make the preview.

        Returns:
            The mean Dice of each structure, NaN for one that is in no case; empty where there are no check cases; None
            where it was stopped, and nothing is known.
        """
        if not self._cases:
            self._show(find_shown(network, self._shown, self._plan, self._device), stage, step)
            return []
        rows: Rows = []
        for number, case in enumerate(self._cases):
            if number and world() == 1 and self._stop():  # several would have to wait for one another
                return None
            if number % world() != rank():
                rows.append([0.0] * len(self._structures))
                continue
            found = find(network, case, self._plan, self._device)
            self._run.beat()
            rows.append(dice(found, case, len(self._structures)))
            if case is self._shown:
                axis, index = shown_slice(case, self._plan)
                self._show(found.select(axis, index), stage, step)
        rows = added(rows)
        scores = means(rows)
        if mean(scores) > self.best:
            self.best, self.rows = mean(scores), rows
            state = {"stage": stage, "step": step, "dice": scores, "mean": self.best, "rows": rows}
            self._run.save("best", network.state_dict(), state)
        self._run.tell("check", stage=stage, step=step, steps=steps, dice=[finite(d) for d in scores])
        return scores

    def show(self, network: UNet, stage: str, step: int) -> None:
        """Leave a picture of what the network finds now, without a check."""
        if not rank():
            self._show(find_shown(network, self._shown, self._plan, self._device), stage, step)

    def _show(self, found: Tensor, stage: str, step: int) -> None:
        """Write the preview of what was found (y, x) in the shown slice."""
        if rank():
            return
        picture = self._run.preview_file(stage, step)
        write_picture(picture, preview(self._shown, found.numpy(), self._plan, self._structures), overwrite=True)
        self._run.tell("preview", file=picture.relative_to(self._run.folder).as_posix(), case=self._shown.name)


def find(network: UNet, case: PreparedCase, plan: Plan, device: torch.device) -> Tensor:
    """Return what the network finds in a case: (z, y, x) int64 on the plan's grid."""
    return _find(network, torch.from_numpy(case.image.astype("float32")), plan, device)


def find_shown(network: UNet, case: PreparedCase, plan: Plan, device: torch.device) -> Tensor:
    """Return what the network finds in the slice of a case that is shown, (y, x) int64, by that slice alone."""
    axis, index = shown_slice(case, plan)
    image = np.take(case.image, [index], axis=1 + axis).astype("float32")
    found = _find(network, torch.from_numpy(image), replace(plan, planes=plan.planes[:1]), device)
    return found.select(axis, 0)


def _find(network: UNet, image: Tensor, plan: Plan, device: torch.device) -> Tensor:
    """Return the most probable structure of every voxel (z, y, x); the network's mode is as it was before."""
    was_training = network.training
    network.eval()
    probabilities = fused_probabilities(network, image, plan, stride=network.stride, device=device)
    network.train(was_training)
    return probabilities.argmax(0).cpu()


def dice(found: Tensor, case: PreparedCase, structures: int) -> list[float]:
    """Return the Dice of each structure in one case.

    Unlabelled voxels do not count. A structure that is absent and was not found gives NaN, as does one that nobody
    labelled in this case, and an unlabelled case.
    """
    if case.labelmap is None:
        return [float("nan")] * structures
    label = torch.from_numpy(case.labelmap.astype("int64"))
    scores = []
    for number in range(1, structures + 1):
        hidden = [-2 - i for i, values in enumerate(case.sets) if number in values]
        known = ~torch.isin(label, torch.tensor([UNLABELLED, *hidden]))
        if not known.all() and not (known & ((label <= 0) | (label == number))).any():
            known[:] = False  # voxels of other structures alone tell nothing of this one
        a, b = (found == number) & known, label == number
        total = int(a.sum()) + int(b.sum())
        scores.append(2 * int((a & b).sum()) / total if total else float("nan"))
    return scores


def means(rows: Rows) -> list[float]:
    """Return the mean Dice of each structure over the cases; NaN for one that is in none of them."""
    return [float(v) for v in torch.tensor(rows).nanmean(0)]


def mean(scores: Sequence[float]) -> float:
    """Return the mean of those scores that are numbers; NaN where none is."""
    return float(torch.tensor(scores).nanmean())


def finite(value: float) -> float | None:
    """Return the value, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else round(value, 5)
