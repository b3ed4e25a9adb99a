"""What goes between a worker and who asks it: a scan and wishes in, a labelmap and words out; checked on both sides.

An order is a folder. ``order.json`` says what is wanted, ``scan.raw`` holds the voxels and nothing else, and the worker
adds ``events.jsonl``, ``labelmap.raw`` and ``doubt.raw``. Nothing in it can be executed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmgl.messages import MMGLError

ORDER, SCAN, EVENTS, LABELMAP, DOUBT = "order.json", "scan.raw", "events.jsonl", "labelmap.raw", "doubt.raw"

KINDS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
"""Kinds of voxels, as numpy names them."""

SWITCHES, NAMES = ("finer", "mirror", "doubt_map", "fast"), ("structures", "largest", "filled", "lower")
"""Settings that are yes or no, and settings that are lists of structures; besides: ``region`` and ``pieces``."""

MOST_PIECES = 64
"""In which a scan can be segmented."""

PIECE = 64 * 1024 * 1024
"""Bytes that are turned round at once where voxels do not lie in order."""

LONGEST = 4096
"""Characters of a name, at most."""


@dataclass(frozen=True)
class Wish:
    """What an order asks for.

    Attributes:
        model: the ``.mmgl`` file.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: of the scan, for messages.
        scan: ``shape`` (channels, z, y, x), ``kind``, ``spacing``, ``origin``, ``directions`` and ``modality``; None
            where only the model is to be made ready.
        settings: as ``mmgl.inference.settings.Settings`` has them, those that are not the usual ones.
    """

    model: str
    device: str
    name: str = ""
    scan: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return it as a dictionary that JSON can hold."""
        scan = None if self.scan is None else dict(self.scan)
        parts = {"model": self.model, "device": self.device, "name": self.name}
        return {**parts, "scan": scan, "settings": dict(self.settings)}

    @staticmethod
    def from_json(value: Any) -> Wish:
        """Return the wish in a dictionary.

        Raises:
            MMGLError: ``worker.refused``.
        """
        _require(isinstance(value, dict) and set(value) == set(Wish.__dataclass_fields__), "its parts")
        for name in ("model", "device", "name"):
            _require(_is_text(value[name]), f"its {name}")
        if value["scan"] is not None:
            _check_scan(value["scan"])
        _check_settings(value["settings"])
        return Wish(**value)


def voxels_of(wish: Wish, folder: Path) -> np.ndarray[Any, Any]:
    """Return the voxels (channels, z, y, x) of an order; they stay in the file and are read where they are looked at.

    Raises:
        MMGLError: ``worker.refused`` where the file is not as large as they are.
    """
    scan = wish.scan or {}
    kind, shape = np.dtype(scan["kind"]), tuple(scan["shape"])
    _require((folder / SCAN).stat().st_size == math.prod(shape) * kind.itemsize, "the number of its voxels")
    return np.asarray(np.memmap(folder / SCAN, kind, "r", shape=shape))


def write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write the numbers of an array, last axis fastest, in one go where they lie so.

    A mapped file would crash this process where the disk is full; this raises ``OSError``.
    """
    with path.open("wb", buffering=0) as file:
        for part in array if array.ndim > 3 else [array]:
            if part.flags.c_contiguous:
                _write(file, part)
                continue
            step = max(1, PIECE // max(1, part[:1].nbytes))
            for start in range(0, len(part), step):
                _write(file, np.ascontiguousarray(part[start : start + step]))


def _write(file: Any, part: np.ndarray[Any, Any]) -> None:
    left = part.reshape(-1).view(np.uint8).data
    while left:  # a system writes 2 GB at once, at most
        left = left[file.write(left) :]


def read_array(path: Path, kind: str, shape: Sequence[int]) -> np.ndarray[Any, Any]:
    """Return the numbers of a file as an array of their own.

    Raises:
        ValueError: there are more or fewer of them.
    """
    if path.stat().st_size != math.prod(shape) * np.dtype(kind).itemsize:
        raise ValueError(f"{path.name} is not as large as it says")
    return np.fromfile(path, kind).reshape(shape)


def plain(value: Any) -> Any:
    """Return a setting as JSON has it: tuples as lists, numbers of numpy as numbers."""
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def tell(folder: Path, event: str, **facts: Any) -> None:
    """Append an event to those of an order, in one piece."""
    line = json.dumps({"event": event, **facts}, allow_nan=False) + "\n"
    with (folder / EVENTS).open("ab", buffering=0) as file:
        file.write(line.encode())


def check_answer(answer: Mapping[str, Any], wish: Wish) -> None:
    """Check that what a worker says of its result can be true.

    Raises:
        ValueError: it cannot.
    """
    shape, scan = answer.get("shape"), wish.scan or {}
    own = list(scan.get("shape", [])[1:])
    if not _is_size(shape, 3) or (shape != own and not wish.settings.get("finer")):
        raise ValueError("the labelmap has another shape than the scan")
    if answer.get("kind") not in ("uint8", "uint16"):
        raise ValueError("the labelmap holds no labels")
    if answer.get("doubt_map") is not bool(wish.settings.get("doubt_map")):
        raise ValueError("the map of doubt is missing, or was not asked for")
    lists = [answer.get(name) for name in ("structures", "slices", "fit", "findings")]
    if not all(isinstance(part, list) and all(isinstance(one, dict) for one in part) for part in lists):
        raise ValueError("what is said of the result is incomplete")
    grid = answer.get("grid")
    if not isinstance(grid, dict) or not _is_grid(grid):
        raise ValueError("the grid of the labelmap is none")


def _check_scan(scan: Any) -> None:
    """Refuse a header that is not one."""
    known = {"shape", "kind", "spacing", "origin", "directions", "modality"}
    _require(isinstance(scan, dict) and set(scan) == known, "the header of the scan")
    _require(_is_size(scan["shape"], 4), "the shape of the scan")
    _require(isinstance(scan["kind"], str) and scan["kind"] in KINDS, "the kind of its voxels")
    _require(_is_grid(scan), "the grid of the scan")
    _require(_is_text(scan["modality"]), "the modality of the scan")


def _check_settings(settings: Any) -> None:
    """Refuse settings that are none."""
    _require(isinstance(settings, dict), "its settings")
    for name, value in settings.items():
        if name in SWITCHES:
            right = isinstance(value, bool)
        elif name in NAMES:
            right = isinstance(value, list) and all(_is_text(one) for one in value)
        elif name == "pieces":
            right = _is_whole(value) and 0 < value <= MOST_PIECES
        else:
            right = name == "region" and (value is None or _is_region(value))
        _require(right, f"the setting {name}")


def _is_region(value: Any) -> bool:
    sides = isinstance(value, list) and len(value) == 3
    return sides and all(isinstance(s, list) and len(s) == 2 and all(_is_whole(n) for n in s) for s in value)


def _is_grid(value: Mapping[str, Any]) -> bool:
    spacing, origin, rows = (value.get(name) for name in ("spacing", "origin", "directions"))
    if not (_is_numbers(spacing) and _is_numbers(origin) and isinstance(rows, list) and len(rows) == 3):
        return False
    return all(_is_numbers(row) for row in rows) and all(mm > 0 for mm in spacing or ())


def _is_numbers(value: Any) -> bool:
    triple = isinstance(value, list) and len(value) == 3
    return triple and all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in value)


def _is_size(value: Any, axes: int) -> bool:
    return isinstance(value, list) and len(value) == axes and all(_is_whole(n) and n > 0 for n in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST


def _require(right: bool, problem: str) -> None:
    if not right:
        raise MMGLError("worker.refused", problem=problem)
