"""The command line, ``mmgl COMMAND``. Heavy imports happen only in the command that runs."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mmgl.messages import MMGLError
from mmgl.options import build_parser

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 a problem told in one line, 2 wrong usage, 130 stopped."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    try:
        status = int(COMMANDS[options.command](options) or 0)
        sys.stdout.flush()
        return status
    except MMGLError as error:
        print(f"mmgl: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # who reads has read enough; without this Python would fail once more when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"mmgl: {_unwritable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmmgl: stopped", file=sys.stderr)
        return STOPPED


def _unwritable(error: OSError) -> MMGLError:
    """Return what the system refused in words; what cannot be read is told by its reader and does not come here."""
    path = Path(error.filename) if isinstance(error.filename, str) else Path("A file")
    path = path.parent if path.name.startswith(".writing-") else path
    return MMGLError("file.unwritable", path=path, reason=error.strerror or "the disk may be full")


def _study_new(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.create(options.study)
    print(f"New study in {study.folder}. Add scans with: mmgl study add {options.study} FOLDER")


def _study_add(options: argparse.Namespace) -> None:
    from mmgl.study import Study, Use, add_folder

    study = Study.open(options.study)
    known = {structure.id for structure in study.structures}
    meanings = dict(_pair(text) for text in options.structures)
    added = add_folder(
        study,
        options.images,
        options.labels,
        meanings=meanings or None,
        only=options.only or None,
        patient_pattern=options.patient,
        use=Use.CHECK if options.check else Use.TRAIN,
    )
    study.save()
    labelled = sum(case.label is not None for case in added)
    print(f"Added {len(added)} scans, {labelled} of them labelled.")
    if not added:
        print("The study has all of these scans already, and what it knows of them was not changed.")
    if new := [structure.name for structure in study.structures if structure.id not in known]:
        print(f"New structures: {', '.join(new)}")


def _pair(text: str) -> tuple[str, str]:
    """Return the two sides of ``KEY=NAME``."""
    key, sign, name = text.partition("=")
    if not sign or not key.strip():
        raise MMGLError("structures.form", text=text)
    return key.strip(), name.strip()


def _study_split(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.open(options.study)
    names = study.split_checks(options.fraction, options.seed)
    study.save()
    print(f"Check cases: {', '.join(names)}" if names else "Too few labelled patients (under 4) to hold any out.")


def _study_show(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.open(options.study)
    print("Structures")
    for structure in study.structures:
        print(f"  {structure.name}  #{bytes(structure.colour).hex()}  {structure.code}".rstrip())
    print(f"Cases ({len(study.labelled)} labelled, {len(study.unlabelled)} unlabelled, {len(study.checks)} check)")
    for case in study.cases:
        print(f"  {case.name:<40} {case.use.value:<10} {'labelled' if case.label else 'unlabelled'}")


def _study_use(options: argparse.Namespace) -> None:
    from mmgl.study import Study, Use

    study = Study.open(options.study)
    for case in options.cases:
        study.set_use(case, Use(options.use.replace("-", " ")))
    study.save()
    print(f"{len(options.cases)} cases: {options.use}.")


def _study_remove(options: argparse.Namespace) -> None:
    from mmgl.study import Study

    study = Study.open(options.study)
    for case in options.cases:
        study.remove_case(case)
    study.save()
    print(f"{len(options.cases)} cases are no longer in the study; their files are where they were.")


def _train(options: argparse.Namespace) -> int:
    """Train; the first Ctrl-C keeps what was learned so far, a second one stops at once."""
    from mmgl.device import keep_memory
    from mmgl.progress import ProgressLine
    from mmgl.study import Study
    from mmgl.training.budget import Budget
    from mmgl.training.train import resume, train

    keep_memory()
    study = Study.open(options.study)
    with ProgressLine() as progress, _asked_to_stop() as stop:
        try:
            if options.resume:
                name = _interrupted(study.folder, options.name)
                path = resume(study, name, device=options.device, on_event=progress.show, stop=stop)
            else:
                minutes = 15.0 if options.minutes is None else options.minutes
                path = train(
                    study,
                    method=options.method,
                    budget=Budget(options.steps, None if options.steps is not None else minutes),
                    seed=options.seed,
                    device=options.device,
                    name=options.name,
                    published=options.published,
                    on_event=progress.show,
                    stop=stop,
                )
        except MMGLError as error:
            if error.key != "run.stopped":
                raise
            name = error.parameters["name"]
            print(f"\nmmgl: {error}\nmmgl train {options.study} --resume --name {name}", file=sys.stderr)
            return STOPPED
    print(f"Model written: {path}")
    return 0


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Yield a question that is answered with yes after the first Ctrl-C; the second one is Python's own."""
    asked: list[int] = []
    before = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(asked)
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


def _interrupted(folder: Path, name: str) -> str:
    """Return the name of the training to go on with: ``name``, or the latest that left no model."""
    if name:
        return name
    runs = [config.parent for config in (folder / "runs").glob("*/config.json")]
    runs = [run for run in runs if not (folder / "models" / f"{run.name}.mmgl").exists()]
    if not runs:
        raise MMGLError("run.unknown", name="at all")
    return max(runs, key=lambda run: run.stat().st_mtime).name


def _segment(options: argparse.Namespace) -> int:
    from mmgl.commands.segment import segment

    return segment(options)


def _next(options: argparse.Namespace) -> None:
    from mmgl.commands.next_scan import next_scan

    next_scan(options)


def _evaluate(options: argparse.Namespace) -> None:
    from mmgl.evaluation.folders import evaluate_folder, pair_files
    from mmgl.evaluation.table import as_text, write_csv

    for path in filter(None, (options.csv, options.report)):
        if path.exists():
            raise MMGLError("file.exists", path=path)
    structures = _values(options.structures or [])
    scores = evaluate_folder(options.results, options.references, structures)
    print(as_text(scores))
    pairs = pair_files(options.results, options.references)
    for side, alone in (("reference", pairs.without_reference), ("result", pairs.without_result)):
        if alone:
            print(f"Not compared, without a {side}: {len(alone)} ({', '.join(alone[:3])}{', ...' * (len(alone) > 3)})")
    if options.csv:
        write_csv(options.csv, scores)
    if options.report:
        from mmgl.evaluation.folders import report_folder

        folders = options.results, options.references, options.images
        report_folder(options.report, scores, *folders, structures=structures)


def _values(texts: Sequence[str]) -> dict[int, str]:
    """Return names by the values they stand for: 1, 2, ... for plain names, or those written as ``VALUE=NAME``."""
    if not any("=" in text for text in texts):
        return dict(enumerate(texts, start=1))
    pairs = [_pair(text) for text in texts]
    if any(not key.isdigit() for key, _ in pairs):
        raise MMGLError("structures.form", text=next(text for text in texts if not text.split("=")[0].isdigit()))
    return {int(key): name for key, name in pairs}


def _demo(options: argparse.Namespace) -> None:
    from mmgl.demo.demo import run_demo
    from mmgl.device import keep_memory

    keep_memory()
    run_demo(options.output, options.minutes, options.device)


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    "study_new": _study_new,
    "study_add": _study_add,
    "study_split": _study_split,
    "study_use": _study_use,
    "study_remove": _study_remove,
    "study_show": _study_show,
    "train": _train,
    "segment": _segment,
    "next": _next,
    "evaluate": _evaluate,
    "demo": _demo,
}

if __name__ == "__main__":
    sys.exit(main())
