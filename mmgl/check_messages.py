"""The words of the checks before training: a part of the catalogue in ``messages.py``."""

from __future__ import annotations

CHECKS: dict[str, str] = {
    # scans
    "check.duplicate": "{case} is the same image as {other}, so it counts twice. Remove one of them from the study.",
    "check.spacing": (
        "The voxels of {case} measure {found} mm and those of most scans {usual} mm. They are brought to one size by "
        "themselves; make sure that this scan belongs here."
    ),
    "check.field_of_view": (
        "{case} covers {found} mm and most scans {usual} mm, so it may show another part of the body, or its voxel "
        "size is wrong. Leave it out if it does not belong here."
    ),
    "check.intensity": (
        "The brightness of {case} runs from {found} and that of most scans from {usual}, so it may be of another kind. "
        "Leave it out if it does not belong here."
    ),
    "check.modality": (
        "{case} is {found} and most scans are {usual}, which look different. Leave it out, or put it into a study of "
        "its own."
    ),
    "check.looks_like_label": (
        "{case} has only {count} different values, in flat areas, so it is probably a label and not a scan. Remove it, "
        "and add it as the label of its scan."
    ),
    # labels
    "check.other_grid": (
        "The label of {case} has another grid than its image ({found}; the image {expected}) and was brought onto it. "
        "There is nothing to do."
    ),
    "check.label_cut": (
        "{share} of what is painted for {case} lies outside its image and is lost. Make sure that the label belongs to "
        "this image."
    ),
    "check.overlap": (
        "{first} and {second} overlap in {case} ({voxels} {voxels:voxel|voxels}), and {first}, which is higher in the "
        "list of segments, wins there. Repaint them if that is wrong."
    ),
    "check.only_once": (
        "{structure} is labelled in {case} only, which is too little to learn it from. Label it in two or three more "
        "scans."
    ),
    "check.never": (
        "{structure} is painted in no label that is trained on, so it cannot be learned. Label it in a few scans, or "
        "take it off the list."
    ),
    "check.swapped": (
        "{first} and {second} lie the other way round in {case} than in the other cases, so their names are probably "
        "swapped there, or the scan is mirrored. Compare it with another case."
    ),
    "check.swapped_some": (
        "{first} and {second} lie one way round in {some} and the other way round in {others}, so their names are "
        "probably swapped in some of them. Compare two of these cases."
    ),
    "check.default_name": (
        "A structure is called {structure}, a name that Slicer gives by itself and that may be something else in every "
        "file. Give it the name of what it is."
    ),
    "check.gaps": (
        "In {case} only some slices are painted ({painted}); the others are taken as not labelled. Say whether they "
        "are not labelled or background."
    ),
    "check.gaps_as_background": (
        "In {case} only some slices are painted ({painted}), and the others teach that nothing is there, as you said. "
        "If it is there but was not painted, say that they are not labelled."
    ),
    "check.missing": (
        "In {case} {structures} not painted, and taken as not labelled there, neither present nor absent. Say whether "
        "{count:it is|they are} not labelled or truly not there."
    ),
    "check.strokes": (
        "The label of {case} looks like scribbles, and no background is painted, so all that is not painted counts as "
        "background. Paint a few strokes of a segment called Background too, and say that only what is painted counts."
    ),
    # patients
    "check.straddles": (
        "Patient {patient} is trained on ({train}) and held out ({check}), so the model would be judged by what it "
        "knows by heart. Use all scans of a patient for the same."
    ),
    "check.one_patient": (
        "All {count} DICOM scans say that they are of the same patient, as anonymised scans often do, so none of them "
        "can be held out by itself. Say whether they are of one patient or of {count}."
    ),
    "check.few_patients": (
        "{count} {count:patient is|patients are} labelled, too few to hold one out, so how good the model is will not "
        "be known. Label {missing} more."
    ),
    "check.none_held_out": (
        "No labelled patient is held out, so how good the model is will not be known. Hold some out (mmgl study split)."
    ),
    "check.failed": (
        "The study has {count} {count:fault|faults} that must be put right before training. The first one: {words} "
        "See all that was found with: mmgl study check"
    ),
    "check.no_choice": "{choice} is no answer to this. Choose one of: {choices}.",
    "check.nothing_to_answer": "No question {question} is open{of}. See what is asked with: mmgl study check",
    # questions about the segments of a label
    "check.unnamed_value": (
        "The value {value} of {path} ({voxels} {voxels:voxel|voxels}) has no name. Say which structure it is."
    ),
    "check.unknown_segment": (
        "'{name}' in {path} ({voxels} {voxels:voxel|voxels}) is not clearly one of the structures of the study. Say "
        "which one it is."
    ),
    # answers
    "choice.slices": "The other slices are not labelled",
    "choice.everywhere": "What is not painted is background",
    "choice.painted": "Only what is painted counts",
    "choice.not labelled": "Not labelled here",
    "choice.absent": "Truly not there",
    "choice.one": "All are of one patient",
    "choice.different": "Each is of another patient",
    "choice.same": "The same as {structure}",
    "choice.new": "A new structure",
    "choice.ignore": "Not for training",
    # headings of the list
    "findings.error": "Must be put right before training",
    "findings.question": "Please answer; until then the first answer holds",
    "findings.warning": "Please have a look",
    "findings.note": "Good to know",
    "findings.none": "Nothing was found that stands in the way of training.",
}  # fmt: skip
