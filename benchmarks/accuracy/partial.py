"""What it is worth to ignore what is not labelled: ACDC partly labelled in four ways, one JSON line a run, appended.

    python benchmarks/accuracy/partial.py third --handling ignored --steps 1500 --seed 0
    python benchmarks/accuracy/partial.py --table

The labels of the first seven patients of ``train`` are: ``full``; ``third``, painted on every third slice;
``missing``, without right ventricle in three of the seven; ``scribbles``. With ``ignored`` MMGL is told nothing but
what a clinician would say, and takes what is not painted as not labelled; with ``background`` it is told that what is
not painted is background, as most programs assume. The patients of ``val`` are labelled in full: they choose the
checkpoint and are evaluated, on the scans' own grids.
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
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl import Budget, Predictor, Study, __version__, train
from mmgl.device import choose_device, keep_memory
from mmgl.evaluation.metrics import score, summarise
from mmgl.progress import ProgressLine
from mmgl.study import Use

STRUCTURES = {"1": "Right ventricle", "2": "Myocardium", "3": "Left ventricle"}
LABELS = ("full", "third", "missing", "scribbles")
PATIENTS, WITHOUT = 7, 3
UNPAINTED = 4
RESULTS = Path(__file__).with_name("partial.jsonl")


def main() -> None:
    """Make one study, train on it, and write what it reaches; or print the table."""
    options = _options()
    if options.table:
        print_table(options.results)
        return
    if options.labels is None or options.steps is None:
        raise SystemExit("partial.py: say which labels, and how many --steps")
    keep_memory()
    work = options.work / f"{options.labels}-{options.handling}-{options.method}-{options.seed}"
    shutil.rmtree(work, ignore_errors=True)
    study = make_study(work, options.folder / "acdc", options.labels, options.handling, options.patients)
    begun = time.monotonic()
    with ProgressLine() as progress:
        model = train(
            study,
            method=options.method,
            budget=Budget(options.steps),
            seed=options.seed,
            device=options.device,
            on_event=progress.show,
        )
    trained = time.monotonic()
    rows = summarise(evaluate(study, model, options.device))
    record = {
        "data": "acdc",
        "labels": options.labels,
        "handling": options.handling,
        "patients": options.patients,
        "method": options.method,
        "seed": options.seed,
        "steps": options.steps,
        "cases": len(study.checks),
        "dice": {row.structure: round(row.dice, 4) for row in rows},
        "hd95": {row.structure: round(row.hd95, 3) for row in rows},
        "train_seconds": round(trained - begun),
        "version": __version__,
        "machine": f"{os.cpu_count()} cores, {choose_device(options.device)}",
        "date": time.strftime("%Y-%m-%d"),
    }
    with options.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    print(json.dumps(record, indent=1))
    if not options.keep:
        shutil.rmtree(work)


def make_study(work: Path, data: Path, labels: str, handling: str, patients: int) -> Study:
    """Return a study of ``patients`` partly labelled patients, the other training patients without labels."""
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    study = Study.create(work / "study")
    for name in STRUCTURES.values():
        study.add_structure(name)
    for number, patient in enumerate(splits["train"]):
        for image in _images(data, patient):
            if number >= patients:
                study.add_case(image, patient=patient)
                continue
            label = write_label(work / "labels", data, image.name, labels, missing=number < WITHOUT)
            ignored = "?" if handling == "ignored" else ""
            meanings = {**STRUCTURES, str(UNPAINTED): ignored}
            case = study.add_case(image, label=label, patient=patient, meanings=meanings)
            for structure in study.structures if handling == "background" else ():
                study.set_extent(case.name, structure.name, "everywhere")
    for patient in splits["val"]:
        for image in _images(data, patient):
            label = data / "labels" / image.name
            study.add_case(image, label=label, patient=patient, use=Use.CHECK, meanings=STRUCTURES)
    study.save()
    return study


def write_label(folder: Path, data: Path, name: str, labels: str, *, missing: bool) -> Path:
    """Write the label of one image as a labeller of this kind would have left it, and return its path."""
    source = data / ("scribbles" if labels == "scribbles" else "labels") / name
    image = sitk.ReadImage(str(source))
    array = sitk.GetArrayFromImage(image)
    if labels == "third":
        array[np.arange(len(array)) % 3 != 0] = 0
    if labels == "missing" and missing:
        array[array == 1] = 0
    changed = sitk.GetImageFromArray(array)
    changed.CopyInformation(image)
    folder.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(changed, str(folder / name))
    return folder / name


def evaluate(study: Study, model: Path, device: str) -> list:
    """Return the scores of all check cases on their own grids."""
    predictor, names = Predictor(model, device), [structure.name for structure in study.structures]
    scores = []
    for case in study.checks:
        scan, reference = study.read_scan(case), study.read_label(case)
        result = predictor.segment(scan)
        scores += score(case.name, result, reference.labelmap, scan.grid.spacing, names, reference.sets)
    return scores


def print_table(results: Path) -> None:
    """Print one row for each kind of labels and handling: mean Dice over seeds."""
    runs: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for line in results.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        runs[run["labels"], run["handling"]].append(run)
    names = [*STRUCTURES.values(), "mean"]
    print("| labels | what is not painted | seeds |", " | ".join(f"Dice {name}" for name in names), "|")
    print("|---|---|---|" + "---|" * len(names))
    for labels, handling in sorted(runs, key=lambda key: (LABELS.index(key[0]), key[1] != "ignored")):
        several = runs[labels, handling]
        cells = [f"{statistics.mean(run['dice'][name] for run in several):.3f}" for name in names]
        print(f"| {labels} | {handling} | {len(several)} |", " | ".join(cells), "|")


def _images(data: Path, patient: str) -> list[Path]:
    return sorted((data / "images").glob(f"{patient}_*"))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", nargs="?", choices=LABELS)
    parser.add_argument("--handling", choices=["ignored", "background"], default="ignored")
    parser.add_argument("--patients", type=int, default=PATIENTS)
    parser.add_argument("--method", default="supervised")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mmgl-partial")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--keep", action="store_true", help="keep the study and its model in --work")
    parser.add_argument("--table", action="store_true", help="print the table of the runs so far, and train nothing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
