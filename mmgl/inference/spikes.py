"""Frames in which the volume of a structure leaps and comes back at once, as no organ does."""

from __future__ import annotations

from collections.abc import Sequence

from mmgl.finding import Finding

SPIKE = 0.15
"""A frame is told of from this share of the volume that the frames around it let expect."""


def spikes(volumes: Sequence[float]) -> list[int]:
    """Return the frames, from 0, whose volume is far above or far below that of both neighbours.

    A beating heart has a smallest and a largest volume too, and with few frames a beat these stand out. So a frame must
    also be far from the cubic through the two before and the two after it; of the frames without these nothing is said.

    Args:
        volumes: of a structure, in any unit, a frame each.
    """
    found = []
    for frame in range(2, len(volumes) - 2):
        first, before, here, after, last = volumes[frame - 2 : frame + 3]
        away = [here - before, here - after, here - (4 * (before + after) - first - last) / 6]
        size = (before + after) / 2 or here
        if min(away) > SPIKE * size or max(away) < -SPIKE * size:
            found.append(frame)
    return found


def spike_findings(names: Sequence[str], volumes: Sequence[Sequence[float]], first: int = 0) -> list[Finding]:
    """Return what is said of a sequence, of each structure that leaps in any of its frames.

    Args:
        names: of the structures.
        volumes: of each frame, those of the structures, in any unit.
        first: number of the first frame, as the reader counts them.
    """
    curves = zip(names, zip(*volumes, strict=True), strict=True) if volumes else []
    leaps = ((name, [first + frame for frame in spikes(curve)]) for name, curve in curves)
    return [spike_finding(name, frames) for name, frames in leaps if frames]


def spike_finding(structure: str, frames: Sequence[int]) -> Finding:
    """Return what is said of frames, numbered as the reader sees them, in which the volume of a structure leaps."""
    told = ", ".join(map(str, frames))
    return Finding(
        "frames.spike", {"structure": structure, "count": len(frames), "frames": told, "percent": round(100 * SPIKE)}
    )
