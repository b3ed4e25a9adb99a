"""Does training again learn a new structure and keep the old one? One JSON line a training, appended.

    python benchmarks/accuracy/again.py --first 300 --steps 100 --seed 0
    python benchmarks/accuracy/again.py --table

The anterior half of the hippocampus is labelled in the first scans of ``train``, and a first model learns it; the
posterior half was background until then. Then somebody paints that one too: in all of the scans (``all``), or only in
as many new ones (``new``), where the first scans tell nothing of it. ``again`` starts from the first model, ``scratch``
from nothing, with the same labels and the same steps; ``long`` from nothing, with the steps of both trainings. Some
scans of ``val`` choose the checkpoint, others are evaluated, on their own grids. ``--small`` learns from 8 axial slices
of 48 pixels in a step, so that a training takes a minute on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from mmgl import Budget, Predictor, Study, __version__, train
from mmgl.data.plan import make_plan
from mmgl.device import choose_device, keep_memory
from mmgl.evaluation.metrics import score, summarise
from mmgl.progress import ProgressLine
from mmgl.study import Use
from mmgl.training import again, course, preparing

OLD, NEW = "Anterior", "Posterior"
BOTH, OLD_ONLY = {"1": OLD, "2": NEW}, {"1": OLD, "2": ""}
SCANS, CHECKS, TESTS = 6, 4, 10
SMALL = 8
RESULTS = Path(__file__).with_name("again.jsonl")


def main() -> None:
    """Train the first model, then again and from nothing, and write what each reaches; or print the table."""
    options = _options()
    if options.table:
        print_table(options.results)
        return
    keep_memory()
    if options.small:
        make_it_small()
    kind = "small" if options.small else "usual"
    first = options.work / f"{options.method}-{options.first}-{kind}-{options.seed}"
    data = options.folder / "hippocampus"
    if not (first / "models" / "first.mmgl").exists():
        shutil.rmtree(first, ignore_errors=True)
        learn(make_study(first, data), options, "first", options.first)
    for labels in options.labels:
        work = first.with_name(f"{first.name}-{labels}-{options.steps}")
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(first, work)
        study = Study.open(work)
        paint(study, data, labels)
        learn(study, options, "again", options.steps, labels, start="first")
        learn(study, options, "scratch", options.steps, labels)
        if options.long:
            learn(study, options, "long", options.first + options.steps, labels)
        shutil.rmtree(work)


def make_it_small() -> None:
    """Let plans be small and checks few."""

    def small(*arguments, **options):
        return replace(make_plan(*arguments, **options), batch=SMALL, slice_size=48, planes=("axial",))

    preparing.make_plan = small
    again.fitting_batch = lambda *arguments, **options: SMALL
    course.CHECKS = 3


def make_study(folder: Path, data: Path) -> Study:
    """Return a study in which only the anterior half is labelled."""
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    study = Study.create(folder)
    uses = [(splits["train"][:SCANS], Use.TRAIN), (splits["val"][:CHECKS], Use.CHECK)]
    uses += [(splits["val"][CHECKS : CHECKS + TESTS], Use.LEAVE_OUT)]
    for names, use in uses:
        for name in names:
            image, label = (data / kind / f"{name}.nii.gz" for kind in ("images", "labels"))
            study.add_case(image, label=label, use=use, meanings=OLD_ONLY)
    study.save()
    return study


def paint(study: Study, data: Path, labels: str) -> None:
    """Let the posterior half be painted too: in all scans, or in new ones only."""
    for case in study.cases:
        if labels == "all" or case.use is not Use.TRAIN:
            study.set_label(case.name, case.label.path, BOTH)
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    for name in splits["train"][SCANS : 2 * SCANS] if labels == "new" else ():
        image, label = (data / kind / f"{name}.nii.gz" for kind in ("images", "labels"))
        study.add_case(image, label=label, meanings=BOTH)
    study.save()


def learn(
    study: Study, options: argparse.Namespace, name: str, steps: int, labels: str = "old", start: str = ""
) -> None:
    """Train one model, and append what it reaches on the test scans."""
    begun, curve = time.monotonic(), []

    def heard(event: dict) -> None:
        progress.show(event)
        if event["event"] == "check":
            curve.append({"step": event["step"], "dice": event["dice"]})

    with ProgressLine() as progress:
        model = train(
            study,
            method=options.method,
            budget=Budget(steps),
            seed=options.seed,
            device=options.device,
            name=name,
            start=start,
            on_event=heard,
        )
    record = {
        "data": "hippocampus",
        "small": options.small,
        "labels": labels,
        "training": name,
        "method": options.method,
        "seed": options.seed,
        "first": options.first,
        "steps": steps,
        "dice": evaluate(study, model, options.device),
        "checks": curve,
        "seconds": round(time.monotonic() - begun),
        "version": __version__,
        "machine": f"{os.cpu_count()} cores, {choose_device(options.device)}",
        "date": time.strftime("%Y-%m-%d"),
    }
    with options.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    print(json.dumps(record), flush=True)


def evaluate(study: Study, model: Path, device: str) -> dict[str, float]:
    """Return the mean Dice of each structure over the test scans, on their own grids."""
    predictor, names = Predictor(model, device), [structure.name for structure in study.structures]
    scores = []
    for case in study.cases:
        if case.use is Use.LEAVE_OUT:
            scan, reference = study.read_scan(case), study.read_label(case)
            result = predictor.segment(scan)
            scores += score(case.name, result, reference.labelmap, scan.grid.spacing, names, reference.sets)
    return {row.structure: round(row.dice, 4) for row in summarise(scores) if row.structure in names}


def print_table(results: Path) -> None:
    """Print one row for each training: mean Dice over the seeds."""
    runs: dict[tuple[bool, str, int, str, int], list[dict]] = defaultdict(list)
    for line in results.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        runs[run["small"], run["labels"], run["first"], run["training"], run["steps"]].append(run)
    print("| slices | labels | first model | training | steps | seeds |", f"Dice {OLD} | Dice {NEW} |")
    print("|---|---|---|---|---|---|---|---|")
    for (small, labels, first, training, steps), several in sorted(runs.items()):
        cells = []
        for name in (OLD, NEW):
            found = [run["dice"][name] for run in several if name in run["dice"]]
            cells.append(f"{statistics.mean(found):.3f}" if found else "–")
        which = (
            f"| {'small' if small else 'usual'} | {labels} | {first} steps | {training} | {steps} | {len(several)} |"
        )
        print(which, " | ".join(cells), "|")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", nargs="+", choices=["all", "new"], default=["all", "new"])
    parser.add_argument("--first", type=int, default=300, help="steps of the first model")
    parser.add_argument("--steps", type=int, default=100, help="of training again")
    parser.add_argument("--small", action="store_true", help="small slices, few at once")
    parser.add_argument("--long", action="store_true", help="also from nothing with the steps of both")
    parser.add_argument("--method", default="supervised")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    where = Path(tempfile.gettempdir()) / "mmgl-again"
    parser.add_argument("--work", type=Path, default=where, help="first models that are there are used again")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print the table of the runs so far, and train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
