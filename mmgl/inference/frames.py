"""A sequence, frame by frame, if asked with what its neighbours in time show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from mmgl.finding import Finding
from mmgl.imaging.scan import Scan
from mmgl.inference.fused import Fused
from mmgl.inference.predictor import Predictor
from mmgl.inference.settings import Result, Settings

Segmented = tuple[Scan, Fused, list[Finding]]


def segment_frames(
    predictor: Predictor, frames: Iterable[Scan], settings: Settings, smooth: bool = False
) -> Iterator[Result]:
    """Yield the result of each frame; three frames at most are held.

    Args:
        smooth: the probabilities of a frame count half, those of the one before and the one after a quarter each. The
            first and the last frame stand in for the neighbour they lack.
    """
    predictor.check(settings)
    segmented: Iterator[Segmented] = ((scan, *predictor.fused(scan, settings)) for scan in frames)
    if not smooth:
        for scan, fused, findings in segmented:
            yield predictor.finish(fused, scan, settings, findings)
        return
    before: Fused | None = None
    now: Segmented | None = None
    for after in chain(segmented, [None]):
        if now is not None:
            scan, fused, findings = now
            around = [before or fused, after[1] if after else fused]
            blended = Fused.blend([(0.5, fused), *((0.25, neighbour) for neighbour in around)])
            yield predictor.finish(blended, scan, settings, findings)
            before = fused
        now = after
