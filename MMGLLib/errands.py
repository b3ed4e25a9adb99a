"""Work on a study that would take too long in Slicer's own process: `python -m MMGLLib.errands REQUEST.json`.

Knows no Slicer and never writes `study.json`: what it finds out is told in `events.jsonl` beside the request, and the
process that shows the study, the only one that changes it, takes it over.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmgl.files import read_json
from mmgl.study import Image, Study, add_folder, label_questions
from mmgl.study.checks import Finding, check, known_of
from mmgl.study.folders import find_images, pair_labels
from MMGLLib.label_files import begun
from MMGLLib.messages import MMGLError, unwritable

LABELS = re.compile(r"(labels?|segmentations?|masks?)(tr)?$", re.IGNORECASE)
IMAGES = re.compile(r"(images?|scans?)(tr|ts)?$", re.IGNORECASE)
"""What people call the sub-folders with labels and with scans."""

LEFT_OUT = (
    *("scan.", "file.", "label.outside", "label.unreadable", "label.other_size"),
    *("label.not_integers", "label.negative", "label.many_values", "label.coloured"),
)
"""How the keys of messages begin for which a scan of a folder is left out, so that the others can join."""

SAMPLE = (5, 12)
"""Labelled and unlabelled hearts of the sample."""

Tell = Callable[..., None]


def survey(tell: Tell, study: str) -> None:
    """Look at each case, and tell which files are gone, what it is, what the checks find, and what the labels reach."""
    opened = Study.open(study)
    files = {name: str(file) for name, file in missing_files(opened).items()}
    tell("missing", files=files, begun=begun(opened.folder))
    known = known_of(opened, lambda done, of: tell("progress", done=done, of=of))
    facts = {}
    for name, found in known.items():
        scan, label = found.scan, found.label
        facts[name] = {
            "size": list(scan.size) if scan else [],
            "spacing": list(scan.spacing) if scan else [],
            "modality": scan.modality if scan else "",
            "voxels": dict(label.voxels) if label else {},
            "slices": dict(label.slices) if label else {},
        }
    findings = check(opened, known=known)
    tell("surveyed", facts=facts, findings=[told(finding) for finding in findings])


def add(tell: Tell, study: str, folder: str, meanings: dict[str, str], into: str) -> None:
    """Find the scans of a folder and their labels; tell the cases, or what must be asked about the labels."""
    opened = Study.open(study)
    draft = Study(Path(into), opened.structures, opened.cases, opened.next_id)
    skipped: list[str] = []
    try:
        for images, labels in _folders(Path(folder)):
            add_folder(
                draft,
                images,
                labels,
                meanings=meanings or None,
                left_out=LEFT_OUT,
                on_skipped=lambda path, error: skipped.append(str(error)),
                on_progress=lambda done, of: tell("progress", done=done, of=of),
            )
    except MMGLError as error:
        if error.key == "scan.no_image_in_folder" and skipped:
            tell("found", folder=into, count=0, skipped=skipped)
            return
        if error.key not in ("label.unknown_structure", "label.unnamed_values"):
            raise
        questions = _questions(opened, Path(folder), meanings)
        if not questions:
            raise
        tell("asked", questions=[told(question) for question in questions])
        return
    before = {case.name for case in opened.cases}
    draft.cases = tuple(case for case in draft.cases if case.name not in before)
    draft.save()
    tell("found", folder=into, count=len(draft.cases), skipped=skipped)


def series(tell: Tell, study: str, path: str, series: str, case: str, patient: str, into: str) -> None:
    """Tell one DICOM series as a case."""
    opened = Study.open(study)
    draft = Study(Path(into), opened.structures, (), opened.next_id)
    draft.add_case(Image(Path(path), series), name=case, patient=patient or None)
    draft.save()
    tell("found", folder=into, count=1, skipped=[])


def label(tell: Tell, study: str, case: str, path: str, meanings: dict[str, str]) -> None:
    """Understand a label that was just painted; tell what its segments mean, or what must be asked."""
    opened = Study.open(study)
    if questions := label_questions(opened, path, meanings):
        tell("asked", questions=[told(question) for question in questions])
        return
    understood = opened.set_label(case, path, meanings).label
    structures = [structure.to_json() for structure in opened.structures]
    tell("understood", meanings=dict(understood.meanings) if understood else {}, structures=structures)


def sample(tell: Tell, study: str, into: str) -> None:
    """Make the phantom hearts of the sample in the folder of a study, and tell them as cases."""
    from mmgl.demo.hearts import make_hearts

    folder = Path(study)
    make_hearts(folder, *SAMPLE, on_progress=lambda done, of: tell("progress", done=done, of=of))
    draft = Study(Path(into))
    add_folder(draft, folder / "labelled", folder / "labels")
    add_folder(draft, folder / "unlabelled")
    draft.split_checks()
    draft.save()
    tell("found", folder=into, count=len(draft.cases), skipped=[])


def missing_files(study: Study) -> dict[str, Path]:
    """Return the first file that is not there, by the names of the cases that miss one."""
    missing = {}
    for case in study.cases:
        paths = [image.path for image in case.images] + ([case.label.path] if case.label else [])
        gone = next((path for path in paths if not path.exists()), None)
        if gone is not None:
            missing[case.name] = gone
    return missing


def _as_text(error: MMGLError) -> dict[str, str]:
    """Return the parameters of a message, from which the panel knows what in it is a path."""
    return {name: str(value) for name, value in error.parameters.items()}


def told(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {
        "key": finding.key,
        "severity": finding.severity.value,
        "case": finding.case,
        "words": finding.words,
        "parameters": {name: str(value) for name, value in finding.parameters.items()},
        "choices": [[choice.value, choice.words] for choice in finding.choices],
        "default": finding.default,
        "structures": list(finding.structures),
    }


def _folders(folder: Path) -> list[tuple[Path, Path | None]]:
    """Return which folders hold scans, each with that of its labels: beside them, below them, or among them."""
    below = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    labels = [path for path in below if LABELS.match(path.name)]
    images = [path for path in below if IMAGES.match(path.name)]
    if len(labels) == 1 and images:
        return [(path, labels[0] if _fit(path, labels[0]) else None) for path in images]
    if len(labels) == 1 and _fit(folder, labels[0]):
        return [(folder, labels[0])]
    return [(folder, folder if _fit(folder, folder) else None)]


def _fit(images: Path, labels: Path) -> bool:
    """Return whether a folder has a label for one of its scans."""
    try:
        return bool(pair_labels(find_images(images, labels, lambda path, error: None), images, labels))
    except MMGLError as error:
        return error.key != "study.no_label_fits"


def _questions(study: Study, folder: Path, meanings: dict[str, str]) -> list[Finding]:
    """Return what must be asked about all labels of a folder, each name once."""
    draft = Study(study.folder, study.structures, study.cases, study.next_id)
    asked: dict[str, Finding] = {}
    for images, labels in _folders(folder):
        found = find_images(images, labels, lambda path, error: None)
        pairs = pair_labels(found, images, labels) if labels else {}
        for name, image in found:
            if path := pairs.get(name):
                try:
                    questions = label_questions(draft, path, meanings)
                    if not questions and not any(case.name == name for case in draft.cases):
                        draft.add_case(image, label=path, name=name, meanings=meanings)
                except MMGLError:
                    continue  # what is wrong with the file is said when it is added
                for question in questions:
                    asked.setdefault(str(question.parameters["name"]), question)
    return list(asked.values())


ERRANDS: dict[str, Callable[..., None]] = {
    "survey": survey,
    "add": add,
    "series": series,
    "label": label,
    "sample": sample,
}


def main(request: Path) -> int:
    """Do what a request says, and tell how it went."""
    events = request.with_name("events.jsonl")

    def tell(event: str, **facts: Any) -> None:
        line = json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n"
        with events.open("ab") as file:
            file.write(line.encode("utf-8", errors="backslashreplace"))

    document = read_json(request)
    try:
        ERRANDS[document["errand"]](tell, **document["arguments"])
    except MMGLError as error:
        tell("failed", key=error.key, words=str(error), parameters=_as_text(error))
        return 1
    except OSError as error:
        refused = unwritable(error)
        tell("failed", key=refused.key, words=str(refused), parameters=_as_text(refused))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
