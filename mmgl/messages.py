"""The words MMGL says to people: one English catalogue of keys, and the error that carries a key.

Every message says what happened, what it means, and one thing to do. A front end translates by key; the core only
ever raises or returns keys with parameters.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmgl.check_messages import CHECKS
from mmgl.finding_messages import FINDINGS
from mmgl.run_messages import RUNS
from mmgl.several_messages import SEVERAL
from mmgl.wording import fill
from mmgl.worker_messages import WORKER

CATALOGUE: dict[str, str] = {
    # files
    "file.missing": "{path} is not there. Check the name, or reconnect the drive it is on.",
    "file.damaged": "{path} is damaged or not what its name says ({reason}). Put back a good copy of it.",
    "file.exists": "{path} exists already, and nothing is ever overwritten. Choose another name or move it away.",
    "file.newer": "{path} was written by a newer MMGL (format {found}, this one reads up to {known}). Update MMGL.",
    "file.unwritable": "{path} cannot be written ({reason}). Check the free space and the rights of its folder.",
    "file.unknown_suffix": "{path} does not end in a kind of file that can be written. Use one of: {suffixes}.",
    "file.not_folder": "{path} is a file. Give the folder that it lies in.",
    "file.name": "The name of {path} has characters that cannot be shown. Rename the file.",
    # scans
    "scan.unreadable": "{path} cannot be read as an image ({reason}). Open it in Slicer, or leave it out.",
    "scan.unknown_format": (
        "{path} is not an image that MMGL reads. Use NIfTI, NRRD, MetaImage, a folder of DICOM files, PNG or JPEG."
    ),
    "scan.no_image_in_folder": (
        "No image was found in the folder {path}. Choose one with DICOM, NIfTI, NRRD, MetaImage, PNG or JPEG files."
    ),
    "scan.not_one": (
        "The folder {path} holds no DICOM series, so it is not one scan. Give it alone to segment all scans in it."
    ),
    "scan.several_series": (
        "{path} holds {count} DICOM series and it is not said which one is meant. Choose one of: {series}."
    ),
    "scan.unknown_series": "{path} holds no DICOM series {series}. Choose one of: {found}.",
    "scan.mixed_slices": (
        "{path} holds images of different sizes or directions (a localiser, perhaps), which do not stack to one scan. "
        "Choose another series."
    ),
    "scan.uneven_slices": (
        "{path} has missing or unevenly spaced slices (gaps from {smallest:.2f} to {largest:.2f} mm), so distances in "
        "it cannot be trusted. Export the series again, or leave it out."
    ),
    "scan.four_dimensional": (
        "{path} is a sequence of {frames} images, not one scan. Save the frame you want as a file of its own."
    ),
    "scan.sheared": (
        "{path} has axes that are not at right angles, so it cannot be cut into slices. Harden or resample it in "
        "Slicer first."
    ),
    "scan.empty": "{path} holds no voxels (size {size}). Put back a good copy of it.",
    "scan.not_numbers": (
        "{path} holds {count} {count:voxel that is no number|voxels that are no numbers} (NaN, or impossibly large). "
        "Replace what is no number by the background value first."
    ),
    "scan.constant": "{path} has the same value {value:g} everywhere, so there is nothing to see in it. Leave it out.",
    "scan.channels_differ": (
        "The images of {case} do not fit together ({first}, {other}), so they are not channels of one scan. Resample "
        "them onto one another, or leave this case out."
    ),
    "scan.other_channels": (
        "{case} has {found} {found:channel|channels} and the other scans have {expected}, so they cannot be learned "
        "from together. Leave it out, or put it into a study of its own."
    ),
    # labels
    "label.unreadable": "{path} cannot be read as a label ({reason}). Save it again from the Segment Editor.",
    "label.not_integers": (
        "{path} holds values that are not whole numbers, so it is an image and not a label. Choose the label file."
    ),
    "label.negative": (
        "{path} holds negative values ({value}), so it is an image and not a label. Choose the label file."
    ),
    "label.many_values": (
        "{path} holds {count} different values, so it is an image and not a label. Choose the label file."
    ),
    "label.coloured": (
        "{path} is a colour picture, so its values cannot be told. Save the label in grey, one value per structure."
    ),
    "label.other_size": (
        "The label {path} is {found} and its picture {expected} pixels, so they do not fit. Choose the label of this "
        "picture."
    ),
    "label.outside": (
        "The label {path} does not lie on its image (different position in space). Choose the image it was painted on."
    ),
    "label.empty": "The label {path} is empty: no structure is painted in it. Paint one, or add the scan unlabelled.",
    "label.unnamed_values": (
        "The label {path} has values without names: {values}. Say which structure each value is, for example {example}."
    ),
    "label.unknown_structure": (
        "In {case} it is not clear which structure '{name}' is (the list has: {structures}). Say which one it is, that "
        "it is new, or that it is not for training."
    ),
    # studies
    "study.missing": "{path} holds no study. Make one with: mmgl study new {path}",
    "study.exists": "{path} holds a study already. Open it, or choose another folder.",
    "study.invalid": "{path} is not a valid study: {where} {problem}. Put back a good copy of it.",
    "study.duplicate_case": "The study has a case called {case} already. Give the new one another name.",
    "study.case_name": "A case cannot be called {name!r}. Use letters and numbers, as for a file, at most 200.",
    "study.unknown_case": "The study has no case called {case}. It has: {cases}.",
    "study.unlabelled_case": "The case {case} has no label. Label it first, or choose a labelled one.",
    "study.duplicate_structure": "The study has a structure called {name} already. Give the new one another name.",
    "study.unknown_structure": "The study has no structure called {name}. It has: {structures}.",
    "study.labels_too_small": (
        "What is painted is smaller than the voxels MMGL works at, so nothing is left to learn from. Paint more of it, "
        "or leave out the scans with coarse voxels."
    ),
    "study.no_labels": "No case that is used for training has a label. Label at least one scan.",
    "study.unknown_images": (
        "{folder} holds no image called {names}. Give the names of files without their suffix, and folders with '-'."
    ),
    "study.several_labels": (
        "{count} labels fit the image {image}: {labels}. Keep the one that is meant in the folder, or add it by itself."
    ),
    "study.no_label_fits": (
        "No label in {labels} has the name of an image in {images}. Give each label the name of its image."
    ),
    "merge.unknown_structure": (
        "It is not clear which structure '{name}' of the other study is (the list has: {structures}). Say which one it "
        "is, that it is new, or that it is not for training."
    ),
    "study.bad_pattern": (
        "The pattern {pattern} for patients cannot be used ({reason}). Use a regular expression such as patient[0-9]+."
    ),
    # published data sets
    "layout.nothing": "{folder} does not hold {title}: it has no {pattern}. Give the folder that was unpacked.",
    "layout.few_labels": (
        "Labels of {asked} {asked:patient|patients} were asked for, and {folder} has those of {found}. Ask for fewer."
    ),
    "layout.unknown_patients": (
        "The split names {names}, whom {folder} does not have. Correct the split, or complete the folder."
    ),
    "layout.split": (
        '{path} is not a split ({problem}). Write it as {{"train": ["patient001", ...], "val": [...], "test": [...]}}.'
    ),
    "layout.together": "{option} cannot be used with --layout, which says it already. Leave {option} out.",
    "layout.alone": "{option} needs to know how the data set is published. Add --layout.",
    # models
    "model.invalid": "{path} is not a valid MMGL model: {problem}. Export it again, or choose another file.",
    "model.changed": "{path} was changed after it was written (its checksum does not fit). Export it again.",
    "model.channels": (
        "This model reads scans with {expected} {expected:channel|channels}, and {scan} has {found}. Choose a model "
        "made for such scans."
    ),
    "model.pictures": (
        "This model segments pictures of one slice, and the scan has {count}. Choose a model made for such scans."
    ),
    # jobs
    "job.in_use": "Another MMGL is at work in {folder}. Wait until it is done, or stop it first.",
    "job.fault": "MMGL ran into a fault of its own ({fault}). What was saved is kept; please report it with the log.",
    "job.stalled": "No news for {minutes} {minutes:minute|minutes}. Wait a little longer, or end it and go on.",
    "job.memory": (
        "The system ended it at {share}, most likely because the memory was full. What was saved is kept: close other "
        "programs and go on."
    ),
    "job.away": "{folder} is not there any more. Reconnect the drive it is on, and go on from what was saved.",
    "job.drive": "It ended at {share} because a drive with its files went away. Reconnect the drive and go on.",
    "job.crashed": "It crashed at {share}. What was saved is kept: go on, and send the log if it happens again.",
    "job.lost": (
        "It was interrupted at {share} (ended from outside, or the computer went down). What was saved is kept: go on."
    ),
    # training and segmenting
    "run.name": "'{name}' cannot be the name of a model, as it names a file too. Use letters and numbers.",
    "run.unknown": "There is no training called {name} to go on with. Look into the folder runs of the study.",
    "run.finished": "The training {name} is finished and its model is written. Start a new one under another name.",
    "run.changed": "The study has other structures than when the training {name} began. Start a new training.",
    "run.stopped": "The training {name} was stopped. Its model so far is {model}; go on with it whenever you like.",
    "run.stopped_early": (
        "The training {name} was stopped before it could segment, so there is no model of it yet. Go on with it to get "
        "one."
    ),
    "memory.scan": "{case} is too large for the memory of this computer. Crop it, or leave it out.",
    "memory.too_small": (
        "The memory ({free} GB are free) is too small for even the smallest training on these scans. Close other "
        "programs, or train on a larger computer."
    ),
    "scan.too_large": (
        "{scan} would become {size} voxels of the size this model works at, which is too much for a computer's memory. "
        "Check the voxel size in its header, or crop it."
    ),
    "segment.stopped": "Stopped after {done} of {of} {of:scan|scans}; their results are kept.",
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
    "segment.mirror": "This model never saw mirrored slices, and they would spoil the result. Leave out --mirror.",
    "segment.on_processor": (
        "The memory of the graphics card is too small for this scan, so the processor segments it, which takes longer. "
        "Close other programs that use the card."
    ),
    "segment.one_slice": "A PNG file holds one slice and {path} has {count}. Choose another format for the result.",
    "dicom.no_highdicom": "DICOM SEG needs the package highdicom, which is missing. Run: pip install highdicom",
    "dicom.no_series": "DICOM SEG needs a DICOM scan that tells its place; {path} does not. Choose another format.",
    "method.unknown": "There is no method called {method}. The methods are: {methods}.",
    "device.unknown": "There is no device called {device}. Use cpu or cuda.",
    "device.lost": (
        "The graphics card stopped working for this training ({reason}). What was saved is kept: go on, if need be "
        "with the processor."
    ),
    "device.no_cuda": "No usable NVIDIA graphics card was found. Use the processor instead: --device cpu",
    "disk.too_small": (
        "Preparing the scans takes {needed} GB in {folder} and {free} GB are free. Free some space, or leave out scans."
    ),
    "budget.words": "'{words}' is no time to train. Say quick, standard, overnight, or until when, for example 07:00.",
    "budget.invalid": "A budget must be more than zero, not {budget}.",
    "structures.form": "'{text}' does not say what a value is. Write it as VALUE=NAME, for example 1=Anterior.",
    # evaluating
    "evaluate.unknown_structure": "No file holds a structure called {name}. They hold: {found}.",
    "evaluate.nothing": "No case to evaluate: no file name of {results} is found in {references}.",
    "evaluate.nothing_in_common": (
        "No structure is in both the results ({results}) and the references ({references}), so nothing can be "
        "compared. Give both the same names or values."
    ),
    **CHECKS,
    **FINDINGS,
    **RUNS,
    **SEVERAL,
    **WORKER,
}


class MMGLError(Exception):
    """Something a person can put right, said with a key of the catalogue and its parameters.

    Args:
        key: a key of ``CATALOGUE``.
        **parameters: what the words of that key need.
    """

    def __init__(self, key: str, **parameters: Any) -> None:
        super().__init__(fill(CATALOGUE[key], parameters))
        self.key = key
        self.parameters = parameters


def unwritable(error: OSError, path: Path | None = None) -> MMGLError:
    """Return what the system refused to write, in words.

    Args:
        error: what it raised.
        path: of the file or folder, where ``error`` does not name it, or names a temporary one.
    """
    path = path or Path(error.filename if isinstance(error.filename, str) else "A file")
    path = path.parent if path.name.startswith(".writing-") else path
    return MMGLError("file.unwritable", path=path, reason=error.strerror or str(error) or "the disk may be full")
