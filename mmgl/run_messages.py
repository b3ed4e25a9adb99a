"""The words about training again, about jobs that wait in line, and about what follows the last step."""

from __future__ import annotations

RUNS: dict[str, str] = {
    # training again
    "again.none": (
        "There is no model '{model}' to start from. The study has: {models}. Train one first without --again."
    ),
    "again.method": (
        "{method} trains two networks that must differ, so it cannot start from one model. Choose another method, for "
        "example supervised."
    ),
    "again.structures": (
        "The model {model} segments {known}, and the study has other structures ({wanted}), so nothing of it is of "
        "use here. Train a new one without --again."
    ),
    "again.scans": (
        "{case} has other channels than the scans that the model learned from, so it cannot go on with it. Leave this "
        "case out, or train a new model without --again."
    ),
    "progress.again": "Starting from what {model} has learned, with all cases that the study has now.",
    "progress.again_new": "New structures: {names}.",
    "progress.again_gone": "Structures that the study has no more: {names}.",
    "plan.planes": (
        "The scans cannot be learned in the planes asked for ({asked}), in which their voxels are too long; those that "
        "fit are: {planes}. Choose one of them, or train without --planes."
    ),
    # what follows the last step
    "progress.ending": "Looking at how good the model is",
    "progress.report": "The report is {file}, beside the model.",
    # jobs that wait in line
    "queue.command": "'{command}' cannot wait in the queue. Queue a command of mmgl that takes long, such as train.",
    "queue.number": "The queue has no job number {number}. Look at the numbers with: mmgl queue",
    "queue.busy": "The queue in {folder} is in use by something that hangs. Try again in a moment.",
    "queue.name": "A job of the queue will make a model called {name} already. Give this one another name.",
    # what training is doing
    "run.stopped_before": (
        "The training {name} was stopped while the scans were looked at, before it learned anything. Train again at "
        "any time: what was looked at is remembered."
    ),
    "progress.looking": "Looking at your scans",
    "progress.skipped": "{case} is left out.",
    "progress.preparing": "Preparing your scans",
    "progress.resumed": "Going on with a training that was not finished.",
    "progress.idle": "Nothing has improved for a fifth of the time, so this part of the training comes to its end.",
    "progress.disk": "The prepared scans will take {needed_gb} GB of {free_gb} GB free on the disk",
    "progress.fits": "Training on {device} in {precision}: {batch} slices of {slice_size} at once, width {width}",
    "method.monai": (
        "The method {method} needs the package monai, which Slicer does not bring. Choose another method, or run in "
        "Slicer's Python console: slicer.util.pip_install('monai')"
    ),
    "stage.global": "Learning from all your scans, labelled or not",
    "stage.local": "Learning to tell the parts of a slice apart",
    "stage.semi-supervised": "Learning to segment, from labelled and unlabelled scans together",
    "stage.semi-supervised-again": "Learning once more from unlabelled scans, which are known better by now",
    "stage.contrast": "Learning from your labels, and to recognise parts of a slice by themselves",
    "stage.consistency": "Learning from your labels, and to segment parts of a slice like the whole slice",
    "stage.segmentation": "Learning to segment",
}
