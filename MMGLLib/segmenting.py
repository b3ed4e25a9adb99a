"""One scan of the scene being segmented, from click to new segmentation node. No Qt here: somebody calls ``poll``."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from mmgl.finding import Finding
from mmgl.imaging.grid import Array, Grid
from MMGLLib import doubt, models, nodes, regions, results
from MMGLLib.aside import RunWithAside
from MMGLLib.messages import MMGLError
from MMGLLib.runs import Event
from MMGLLib.worker import Request


class Segmenting(RunWithAside):
    """Segments a volume node with a model, without waiting.

    The event ``fit`` comes before the work, where there is something to tell: ``told`` (what may spoil the result, in
    words). ``done`` has ``node``, ``empty`` (names of structures that were not found), ``check`` (names of those to
    look at twice), ``told`` (what may spoil the result or was changed in it, in words) and ``lower`` (as given).

    Args:
        volume: the volume node; it is only read.
        model: the ``.mmgl`` file.
        device: ``auto``, ``cpu`` or ``cuda``.
        structures: names of those wanted; all when None.
        on_event: as for ``Run``.
        roi: a region of interest (``vtkMRMLMarkupsROINode``); the whole scan when None.
        surfaces: whether the result is shown in 3-D, where that does not take long.
        lower: names of structures that are found at a lower threshold, as they were not found otherwise.
        pieces: in how many parts a scan is segmented that is too large for the memory; there is no map of doubt then.
        as_stored: segment it where it was before it was bent by a transform; the result is bent with it.
        settings: ``doubt``, ``mirror``, ``finer``, ``largest`` (the largest piece of the structures for which the
            model suggests it) and ``tidy`` (the largest piece of each structure, its holes filled), true or false.

    Raises:
        MMGLError: the scan or the model cannot be used.
    """

    def __init__(
        self,
        volume: Any,
        model: str | Path,
        device: str = "auto",
        structures: Sequence[str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        roi: Any = None,
        surfaces: bool = False,
        lower: Sequence[str] = (),
        pieces: int = 1,
        as_stored: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(on_event)
        scan = _scan_of(volume, as_stored)
        self.card, self.model = checked_model(model, structures)
        self.node: Any = None
        self.scene = volume.GetScene()
        self.volume = volume
        self._wanted, self._grid, self._surfaces, self._lower = structures, scan.grid, surfaces, list(lower)
        asked = request_settings(self.card, structures, settings, regions.region_of(roi, volume))
        if lower:
            asked["lower"] = self._lower
        if pieces > 1:
            asked["pieces"] = pieces
            asked.pop("doubt_map", None)  # it takes as much memory as everything else together
        self._request = Request(scan, self.model, volume.GetName(), device, **asked)

    @property
    def idle(self) -> bool:
        """Whether it waits for the process that segments."""
        return super().idle or not self._request.ended

    def cancel(self) -> None:
        """Ask it to end; the next ``poll`` or the one after tells that it has."""
        self._request.cancel()

    def close(self) -> None:
        """Let go of the process and its files."""
        if not self.details:
            self.details = self._request.details()
        self._request.close()

    def work(self) -> Generator[None, None, Event]:
        """Wait for the result, and make the nodes that show it."""
        said = False
        for _ in followed(self._request, self.tell):
            if self._request.fit and not said:
                self.tell({"event": "fit", "told": [finding.words for finding in self._request.fit]})
                said = True
            yield
        self.details = self._request.details()
        request = self._request
        labelmap = yield from self.aside(request.result)  # it may be large, and is read from a file
        self._require_scan()
        self.tell({"event": "progress", "stage": "progress.finishing", "share": 1.0, "seconds_left": None})
        numbers, structures = numbering(self.card.structures, self._wanted)
        name = f"{self.volume.GetName()} – {self.model.stem}"
        finer = np.linalg.inv(affine(self._grid)) @ affine(request.grid) if request.grid != self._grid else None
        making = results.making_segmentation(self.volume, labelmap, structures, name, numbers, finer)
        self.node, empty = yield from making
        doubt.keep_slices(self.node, request.slices, self._grid.size)
        faces, findings = (yield from results.making_faces(self.node)), [*request.fit, *request.findings]
        uncertain = request.doubt()
        if uncertain is not None:
            share = np.prod(self._grid.size) / labelmap.size  # of its voxels there are more where it is finer
            yield from doubt.making_doubt(self.node, self.volume, uncertain, round(share * sum(faces)))
        if self._surfaces:
            seconds = yield from results.making_surfaces(self.node, faces)
            findings += [Finding("slicer.large_3d", {"seconds": math.ceil(seconds)})] if seconds else []
        told = [finding.words for finding in findings]
        facts = {"empty": empty, "check": request.flags, "told": told, "lower": self._lower}
        return {"event": "done", "node": self.node, **facts}

    def _require_scan(self) -> None:
        """Refuse to show a result on what is not the scan any more."""
        volume = self.volume
        if volume.GetScene() is not self.scene or self.scene is not slicer.mrmlScene:
            raise MMGLError("slicer.scan_gone")
        if volume.GetImageData() is None or volume.GetImageData().GetDimensions()[::-1] != self._grid.size:
            raise MMGLError("slicer.scan_changed", name=volume.GetName())


def _scan_of(volume: Any, as_stored: bool) -> Any:
    """Return the scan to segment; one that is bent asks whether it is to be taken as it was stored."""
    try:
        return nodes.scan_of(volume, as_stored=as_stored)
    except MMGLError as error:
        if error.key == "slicer.bent":
            raise MMGLError("slicer.bent_scan", **error.parameters) from error
        raise


def checked_model(model: str | Path, structures: Sequence[str] | None) -> tuple[Any, Path]:
    """Return the card and the absolute path of a model that has the structures wanted.

    Raises:
        MMGLError: ``slicer.no_model``, ``study.unknown_structure``, or the model cannot be read.
    """
    if not str(model):
        raise MMGLError("slicer.no_model")
    card = models.card_of(model)
    known = [structure.name for structure in card.structures]
    for name in structures or ():
        if name not in known:
            raise MMGLError("segment.unknown_structure", name=name, structures=", ".join(known))
    return card, Path(model).resolve()


def affine(grid: Grid) -> Array:
    """Return the 4 x 4 matrix from voxels (x, y, z) of a grid to LPS."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.array(grid.directions) * grid.spacing)[::-1, ::-1]
    matrix[:3, 3] = grid.origin[::-1]
    return matrix


def request_settings(
    card: Any, structures: Sequence[str] | None, settings: dict[str, Any], region: Any = None
) -> dict[str, Any]:
    """Return the settings of a request that are not as usual; ``tidy`` means all structures that are wanted."""
    check_settings(settings)
    names = {"doubt": "doubt_map", "mirror": "mirror", "finer": "finer"}
    asked: dict[str, Any] = {theirs: True for ours, theirs in names.items() if settings.get(ours)}
    wanted = list(structures) if structures is not None else [structure.name for structure in card.structures]
    if structures is not None:
        asked["structures"] = wanted
    suggested = [name for name in wanted if name in card.one_piece]
    if settings.get("largest") and suggested:
        asked["largest"] = suggested
    if settings.get("tidy"):
        asked["largest"] = asked["filled"] = wanted
    return asked if region is None else {**asked, "region": region}


def check_settings(settings: Mapping[str, Any]) -> None:
    """Refuse what is none of the settings that a user can make.

    Raises:
        TypeError: there is no such setting.
    """
    unknown = set(settings) - {"doubt", "mirror", "finer", "largest", "tidy"}
    if unknown:
        raise TypeError(f"there is no setting {', '.join(sorted(unknown))}")


def followed(request: Any, tell: Callable[[Event], None]) -> Generator[None, None, None]:
    """Pass on what a request tells until it has ended."""
    while True:
        ended = request.ended  # looked at first: what is told after that is not missed
        for event in request.events():
            tell({"event": "progress", **{k: v for k, v in event.items() if k != "event"}})
        if ended:
            return
        yield


def numbering(structures: Sequence[Any], wanted: Sequence[str] | None) -> tuple[np.ndarray, list[Any]]:
    """Return for each value of a labelmap its number among the structures wanted, 0 for none, and these structures."""
    kept = [i for i, structure in enumerate(structures, 1) if wanted is None or structure.name in wanted]
    numbers = np.zeros(len(structures) + 1, np.uint16)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers, [structures[i - 1] for i in kept]
