"""``mmgl next``: which unlabelled scans of a study to label next, and why."""

from __future__ import annotations

import argparse
import sys

from mmgl.device import keep_memory
from mmgl.inference.next_scan import Look, look, suggest
from mmgl.inference.predictor import Predictor
from mmgl.messages import MMGLError
from mmgl.study import Study


def next_scan(options: argparse.Namespace) -> None:
    """Look at all scans of a study with a model, and print the ones to label next."""
    keep_memory()
    study, predictor = Study.open(options.study), Predictor(options.model, options.device)
    if not study.unlabelled:
        raise MMGLError("next.nothing", path=options.study)
    labelled: list[Look] = []
    unlabelled: dict[str, Look] = {}
    cases = [*study.labelled, *study.unlabelled]
    for done, case in enumerate(cases, start=1):
        if sys.stderr.isatty():
            print(f"\r{done} of {len(cases)}", end="", file=sys.stderr, flush=True)
        try:
            seen = look(predictor, study.read_scan(case))
        except MMGLError as error:
            print(f"\rmmgl: {error}", file=sys.stderr)
            continue
        if case.label:
            labelled.append(seen)
        else:
            unlabelled[case.name] = seen
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    for number, suggestion in enumerate(suggest(labelled, unlabelled, options.count), start=1):
        print(f"{number}. {suggestion.name}: {suggestion.reason.words}")
