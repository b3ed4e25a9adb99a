"""One scan of the scene being segmented, from click to new segmentation node. No Qt here: somebody calls ``poll``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from MMGLLib import models, nodes
from MMGLLib.messages import MMGLError
from MMGLLib.worker import Request

Event = dict[str, Any]


class Segmenting:
    """Segments a volume node with a model, without waiting.

    Args:
        volume: the volume node; it is only read.
        model: the ``.mmgl`` file.
        device: ``auto``, ``cpu`` or ``cuda``.
        structures: names of those wanted; all when None.
        on_event: called with each event from within ``poll``: ``{"event": "done", "node": ...}``,
            ``{"event": "cancelled", "error": ...}`` or ``{"event": "failed", "error": ..., "details": ...}``.

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
    ) -> None:
        if not str(model):
            raise MMGLError("slicer.no_model")
        scan = nodes.scan_of(volume)
        self.card = models.card_of(model)
        for name in structures or ():
            if name not in [structure.name for structure in self.card.structures]:
                known = ", ".join(structure.name for structure in self.card.structures)
                raise MMGLError("study.unknown_structure", name=name, structures=known)
        self.node: Any = None
        self.error: MMGLError | None = None
        self.details, self.ended = "", False
        self.scene = volume.GetScene()
        self.volume, self._wanted, self._on_event = volume, structures, on_event
        self._model = Path(model)
        self._request = Request(scan, Path(model).resolve(), volume.GetName(), device)

    def poll(self) -> bool:
        """Look once, without waiting, and return whether it has ended."""
        if not self.ended and self._request.ended:
            try:
                self.node = self._show(self._request.result())
            except MMGLError as error:
                self._fail(error)
            else:
                self._end({"event": "done", "node": self.node})
        return self.ended

    def cancel(self) -> None:
        """Ask it to end; the next ``poll`` or the one after tells that it has."""
        self._request.cancel()

    def abandon(self) -> None:
        """End it now, without a word: the panel or the scene goes away."""
        self.ended = True
        self._request.close()

    def _show(self, labelmap: Any) -> Any:
        """Return the new segmentation node of a result."""
        volume = self.volume
        if volume.GetScene() is not self.scene or self.scene is not slicer.mrmlScene:
            raise MMGLError("slicer.scan_gone")
        if volume.GetImageData() is None or volume.GetImageData().GetDimensions()[::-1] != labelmap.shape:
            raise MMGLError("slicer.scan_changed", name=volume.GetName())
        kept = [i for i, s in enumerate(self.card.structures, 1) if self._wanted is None or s.name in self._wanted]
        numbers = np.zeros(len(self.card.structures) + 1, np.uint16)
        numbers[kept] = np.arange(1, len(kept) + 1)
        structures = [self.card.structures[i - 1] for i in kept]
        name = f"{volume.GetName()} – {self._model.stem}"
        return nodes.new_segmentation(volume, numbers[labelmap], structures, name)

    def _fail(self, error: MMGLError) -> None:
        self.error, self.details = error, self._request.details()
        event = "cancelled" if error.key == "slicer.stopped" else "failed"
        if event == "failed":
            logging.info("MMGL: %s\n%s", error, self.details)
        self._end({"event": event, "error": error, "details": self.details})

    def _end(self, event: Event) -> None:
        self.ended = True
        self._request.close()
        if self._on_event is not None:
            self._on_event(event)
