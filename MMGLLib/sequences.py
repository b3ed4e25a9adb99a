"""A sequence of the scene being segmented frame by frame; the segmentations are a sequence that plays along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import slicer

from mmgl.finding import Finding
from mmgl.imaging.segmentation import counted
from mmgl.inference.spikes import spike_findings
from MMGLLib import nodes, results
from MMGLLib.aside import RunWithAside
from MMGLLib.messages import MMGLError
from MMGLLib.runs import Event
from MMGLLib.segmenting import checked_model, followed, numbering, request_settings
from MMGLLib.worker import Request


def frames_of(volume: Any) -> tuple[Any, Any] | None:
    """Return the sequence browser and the sequence whose current frame a volume node shows, or None."""
    if volume is None or not hasattr(slicer, "vtkMRMLSequenceBrowserNode"):
        return None
    for browser in slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode"):
        sequence = browser.GetSequenceNode(volume)
        if sequence is not None and sequence.GetNumberOfDataNodes() > 1:
            return browser, sequence
    return None


class SegmentingFrames(RunWithAside):
    """Segments all frames of the sequence that a volume node shows. The event ``done`` has ``node``, ``sequence``,
    ``empty``, ``told``.

    Nothing is added to the scene before the last frame is done.

    Args:
        volume: the volume node that shows the current frame; it and the sequence are only read.
        model, device, structures, on_event: as for ``Segmenting``.
        settings: ``mirror``, ``largest`` and ``tidy``, true or false.

    Raises:
        MMGLError: ``slicer.no_sequence``, ``slicer.frames_missing``, or the model cannot be used.
    """

    def __init__(
        self,
        volume: Any,
        model: str | Path,
        device: str = "auto",
        structures: Sequence[str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(on_event)
        if volume is None:
            raise MMGLError("slicer.no_scan")
        if not hasattr(slicer, "vtkMRMLSequenceBrowserNode"):
            raise MMGLError("slicer.frames_missing")
        found = frames_of(volume)
        if found is None:
            raise MMGLError("slicer.no_sequence", scan=volume.GetName())
        self.browser, self.sequence = found
        self.card, self.model = checked_model(model, structures)
        self.volume, self.scene, self.node = volume, volume.GetScene(), None
        self._wanted, self._device = structures, device
        self._settings = request_settings(self.card, structures, settings)
        self._request: Any = None
        self._changed: list[Finding] = []
        self._cancelled = False
        nodes.scan_of(volume)  # what is wrong with it is told at once

    @property
    def idle(self) -> bool:
        """Whether it waits for the process that segments."""
        return super().idle or (self._request is not None and not self._request.ended)

    def cancel(self) -> None:
        """Ask it to end; nothing is added then."""
        self._cancelled = True
        if self._request is not None:
            self._request.cancel()

    def close(self) -> None:
        """Let go of the process and its files."""
        if self._request is not None:
            self.details = self.details or self._request.details()
            self._request.close()
            self._request = None

    def work(self) -> Generator[None, None, Event]:
        """Segment one frame after the other, then make the nodes."""
        count, layers = self.sequence.GetNumberOfDataNodes(), []
        numbers, structures = numbering(self.card.structures, self._wanted)
        found: set[int] = set()
        volumes: list[np.ndarray] = []
        for number in range(count):
            try:
                labelmap = yield from self._frame(number, count)
            except MMGLError as error:
                if self._cancelled:
                    raise MMGLError("slicer.stopped") from error
                if error.key.startswith("slicer.scan"):
                    raise
                raise MMGLError("slicer.frame", number=number + 1, count=count, words=str(error)) from error
            frame = self.sequence.GetNthDataNode(number)
            if labelmap.shape != frame.GetImageData().GetDimensions()[::-1]:
                raise MMGLError("slicer.scan_changed", name=self.volume.GetName())
            layer, values = yield from results.making_layer(frame, labelmap, numbers)
            layers.append(layer)
            found |= values
            counts = yield from self.aside(partial(counted, labelmap, len(self.card.structures)))
            volumes.append(counts[numbers[1:] > 0] * np.prod(frame.GetSpacing()))
        sequence = yield from self._making_sequence(layers, structures)
        self._require_sequence(count)
        self.scene.SaveStateForUndo()
        self.scene.AddNode(sequence)
        self.node = self._show(sequence)
        empty = [s.name for value, s in enumerate(structures, start=1) if value not in found]
        leaps = spike_findings([s.name for s in structures], volumes, first=1)
        told = [finding.words for finding in (*_summed(self._changed), *leaps)]
        return {"event": "done", "node": self.node, "sequence": sequence, "empty": empty, "told": told}

    def _frame(self, number: int, count: int) -> Generator[None, None, Any]:
        """Return the labelmap of a frame."""
        self._require_sequence(count)
        scan = nodes.scan_of(self.sequence.GetNthDataNode(number), shown_by=self.volume)
        name = f"{self.volume.GetName()} ({number + 1} of {count})"
        self._request = Request(scan, self.model, name, self._device, **self._settings)

        def tell(event: Event) -> None:
            share = (number + float(event.get("share") or 0)) / count
            left = event.get("seconds_left")
            self.tell({**event, "share": share, "seconds_left": left, "frame": number + 1, "frames": count})

        yield from followed(self._request, tell)
        labelmap = yield from self.aside(self._request.result)
        self._changed += self._request.findings
        self.close()
        self.details = ""
        return labelmap

    def _require_sequence(self, count: int) -> None:
        """Refuse to go on where the scan or the sequence has gone or has other frames."""
        for node in (self.volume, self.sequence, self.browser):
            if node.GetScene() is not self.scene or self.scene is not slicer.mrmlScene:
                raise MMGLError("slicer.scan_gone")
        if self.sequence.GetNumberOfDataNodes() != count:
            raise MMGLError("slicer.scan_changed", name=self.volume.GetName())

    def _making_sequence(self, layers: Sequence[Any], structures: Sequence[Any]) -> results.Making[Any]:
        """Make a sequence of segmentations with the index values of the scans, a frame in each step."""
        source, sequence = self.sequence, slicer.vtkMRMLSequenceNode()
        sequence.SetName(self.scene.GenerateUniqueName(f"{source.GetName()} – {self.model.stem}"))
        sequence.SetIndexType(source.GetIndexType())
        sequence.SetIndexName(source.GetIndexName())
        sequence.SetIndexUnit(source.GetIndexUnit())
        frame = slicer.vtkMRMLSegmentationNode()
        frame.SetName(sequence.GetName())
        for number, layer in enumerate(layers):
            self._require_sequence(len(layers))
            segmentation = slicer.vtkSegmentation()
            segmentation.SetSourceRepresentationName(results.BINARY)
            results.add_segments(segmentation, layer, structures)
            frame.SetAndObserveSegmentation(segmentation)
            sequence.SetDataNodeAtValue(frame, source.GetNthIndexValue(number))
            yield
        return sequence

    def _show(self, sequence: Any) -> Any:
        """Let the browser play the result along, and return the segmentation node that shows the current frame."""
        self.browser.AddSynchronizedSequenceNode(sequence)
        self.browser.SetSaveChanges(sequence, True)  # else a correction would be gone with the next frame
        slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(self.browser)
        node = self.browser.GetProxyNode(sequence)
        node.CreateDefaultDisplayNodes()
        node.SetReferenceImageGeometryParameterFromVolumeNode(self.volume)
        node.SetAndObserveTransformNodeID(self.volume.GetTransformNodeID())
        results.place_in_hierarchy(node, self.volume)
        return node


def _summed(findings: Sequence[Finding]) -> list[Finding]:
    """Return what was tidied up in all frames together, a finding for each structure."""
    sums: dict[tuple[str, str], Counter[str]] = {}
    for finding in findings:
        if finding.key.startswith("tidy."):
            counts = {name: value for name, value in finding.parameters.items() if name != "structure"}
            sums.setdefault((finding.key, finding.parameters["structure"]), Counter()).update(counts)
    return [Finding(key, {"structure": name, **counts}) for (key, name), counts in sums.items()]
