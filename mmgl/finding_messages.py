"""The words of findings: whether a training worked, whether a scan fits, what was changed in a result."""

from __future__ import annotations

FINDINGS: dict[str, str] = {
    # did it work?
    "verdict.good": "{structure}: good (Dice {dice:.2f} on {cases} check {cases:case|cases}).",
    "verdict.fair": "{structure}: fair, expect to correct it (Dice {dice:.2f} on {cases} check {cases:case|cases}).",
    "verdict.poor": "{structure}: poor (Dice {dice:.2f} on {cases} check {cases:case|cases}). Label it in more scans.",
    "verdict.missed": (
        "{structure}: not learned (Dice {dice:.2f} on {cases} check {cases:case|cases}), though it is labelled in "
        "{labelled} {labelled:scan|scans}. Look whether the same is painted in all of them, or train longer."
    ),
    "verdict.one_scan": (
        "{structure}: not learned (Dice {dice:.2f} on {cases} check {cases:case|cases}), as it is labelled in one "
        "scan only. Label it in 3 more."
    ),
    "verdict.unlabelled": "{structure}: not learned, as no training scan shows it. Label it in 3 scans.",
    "verdict.unchecked": (
        "{structure}: learned from {labelled} {labelled:scan|scans} and not checked, as no check case shows it. Look "
        "at its results."
    ),
    "verdict.stopped": (
        "Training was stopped after about {minutes} {minutes:minute|minutes}, so this is not the best it can do. Go on "
        "with it before you label more."
    ),
    "verdict.idle": (
        "Training ended by itself after about {minutes} {minutes:minute|minutes}, as nothing had improved for a fifth "
        "of its time. More time will not help: label more scans."
    ),
    "verdict.early": (
        "{structure}: not yet (Dice {dice:.2f} on {cases} check {cases:case|cases}) when training was stopped."
    ),
    "verdict.few": (
        "Checked on {cases} {cases:scan|scans} only, too few to trust the numbers. Label more scans, and hold out 3 of "
        "them or more."
    ),
    "verdict.seen": (
        "{cases} of the check cases were trained on by {model}, which this model started from, so its Dice looks too "
        "good. Hold out other ones."
    ),
    "verdict.pieces": (
        "{structures} {count:is|are} of one piece in every label, but the model finds stray pieces too. Keep only the "
        "largest piece when you segment: Dice {new:.3f} instead of {old:.3f}."
    ),
    "verdict.self": (
        "The model cannot even reproduce {case}, which it was trained on (Dice {dice:.2f}). It needs more time, or the "
        "labels contradict one another: look at them."
    ),
    "compare.better": (
        "{name} is better than {other}: Dice {new:.3f} against {old:.3f} on {cases} check {cases:case|cases}."
    ),
    "compare.same": (
        "{name} is as good as {other}: Dice {new:.3f} against {old:.3f} on {cases} check {cases:case|cases}."
    ),
    "compare.worse": (
        "{other} is better than {name}: Dice {old:.3f} against {new:.3f} on {cases} check {cases:case|cases}. Go on "
        "using {other}."
    ),
    "compare.more": (
        "{name} also segments {structures}, but what both know {other} does better: Dice {old:.3f} against {new:.3f} "
        "on {cases} check {cases:case|cases}. Use {name}, or {other} where you do not need {structures}."
    ),
    # what may spoil a result
    "fit.modality": "The scan says {found} and the model learned from {known}. Check the result, or choose its model.",
    "fit.coarse": (
        "Voxels across {plane} slices are {found} mm and the model learned from {known} mm. Details may be missing: "
        "check the result."
    ),
    "fit.fine": (
        "Voxels across {plane} slices are {found} mm and the model learned from {known} mm. Check the result, or "
        "add such scans to its study."
    ),
    "fit.part": (
        "Across {plane} slices the scan shows {found} mm and the model learned from {known} mm. What is cut off may be "
        "taken for something else: check its ends."
    ),
    "fit.more": (
        "Across {plane} slices the scan shows {found} mm and the model learned from {known} mm. It may find structures "
        "where none are: choose a region of interest."
    ),
    "fit.intensity": (
        "Channel {channel} of the scan is dark or bright in other places than those the model learned from. It may be "
        "of another kind: check the result."
    ),
    # what was changed in a result
    "refine.changed": (
        "{structure}: refining changed its volume by {percent} %, more than sharpening should. Compare with the result "
        "without it."
    ),
    "tidy.largest": "{structure}: {pieces} smaller {pieces:piece|pieces} taken away ({voxels} {voxels:voxel|voxels}).",
    "tidy.none_suggested": (
        "This model suggests no structure for keeping only its largest piece, so all pieces are kept."
    ),
    "tidy.filled": "{structure}: holes filled ({voxels} {voxels:voxel|voxels}).",
    # what stands out among the frames of a sequence
    "frames.spike": (
        "{structure}: in {count:frame|frames} {frames} its volume is more than {percent} % off that of the frames "
        "around. Look there, and correct what is wrong."
    ),
    # what to label next
    "next.nothing": "The study in {path} has no unlabelled scan. Add the scans you could label next.",
    "next.novel": "It looks unlike every scan that is labelled.",
    "next.typical": "{scans} other unlabelled {scans:scan looks|scans look} more like it than like any labelled one.",
    "next.doubtful": "The model is unsure of {structure}.",
    "next.missing": "The model finds no {structure}.",
}
