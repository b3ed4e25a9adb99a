"""The plan: what the data decides, computed once and readable as a small JSON file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mmgl.data.facts import Ranges, ScanFacts
from mmgl.data.normalisation import Normalisation, normalisations
from mmgl.messages import MMGLError

PLANES = ("axial", "coronal", "sagittal")
"""Plane i cuts across canonical axis i (z, y, x)."""

Spacing = tuple[float | None, float | None, float | None]

THICK = 2.0
"""Voxels longer than this many times their shortest side are thick: only the acquired plane is learned from."""

COVERED, COARSER = 2 / 3, 1.3
"""A slice that is trained on should cover this share of a scan's longer side, and the spacing may grow by this factor
for it: with few labels, what lies around a structure tells more than the finest detail."""

SLICE_ON_CPU, SLICE_ON_GPU = 128, 256
"""Longest side of the slices that are trained on, in pixels."""

BYTES_PER_PIXEL = 120
"""Memory of one training step per pixel and channel of the finest level, measured with bfloat16 and a margin."""


@dataclass(frozen=True)
class Plan:
    """Attributes:
    spacing: mm of the plan's grid along canonical z, y, x; None keeps each scan's own (thick slices).
    planes: the planes to learn from and to segment in.
    slice_size: height and width in pixels of the slices trained on, in every plane.
    normalisation: one for each channel.
    width, levels: of the network.
    batch: slices in a training step.
    pictures: 2-D pictures without millimetres: their longer side becomes ``slice_size`` pixels.
    published: the network layers and learning rates of the paper instead of ours.
    bfloat16: whether the network is trained in bfloat16, where the device that trains is faster with it.
    scans: what the scans have in common that it was made for; None in plans of earlier versions.
    """

    spacing: Spacing
    planes: tuple[str, ...]
    slice_size: int
    normalisation: tuple[Normalisation, ...]
    width: int = 16
    levels: int = 5
    batch: int = 16
    pictures: bool = False
    published: bool = False
    bfloat16: bool = False
    scans: Ranges | None = None

    @property
    def channels(self) -> int:
        """Channels of a scan."""
        return len(self.normalisation)

    def size_on_grid(self, size: Sequence[int], spacing: Sequence[float]) -> tuple[int, int, int]:
        """Return the size on the plan's grid of a canonical scan of ``size`` voxels of ``spacing`` mm (z, y, x)."""
        if self.pictures:
            ratio = self.slice_size / max(size)
            z, y, x = (max(1, round(n * ratio)) for n in size)
            return 1, y, x
        z, y, x = (
            n if target is None else max(1, round(n * s / target))
            for n, s, target in zip(size, spacing, self.spacing, strict=True)
        )
        return z, y, x

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a dictionary that JSON can hold."""
        return asdict(self)

    @staticmethod
    def from_json(value: Any) -> Plan:
        """Return the plan that ``to_json`` wrote.

        Raises:
            ValueError: the dictionary is not one that ``to_json`` writes.
        """
        try:
            plan = Plan(
                spacing=tuple(None if s is None else float(s) for s in value["spacing"]),  # type: ignore[arg-type]
                planes=tuple(str(p) for p in value["planes"]),
                slice_size=int(value["slice_size"]),
                normalisation=tuple(Normalisation.from_json(n) for n in value["normalisation"]),
                width=int(value["width"]),
                levels=int(value["levels"]),
                batch=int(value["batch"]),
                pictures=bool(value["pictures"]),
                published=bool(value["published"]),
                bfloat16=bool(value.get("bfloat16", False)),
                scans=Ranges.from_json(value["scans"]) if value.get("scans") else None,
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"its plan is incomplete ({error})") from error
        plan._check()
        return plan

    def _check(self) -> None:
        """Refuse a plan from outside that would ask for absurd memory or makes no sense."""
        numbers = [s for s in self.spacing if s is not None]
        sound = (
            len(self.spacing) == 3
            and all(0.001 <= s <= 1000 for s in numbers)
            and 0 < len(self.planes) <= 3
            and set(self.planes) <= set(PLANES)
            and 16 <= self.slice_size <= 4096
            and 1 <= len(self.normalisation) <= 64
            and all(n.kind in ("scan", "fixed") and n.deviation > 0 for n in self.normalisation)
            and 1 <= self.width <= 512
            and 2 <= self.levels <= 8
            and 1 <= self.batch <= 4096
        )
        if not sound:
            raise ValueError("its plan holds impossible numbers")


def make_plan(
    facts: Sequence[ScanFacts],
    *,
    free_memory: int,
    on_gpu: bool,
    published: bool = False,
    planes: Sequence[str] = (),
) -> Plan:
    """Return the plan for scans with these facts.

    Spacing: the median of the scans; the same along all axes when voxels are near isotropic, the scan's own across
    thick slices. It is made coarser by up to ``COARSER`` where a slice would cover little of a scan, and further where
    the painted structures would not fit in two thirds of a slice.

    Args:
        facts: of the training cases, labelled and unlabelled.
        free_memory: bytes that training may use on its device.
        on_gpu: whether that device is a graphics card.
        published: the network size and layers of the paper (width 64, slices of 160 pixels).
        planes: those to keep of the ones that fit the scans; all of them when empty.

    Raises:
        MMGLError: ``study.no_labels`` without scans, ``scan.other_channels`` when channel counts differ,
            ``plan.planes`` when none of the planes fits the scans.
    """
    if not facts:
        raise MMGLError("study.no_labels")
    for scan in facts:
        if len(scan.channels) != len(facts[0].channels):
            raise MMGLError(
                "scan.other_channels", case=scan.case, found=len(scan.channels), expected=len(facts[0].channels)
            )
    longest = 160 if published else SLICE_ON_GPU if on_gpu else SLICE_ON_CPU
    levels = 5
    multiple = 2 ** (levels - 1)
    pictures = all(scan.modality == "picture" for scan in facts)
    if pictures:
        fitting: tuple[str, ...] = PLANES[:1]
        spacing: Spacing = (None, None, None)
    else:
        fitting, spacing = _planes_and_spacing(facts, longest)
    kept = tuple(plane for plane in fitting if plane in planes) if planes else fitting
    if not kept:
        raise MMGLError("plan.planes", asked=", ".join(planes), planes=", ".join(fitting))
    slice_size = longest if pictures else _slice_size(facts, kept, spacing, longest, multiple)
    width = 64 if published else 32 if on_gpu else 16
    if on_gpu and not published and fitting_batch(free_memory, width, slice_size, on_gpu=True) < 8:
        width = 16  # on a small card: slices to learn from at once are worth more than width
    return Plan(
        spacing=spacing,
        planes=kept,
        slice_size=slice_size,
        normalisation=normalisations(facts),
        width=width,
        levels=levels,
        batch=fitting_batch(free_memory, width, slice_size, on_gpu=on_gpu),
        pictures=pictures,
        published=published,
        scans=Ranges.of(facts),
    )


def fitting_batch(free_memory: int, width: int, slice_size: int, *, on_gpu: bool) -> int:
    """Return the slices of a training step that fit into the free memory (bytes), within what is useful."""
    return max(2, min(int(0.6 * free_memory / (BYTES_PER_PIXEL * width * slice_size**2)), 32 if on_gpu else 16))


def _planes_and_spacing(facts: Sequence[ScanFacts], longest: int) -> tuple[tuple[str, ...], Spacing]:
    """Return the planes to learn from and the spacing of the grid, ``None`` across thick slices."""
    median = np.median([scan.spacing for scan in facts], axis=0)
    single = np.median([scan.size for scan in facts], axis=0) < 2
    thick = (median > THICK * median.min()) | single
    in_plane = float(np.exp(np.log(median[~thick]).mean())) if (~thick).any() else float(median.min())
    if (~thick).any():
        extent = float(np.median([np.multiply(f.size, f.spacing)[~thick].max() for f in facts]))
        in_plane = max(in_plane, min(COARSER * in_plane, COVERED * extent / longest))
    painted = [scan.painted for scan in facts if scan.painted is not None]
    if painted:
        largest = float(np.percentile(np.array(painted)[:, ~thick].max(1), 90)) if (~thick).any() else 0.0
        in_plane = max(in_plane, 1.5 * largest / longest)
    in_plane = round(in_plane, 3)
    planes = tuple(plane for plane, is_thick in zip(PLANES, thick, strict=True) if is_thick) or PLANES
    z, y, x = (None if is_thick else in_plane for is_thick in thick)
    return planes, (z, y, x)


def _slice_size(
    facts: Sequence[ScanFacts],
    planes: Sequence[str],
    spacing: Spacing,
    longest: int,
    multiple: int,
) -> int:
    """Return the side of the training slices: the median slice's longer side, at most ``longest``."""
    extents = np.median([[n * s for n, s in zip(f.size, f.spacing, strict=True)] for f in facts], axis=0)
    sides = []
    for plane in planes:
        axes = [axis for axis in range(3) if axis != PLANES.index(plane)]
        own = [spacing[a] or float(np.median([f.spacing[a] for f in facts])) for a in axes]
        sides.append(max(extents[a] / s for a, s in zip(axes, own, strict=True)))
    return int(min(longest, max(2 * multiple, math.ceil(max(sides) / multiple) * multiple)))
