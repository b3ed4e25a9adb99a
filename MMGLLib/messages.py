"""The words that only Slicer's side of MMGL says; they join the catalogue of the core, so that there is one."""

from __future__ import annotations

from mmgl.messages import CATALOGUE, MMGLError, unwritable

WORDS: dict[str, str] = {
    "slicer.no_scan": "No scan is chosen. Load one, or choose one from the list.",
    "slicer.no_model": "No model is chosen. Choose the .mmgl file that you trained or were given.",
    "slicer.empty_scan": "{name} has no voxels. Choose another scan, or load this one again.",
    "slicer.several_frames": (
        "{name} holds {count} images at each place, not one scan. Choose one of its frames and segment that."
    ),
    "slicer.sequence": "{name} is a sequence, not one scan. Choose the scan that shows its current frame.",
    "slicer.labelmap": "{name} is a labelmap, not a scan. Choose the scan it was painted on.",
    "slicer.bent": (
        "{name} is bent by the transform {transform}, so its voxels are not on a grid. Harden the transform on a copy "
        "and segment that."
    ),
    "slicer.bent_scan": (
        "{name} is bent by the transform {transform}, often because slices are missing or uneven. Segment it as it was "
        "stored; the result is bent along with it."
    ),
    "slicer.skewed": (
        "{name} is skewed, so it cannot be cut into slices (its axes, or the transform {transform}). Resample it first."
    ),
    "slicer.nothing_painted": "{name} has no painted segment. Paint one first.",
    "slicer.stopped": "Segmenting was cancelled. Nothing was changed.",
    "slicer.died": (
        "Segmenting stopped unexpectedly, most often for lack of memory. Nothing was changed. Try again in "
        "pieces, which needs less of it."
    ),
    "slicer.scan_gone": "The scan was removed while it was segmented, so there is nothing to show the result on.",
    "slicer.scan_changed": (
        "{name} has other voxels than when segmenting began, so the result does not fit it. Segment it again."
    ),
    "slicer.nothing_found": (
        "Nothing of {structures} was found in {scan}. It may look unlike the scans the model learned from. Look for it "
        "at a lower threshold, or choose the right model."
    ),
    "slicer.still_nothing": (
        "Nothing of {structures} was found in {scan} at a lower threshold either. Choose another model."
    ),
    "slicer.large_3d": (
        "The result is large, so it is not in 3-D yet, which would make Slicer wait for about {seconds} s. Click "
        "Show 3D whenever that suits you."
    ),
    # setting up
    "slicer.old": "MMGL needs Slicer 5.10 or newer, and this is {version}. Install a newer Slicer.",
    "slicer.other_core": (
        "Another MMGL ({version}, in {folder}) was in use before this extension, which goes on with its own ({own}). "
        "Remove the other one, slicer.util.pip_uninstall('mmgl') in the Python console, and start Slicer again."
    ),
    "slicer.network": (
        "Your network blocked the download ({reason}); in a hospital this is usually the proxy. Nothing was changed. "
        "Install from a folder of wheels instead, or show IT the details."
    ),
    "slicer.disk": (
        "There is not enough disk space for PyTorch: {needed} GB are needed in {folder} and {free} GB are free. Free "
        "some space and try again."
    ),
    "slicer.wheels": (
        "The folder holds no PyTorch for this Slicer (Python {python}, {system}), so nothing was installed. Choose a "
        "folder with the wheels named in the details."
    ),
    "slicer.rights": (
        "Slicer's own folder cannot be written, so nothing was installed. Ask whoever installed Slicer, or install "
        "Slicer into a folder of your own."
    ),
    "slicer.not_installed": "PyTorch could not be installed. Nothing else was changed. Try again, or copy the details.",
    "slicer.interrupted": "Setting up MMGL was not finished last time. Go on with it.",
    # folders, sequences and regions
    "slicer.no_folder": "No folder of scans is chosen. Choose one.",
    "slicer.no_results": "No folder for the results is chosen. Choose one.",
    "slicer.empty_region": "The region {region} lies beside {scan}. Move it onto the scan, or choose no region.",
    "slicer.no_sequence": "{scan} is not a frame of a sequence. Load a sequence, or segment this scan alone.",
    "slicer.frames_missing": "This Slicer has no sequences. Segment the frames one by one.",
    "slicer.frame": "Frame {number} of {count} could not be segmented, so there is no result: {words}",
    # studies
    "slicer.no_study": "{path} holds no study. Choose the folder of a study, or make one with MMGL Train.",
    "slicer.no_models": "The study in {path} has no model yet. Train one with MMGL Train, or choose another study.",
    "slicer.no_result": "There is no result to add yet. Segment the scan first.",
    "slicer.same_scan": (
        "The study has a case called {case} already, of the same size. Say whether this is its corrected label."
    ),
    "slicer.overlap": (
        "{first} and {second} overlap ({voxels} {voxels:voxel|voxels}), and {first}, which is higher in the list of "
        "segments, wins there. Repaint them and add the scan again if that is wrong."
    ),
    "slicer.errand_died": (
        "Looking at your scans stopped unexpectedly, most often for lack of memory. Nothing was changed. Close other "
        "programs and try again."
    ),
    "slicer.read_only": (
        "{study} is open in another Slicer, so it can be looked at here but not changed. Close it there first."
    ),
    "slicer.study_gone": (
        "{path} is not there any more: it was moved or deleted, or its drive was taken away. Find the folder."
    ),
    "slicer.files_gone": (
        "{count} scans are not where they were ({folder}). Find the folder they are in now; one pick repairs all."
    ),
    "slicer.skipped": (
        "{count} {count:file|files} could not be used and {count:was|were} left out{count:|, first of all}: {words}"
    ),
    "slicer.none_held_out": (
        "No labelled patient is held out, so how good the model is will not be known. Choose some to check with."
    ),
    "slicer.unknown_segment": (
        "'{name}' ({voxels} {voxels:voxel|voxels}) is not in your list of structures, so it cannot be learned yet. Say "
        "what it is."
    ),
    "slicer.meaning": (
        "'{name}' is taken for {meaning} in {labels} {labels:label|labels}. Say what it is, in all of them."
    ),
    "slicer.renamed_segment": (
        "'{name}' was made for {structure}. Say whether {structure} is called so from now on, or what else this is."
    ),
    "slicer.call_it": "Call {structure} '{name}' in this study",
    "slicer.unnamed_value": (
        "What is painted with number {value} in {path} ({voxels} {voxels:voxel|voxels}) has no name. Say which "
        "structure it is."
    ),
    "slicer.no_draft": "No segmentation is chosen as a draft. Load one, or choose one from the list.",
    # training
    "train.starting": "Starting",
    "train.not_again": (
        "The model to start from has other structures, or learned from other scans, so it is of no use here. Clear the "
        "box that starts from it, and train."
    ),
    "train.running": "{name} is being trained already. Wait until it is done, or stop it first.",
    "train.faults": "Something must be put right before training. See what is marked in the list above.",
    "train.planes": (
        "The slices of your scans are too thick to be learned in the planes you chose. Choose Automatic under Advanced."
    ),
    "train.no_card": "No usable NVIDIA graphics card was found. Choose Automatic under Advanced.",
    "train.lost": (
        "Training stopped unexpectedly at {share}. What it had learned is kept. Go on with it, or use it as it is."
    ),
    "train.stopped": "Training was stopped, and what it had learned is kept as {model}. Go on whenever you like.",
    "train.disk_full": (
        "The disk with {folder} is full, so training stopped. What was saved is kept. Free some space and go on."
    ),
    "train.said": "{words}",
    "train.one_label": "One labelled scan is enough to try. Expect rough results; three or more are better.",
    # what the computer trains with
    "machine.card": "{card}, {free:.0f} GB free",
    "machine.processor": "This computer's processor, with {cores} cores: slower, so it learns less in the same time.",
    "machine.unusable": (
        "Your NVIDIA card was found but cannot be used (its driver may be too old, or the card is not supported). "
        "Training runs on the processor, which is much slower. Update the driver."
    ),
    # models
    "models.other": (
        "This model segments {found}, and the study has {structures}. It is kept as a model of its own; make a study "
        "from it to go on with it."
    ),
    "slicer.no_torch": (
        "MMGL needs PyTorch (about 3 GB, once), which is not installed yet. Nothing else will be changed. Install it."
    ),
    "slicer.broken_torch": (
        "PyTorch is installed but does not start; another extension may have changed it. Repair it and restart Slicer."
    ),
}
"""Words by key."""

CATALOGUE.update(WORDS)

__all__ = ["WORDS", "MMGLError", "unwritable"]
