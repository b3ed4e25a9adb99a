"""The working half of a worker: a model that stays loaded, and orders that are scans."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmgl.device import card_unusable, is_out_of_memory, keep_memory, release_memory
from mmgl.files import stamp
from mmgl.finding import Finding
from mmgl.imaging.grid import Grid
from mmgl.imaging.reading import check_numbers
from mmgl.imaging.scan import Scan
from mmgl.inference.predictor import Predictor
from mmgl.inference.settings import Result, Settings
from mmgl.jobs.exchange import DOUBT, LABELMAP, MOST_PIECES, Wish, tell, voxels_of, write_array
from mmgl.messages import MMGLError

NETWORK = 0.9
"""Share of the work after which the network is done."""


class Serving:
    """Does orders with a model that it keeps."""

    def __init__(self) -> None:
        keep_memory()
        self._predictor: Predictor | None = None
        self._loaded: list[Any] = []

    def serve(self, wish: Wish, folder: Path) -> None:
        """Do an order, and tell of it in its folder.

        Raises:
            MMGLError: it cannot be done, and why.
        """
        try:
            predictor = self._with(wish, folder)
            if wish.scan is None:
                tell(folder, "ready")
            else:
                _segment(predictor, wish, folder)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            pieces = max(4, 2 * wish.settings.get("pieces", 1))
            key = "memory.segment" if pieces <= MOST_PIECES else "memory.scan"
            raise MMGLError(key, case=wish.name, pieces=pieces) from error
        finally:
            release_memory()

    def _with(self, wish: Wish, folder: Path) -> Predictor:
        """Return the model of an order, loaded anew where its file is another than last time."""
        now = [stamp(Path(wish.model)), wish.device]
        if self._predictor is None or self._loaded != now:
            tell(folder, "progress", stage="progress.loading", share=0.0, seconds_left=None)
            self._predictor = None
            self._predictor, self._loaded = Predictor(Path(wish.model), wish.device), now
        return self._predictor


def _segment(predictor: Predictor, wish: Wish, folder: Path) -> None:
    """Segment the scan of an order, and write what comes of it."""
    begun = time.monotonic()
    scan, settings = _scan_of(wish, folder), _settings_of(wish)
    fit = predictor.fit(scan)
    if wish.device == "auto" and predictor.device.type == "cpu" and card_unusable():
        fit.append(Finding("device.unusable"))
    _tell_share(folder, "progress.segmenting", 0.0, begun)
    tell(folder, "fit", findings=[finding.to_json() for finding in fit])

    def progress(share: float) -> None:
        stage = "progress.segmenting" if share < 1 else "progress.finishing"
        _tell_share(folder, stage, NETWORK * share, begun)

    result = predictor.result(scan, settings, progress)
    del scan
    write_array(folder / LABELMAP, result.labelmap)
    if result.doubt_map is not None:
        write_array(folder / DOUBT, result.doubt_map)
    findings = [finding.to_json() for finding in result.findings]
    tell(folder, "done", **_facts(result), findings=findings, seconds=round(time.monotonic() - begun, 3))


def _scan_of(wish: Wish, folder: Path) -> Scan:
    """Return the scan of an order, checked as one from a file is."""
    header, voxels = wish.scan or {}, voxels_of(wish, folder)
    z, y, x = voxels.shape[1:]
    rows = tuple(tuple(float(v) for v in row) for row in header["directions"])
    grid = Grid((z, y, x), tuple(header["spacing"]), tuple(header["origin"]), rows)  # type: ignore[arg-type]
    if not grid.is_orthogonal():
        raise MMGLError("scan.sheared", path=wish.name)
    check_numbers(wish.name, voxels)
    return Scan(voxels, grid, header["modality"])


def _settings_of(wish: Wish) -> Settings:
    """Return the settings of an order."""
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in wish.settings.items()
    }
    if given.get("region"):
        given["region"] = tuple((low, high) for low, high in given["region"])
    return Settings(**given)


def _facts(result: Result) -> dict[str, Any]:
    """Return what is known of a result, as JSON has it."""
    grid = asdict(result.grid)
    return {
        "shape": list(result.labelmap.shape),
        "kind": result.labelmap.dtype.name,
        "grid": {name: grid[name] for name in ("spacing", "origin", "directions")},
        "doubt_map": result.doubt_map is not None,
        "structures": [asdict(s) for s in result.doubt.structures],
        "slices": [asdict(s) for s in result.doubt.slices],
    }


def _tell_share(folder: Path, stage: str, share: float, begun: float) -> None:
    """Tell how far an order is, and how long the rest takes if all goes on as so far."""
    passed = time.monotonic() - begun
    left = round(passed / share * (1 - share), 1) if share > 0 else None
    tell(folder, "progress", stage=stage, share=round(share, 4), seconds_left=left)
