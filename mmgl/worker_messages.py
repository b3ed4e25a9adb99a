"""The words of the worker that segments: what it is doing, and why it could not."""

from __future__ import annotations

WORKER: dict[str, str] = {
    "progress.waiting": "Waiting until another scan is done",
    "progress.starting": "Starting",
    "progress.loading": "Loading the model",
    "progress.segmenting": "Segmenting",
    "progress.finishing": "Putting the result together",
    "segment.not_faster": (
        "This scan was segmented in the usual way, as eight bits are no faster for it on this computer. There is "
        "nothing to do."
    ),
    "worker.refused": (
        "The scan could not be handed over to be segmented ({problem} is not as it must be). Load it again, and report "
        "it if that does not help."
    ),
    "worker.cancelled": "Segmenting was cancelled.",
    "memory.segment": (
        "{case} is too large for the memory of this computer. Try again in pieces: the result is the same, and it "
        "takes longer."
    ),
    "device.unusable": (
        "Your NVIDIA card was found but cannot be used (its driver may be too old, or the card is not supported), so "
        "the processor segments, which is much slower. Update the driver."
    ),
    "worker.died": (
        "Segmenting stopped unexpectedly, most often for lack of memory. Close other programs, or crop the scan, and "
        "try again."
    ),
}
