"""The words of segmenting: what it is doing, and what stands in its way."""

from __future__ import annotations

SEGMENTING: dict[str, str] = {
    "segment.stopped": "Stopped after {done} of {of} scans; their results are kept.",
    "segment.other_results": (
        "{path} holds results of another model or of other options, and they would not compare. Choose another folder."
    ),
    "segment.same_folder": "The results cannot go into the folder of the scans, {path}. Choose another folder.",
    "segment.shard": "'{shard}' does not say which part is meant. Write it as 2/8, the second of eight.",
    "segment.shard_of_files": "Only a folder can be shared between processes. Give the folder of the scans.",
    "segment.region": (
        "The region of interest holds no voxel of the scan, which has {size}. Give ranges of its voxels, x, y and z."
    ),
    "segment.unknown_structure": "The model segments no structure called {name}. It has: {structures}.",
    "worker.refused": (
        "The scan could not be handed over to be segmented ({problem} is not as it must be). Load it again, and report "
        "it if that does not help."
    ),
    "worker.cancelled": "Segmenting was cancelled.",
    "worker.died": (
        "Segmenting stopped unexpectedly, most often for lack of memory. Close other programs, or crop the scan, and "
        "try again."
    ),
    "segment.on_processor": (
        "The memory of the graphics card is too small for this scan, so the processor segments it, which takes longer. "
        "Close other programs that use the card."
    ),
    "segment.one_slice": "A PNG file holds one slice and {path} has {count}. Choose another format for the result.",
    # what segmenting is doing
    "progress.waiting": "Waiting until another scan is done",
    "progress.starting": "Starting",
    "progress.loading": "Loading the model",
    "progress.segmenting": "Segmenting",
    "progress.finishing": "Putting the result together",
}
