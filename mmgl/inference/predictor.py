"""A model ready to segment one scan after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmgl.data.prepare import Box, plan_size, prepare_scan
from mmgl.device import bfloat16_pays, choose_device
from mmgl.finding import Finding
from mmgl.imaging.grid import Array, Size
from mmgl.imaging.scan import Scan
from mmgl.inference.crf import Crf
from mmgl.inference.doubt import doubt_of, entropy
from mmgl.inference.eight_bits import EightBits, eight_bits_pay, examples
from mmgl.inference.finer import finer
from mmgl.inference.fit import fit
from mmgl.inference.fused import Fused
from mmgl.inference.own_grid import labelmap_on_own_grid, map_on_own_grid
from mmgl.inference.pieces import cut, joined
from mmgl.inference.planes import Network, fuse
from mmgl.inference.refining import refine_fused
from mmgl.inference.region import checked, on_plan
from mmgl.inference.settings import LOWER, Result, Settings
from mmgl.inference.tidy import thick_axis, tidy
from mmgl.messages import MMGLError
from mmgl.model import Card, read_model
from mmgl.networks.folding import fold_norms
from mmgl.networks.unet import UNet
from mmgl.structures import Structure

Progress = Callable[[float], None]


class Predictor:
    """Loads a model once and segments scans with it.

    Args:
        path: of the ``.mmgl`` file.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MMGLError: the model cannot be read or is damaged (``model.invalid``), or the device is not there.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.card, weights = read_model(path)
        self.network = network_of(self.card)
        try:
            self.network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        except RuntimeError as error:
            raise MMGLError("model.invalid", path=path, problem="its weights do not fit its plan") from error
        fold_norms(self.network.eval())
        self.network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The structures it segments: value i + 1 of a labelmap is ``structures[i]``."""
        return self.card.structures

    @property
    def suggested(self) -> Settings:
        """The settings that did best on the model's check cases, for ``result``: only the largest piece of some."""
        return Settings(largest=tuple(self.card.one_piece))

    def fit(self, scan: Scan) -> list[Finding]:
        """Return what may spoil the result because the scan is not of the kind that the model learned from.

        Raises:
            MMGLError: ``model.channels`` or ``model.pictures`` when it cannot be segmented at all.
        """
        self._check(scan)
        return fit(scan, self.card.plan)

    def check(self, settings: Settings) -> None:
        """Refuse settings that do not fit the model.

        Raises:
            MMGLError: ``segment.unknown_structure``, or ``segment.mirror`` where it never saw a mirrored slice.
        """
        settings.check(self.structures)
        if settings.mirror and not self.card.plan.pictures:
            raise MMGLError("segment.mirror")

    def segment(self, scan: Scan, progress: Progress | None = None) -> Array:
        """Return the labelmap (z, y, x) of a scan on its own grid: ``result`` with the usual settings.

        Args:
            scan: of the kind the model was made for.
            progress: told the share that is done.

        Raises:
            MMGLError: as ``result``.
        """
        return self.result(scan, progress=progress).labelmap

    def result(self, scan: Scan, settings: Settings | None = None, progress: Progress | None = None) -> Result:
        """Return the labelmap of a scan, how doubtful it is, and what was changed in it.

        Args:
            scan: of the kind the model was made for.
            settings: the usual ones unless given.
            progress: told the share that is done.

        Raises:
            MMGLError: ``model.channels`` or ``model.pictures`` when the model was made for other scans,
                ``scan.too_large``, ``segment.region``, or as ``check``.
        """
        settings = settings or Settings()
        self.check(settings)
        if settings.pieces > 1:
            names = [structure.name for structure in self.structures]
            found = joined(self._parts(scan, settings, progress), names, self.card.doubts)
        else:
            found = self._found(*self.fused(scan, settings, progress), scan, settings)
        return self._tidied(found, settings)

    def _parts(self, scan: Scan, settings: Settings, progress: Progress | None) -> Iterator[tuple[Box, Result]]:
        """Yield the parts of a scan, one after the other, each with its result."""
        region = checked(settings.region, scan.grid) if settings.region else None
        parts = cut(region, scan.grid, self.card.plan, settings.pieces)
        for number, box in enumerate(parts):

            def tell(share: float, number: int = number) -> None:
                if progress is not None:
                    progress((number + share) / len(parts))

            part = replace(settings, region=box)
            yield box, self._found(*self.fused(scan, part, tell), scan, part)

    def fused(self, scan: Scan, settings: Settings, progress: Progress | None = None) -> tuple[Fused, list[Finding]]:
        """Return the probabilities of a scan on the plan's grid, and what happened on the way.

        Args:
            scan, settings, progress: as in ``result``, which asks this first and ``finish`` then.
        """
        self._check(scan)
        plan, whole = self.card.plan, plan_size(scan, self.card.plan)
        box: Box | None = None
        if settings.region:
            box = on_plan(checked(settings.region, scan.grid), scan.grid, whole, plan, self.network.stride)
        image = torch.from_numpy(prepare_scan(scan, plan, box, np.float16))
        start: Size = (box[0][0], box[1][0], box[2][0]) if box else (0, 0, 0)
        findings = []
        network: Network = self.network
        if settings.fast and eight_bits_pay(self.network, image, plan, self.device):
            network = EightBits(self.network, examples(image, plan, self.network.stride))
        elif settings.fast:
            findings.append(Finding("segment.not_faster"))
        try:
            return self._fuse(network, self.device, image, start, whole, settings.mirror, progress), findings
        except torch.cuda.OutOfMemoryError:
            findings.append(Finding("segment.on_processor"))
        torch.cuda.empty_cache()  # here, as the exception holds what was on the card
        processor = torch.device("cpu")
        self.network.to(processor)
        try:
            return self._fuse(self.network, processor, image, start, whole, settings.mirror, progress), findings
        finally:
            self.network.to(self.device)  # the next scan may fit again

    def finish(self, fused: Fused, scan: Scan, settings: Settings, findings: list[Finding]) -> Result:
        """Return the result that probabilities on the plan's grid give.

        Args:
            fused, findings: what ``fused`` returned; the probabilities may be changed.
            scan, settings: as there.
        """
        return self._tidied(self._found(fused, findings, scan, settings), settings)

    def _found(self, fused: Fused, findings: list[Finding], scan: Scan, settings: Settings) -> Result:
        """Return what was found, before it is tidied up. Doubt is that of the network: refining would only hide it."""
        doubt = doubt_of(fused, scan.grid, self.card.plan, self.structures, self.card.doubts)
        doubt, doubt_map = doubt.of(settings.structures), None
        if settings.doubt_map:
            doubt_map = map_on_own_grid(entropy(fused), scan.grid, fused.whole, fused.start)
        if self.card.crf:
            findings = [*findings, *self._refine(fused, scan)]
        labelmap = self.labelmap(fused, scan, settings)
        return Result(labelmap, scan.grid, scan.grid, doubt, doubt_map, tuple(findings))

    def _tidied(self, result: Result, settings: Settings) -> Result:
        """Return a result tidied up and on a finer grid, where that was asked for."""
        labelmap, grid = result.labelmap, result.grid
        thick = thick_axis(grid, self.card.plan)
        changed = tidy(labelmap, self.structures, settings.largest, settings.filled, thick)
        if settings.finer:
            labelmap, grid = finer(labelmap, grid)
        findings = (*result.findings, *changed)
        return replace(result, labelmap=labelmap, grid=grid, findings=findings)

    def labelmap(self, fused: Fused, scan: Scan, settings: Settings) -> Array:
        """Return the labelmap (z, y, x) of ``fused`` on the scan's own grid, with the structures the settings want."""
        region = checked(settings.region, scan.grid) if settings.region else None
        weights = [1.0] + [1 / LOWER if s.name in settings.lower else 1.0 for s in self.structures]
        labelmap = labelmap_on_own_grid(fused, scan.grid, region, weights if settings.lower else None)
        if settings.structures:
            kept = [0] + [i * (s.name in settings.structures) for i, s in enumerate(self.structures, start=1)]
            labelmap = np.array(kept, dtype=labelmap.dtype)[labelmap]
        return labelmap

    def _refine(self, fused: Fused, scan: Scan) -> list[Finding]:
        """Sharpen borders in place, and return what to check."""
        z, y, x = ((start, start + n) for start, n in zip(fused.start, fused.size, strict=True))
        image = torch.from_numpy(prepare_scan(scan, self.card.plan, (z, y, x), np.float16))
        return refine_fused(fused, image, scan.grid, self.card.plan, self.structures, Crf.from_json(self.card.crf))

    def _fuse(
        self,
        network: Network,
        device: torch.device,
        image: Tensor,
        start: Size,
        whole: Size,
        mirror: bool,
        progress: Progress | None,
    ) -> Fused:
        return fuse(
            network,
            image,
            self.card.plan,
            stride=self.network.stride,
            device=device,
            mirror=mirror,
            bfloat16=network is self.network and bfloat16_pays(device),
            start=start,
            whole=whole,
            progress=progress,
        )

    def _check(self, scan: Scan) -> None:
        """Refuse a scan that the model cannot read."""
        plan = self.card.plan
        if len(scan.array) != plan.channels:
            raise MMGLError("model.channels", expected=plan.channels, scan="this scan", found=len(scan.array))
        slices = scan.grid.reorientation().apply_to_grid(scan.grid).size[0]
        if plan.pictures and slices > 1:
            raise MMGLError("model.pictures", count=slices)


def network_of(card: Card) -> UNet:
    """Return the network that a model's card describes, with random weights."""
    plan = card.plan
    return UNet(plan.channels, len(card.structures) + 1, plan.width, plan.levels, published=plan.published)
