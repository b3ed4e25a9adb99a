"""The commands ``mmgl study ...``: making a study, filling it, checking it, and answering what it asks."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from mmgl.messages import MMGLError
from mmgl.wording import fill

if TYPE_CHECKING:
    from mmgl.study import Case, Study


def _new(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.create(options.study)
    print(f"New study in {study.folder}. Add scans with: mmgl study add {options.study} FOLDER")


def _add(options: argparse.Namespace) -> None:
    from mmgl.progress import counting
    from mmgl.study import Study, Use, add_folder

    study = Study.open(options.study)
    known = {structure.id for structure in study.structures}
    meanings = dict(pair(text) for text in options.structures)
    with counting("Reading headers") as count:
        if options.layout or options.split or options.labelled is not None:
            added = _add_published(study, meanings, options)
        else:
            added = add_folder(
                study,
                options.images,
                options.labels,
                meanings=meanings or None,
                only=options.only or None,
                patient_pattern=options.patient,
                use=Use.CHECK if options.check else Use.TRAIN,
                on_progress=count,
            )
    study.save()
    labelled = sum(case.label is not None for case in added)
    _tell("Added {n} {n:scan|scans}, {labelled} of them labelled.", n=len(added), labelled=labelled)
    if not added:
        print("The study has all of these scans already, and what it knows of them was not changed.")
    if new := [structure.name for structure in study.structures if structure.id not in known]:
        print(f"New structures: {', '.join(new)}")


def _add_published(study: Study, meanings: dict[str, str], options: argparse.Namespace) -> list[Case]:
    """Add a data set as it is published, after a check that no option contradicts the layout."""
    from mmgl.layouts import LAYOUTS
    from mmgl.study.published import add_published, read_split

    if not options.layout:
        raise MMGLError("layout.alone", option="--split" if options.split else "--labelled")
    for option in ("labels", "only", "patient", "check"):
        if getattr(options, option):
            raise MMGLError("layout.together", option=f"--{option}")
    split = read_split(options.split) if options.split else None
    layout = LAYOUTS[options.layout]
    return add_published(
        study, options.images, layout, labelled=options.labelled, split=split, meanings=meanings or None
    )


def _tell(sentence: str, **parameters: object) -> None:
    """Print a sentence with its numbers in it."""
    print(fill(sentence, parameters))


def pair(text: str) -> tuple[str, str]:
    """Return the two sides of ``KEY=NAME``.

    Raises:
        MMGLError: ``structures.form``.
    """
    key, sign, name = text.partition("=")
    if not sign or not key.strip():
        raise MMGLError("structures.form", text=text)
    return key.strip(), name.strip()


def _merge(options: argparse.Namespace) -> None:
    from mmgl.study import Study, merge

    study = Study.open(options.study)
    known = {structure.id for structure in study.structures}
    meanings = dict(pair(text) for text in options.structures)
    merged = merge(study, Study.open(options.other), meanings)
    study.save()
    cases, labels = len(merged.added), len(merged.labelled)
    _tell("Added {cases} {cases:case|cases} and {labels} {labels:label|labels}.", cases=cases, labels=labels)
    if merged.kept:
        print(f"Labelled in both studies, so that the label of this one was kept: {', '.join(merged.kept)}")
    if new := [structure.name for structure in study.structures if structure.id not in known]:
        print(f"New structures: {', '.join(new)}")


def _split(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.open(options.study)
    names = study.split_checks(options.fraction, options.seed)
    study.save()
    print(f"Check cases: {', '.join(names)}" if names else "Too few labelled patients (under 4) to hold any out.")


def _show(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.open(options.study)
    print("Structures")
    for structure in study.structures:
        print(f"  {structure.name}  #{bytes(structure.colour).hex()}  {structure.code}".rstrip())
    print(f"Cases ({len(study.labelled)} labelled, {len(study.unlabelled)} unlabelled, {len(study.checks)} check)")
    for case in study.cases:
        patient = "" if case.patient == case.name else f"  patient {case.patient}"
        state = "labelled" if case.label else "unlabelled"
        print(f"  {case.name:<40} {case.use.value:<10} {state:<10}{patient}".rstrip())


def _use(options: argparse.Namespace) -> None:
    from mmgl.study import Study, Use

    study = Study.open(options.study)
    for case in options.cases:
        study.set_use(case, Use(options.use.replace("-", " ")))
    study.save()
    _tell("{n} {n:case|cases}: {use}.", n=len(options.cases), use=options.use)


def _remove(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.open(options.study)
    for case in options.cases:
        study.remove_case(case)
    study.save()
    words = "{n} {n:case is|cases are} no longer in the study; {n:its|their} files are where they were."
    _tell(words, n=len(options.cases))


def _rename(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from mmgl.study import Study

    study = Study.open(options.study)
    study.change_structure(replace(study.structure(options.name), name=options.new_name))
    study.save()
    print(f"{options.name} is now called {options.new_name}.")


def _colour(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from mmgl.study import Study

    study = Study.open(options.study)
    study.change_structure(replace(study.structure(options.name), colour=options.colour))
    study.save()
    print(f"{options.name} is now shown in #{bytes(options.colour).hex()}.")


def _check(options: argparse.Namespace) -> int:
    """Print the findings; the status is 1 where training would refuse."""
    from mmgl.progress import counting
    from mmgl.study import Study
    from mmgl.study.checks import Severity
    from mmgl.study.checks.text import as_text

    study = Study.open(options.study)
    with counting("Looking at your scans") as count:
        findings = study.check(count)
    print(as_text(findings))
    return int(any(finding.severity is Severity.ERROR for finding in findings))


def _answer(options: argparse.Namespace) -> None:
    """Give one answer to all questions of one kind, or to those about some cases."""
    from mmgl.study import Study

    study = Study.open(options.study)
    for case in options.cases:
        study.case(case)  # says so where there is none of this name
    asked = [f for f in study.check() if f.key == options.key and f.choices]
    asked = [f for f in asked if not options.cases or f.case in options.cases]
    if not asked:
        of = f" of {', '.join(options.cases)}" if options.cases else ""
        raise MMGLError("check.nothing_to_answer", question=options.key, of=of)
    for finding in asked:
        study.answer(finding, options.answer)
    study.save()
    print(f"{len(asked)} answered: {options.answer}.")


def _pack(options: argparse.Namespace) -> None:
    from mmgl.progress import counting
    from mmgl.study import Study
    from mmgl.study.packing import pack

    with counting("Writing scans") as count:
        packed = pack(Study.open(options.study), options.folder, count)
    print(f"Packed {len(packed.cases)} scans. Copy {options.folder} to the other computer and read its README.txt.")


def _add_model(options: argparse.Namespace) -> None:
    from mmgl.study import Study
    from mmgl.study.packing import add_model

    study = Study.open(options.study)
    path, card = add_model(study, options.model)
    print(f"Model added: {path}\nIt segments {', '.join(structure.name for structure in card.structures)}.")


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "study_new": _new,
    "study_add": _add,
    "study_merge": _merge,
    "study_split": _split,
    "study_use": _use,
    "study_remove": _remove,
    "study_rename": _rename,
    "study_colour": _colour,
    "study_show": _show,
    "study_check": _check,
    "study_answer": _answer,
    "study_pack": _pack,
    "study_add_model": _add_model,
}
