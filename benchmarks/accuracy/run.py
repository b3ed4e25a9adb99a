"""Train one method on one data set and write what it reaches: one JSON line a run, appended, never edited by hand.

    python benchmarks/accuracy/run.py hippocampus --labelled 2 --method mmgl --seed 0 --steps 3000

Data: the folder MMGL_DATA, one folder a data set, with images/, labels/ and splits.json (lists ``train``, ``val`` and
``test``, in order). The first N of ``train`` are labelled, the labels of the rest are not read; ``val`` are the check
cases, on which the best checkpoint is chosen, and which are evaluated on the scans' own grids.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import torch

from mmgl import Budget, Predictor, Study, __version__, train
from mmgl.device import choose_device, keep_memory
from mmgl.evaluation.metrics import Score, score, summarise
from mmgl.evaluation.pictures import overlay
from mmgl.imaging.segmentation_files import write_picture
from mmgl.progress import ProgressLine
from mmgl.study import Use

STRUCTURES = {
    "hippocampus": {"1": "Anterior", "2": "Posterior"},
    "acdc": {"1": "Right ventricle", "2": "Myocardium", "3": "Left ventricle"},
}
RESULTS = Path(__file__).with_name("results.jsonl")


def main() -> None:
    """Run one row of the table of runs."""
    options = _options()
    keep_memory()
    work = options.work / f"{options.data}-{options.labelled}-{options.method}-{options.seed}"
    shutil.rmtree(work, ignore_errors=True)
    study = make_study(work, options.folder / options.data, options.labelled)
    begun = time.monotonic()
    with ProgressLine() as progress:
        budget = Budget(options.steps, options.minutes)
        model = train(
            study,
            method=options.method,
            budget=budget,
            seed=options.seed,
            device=options.device,
            on_event=progress.show,
        )
    trained = time.monotonic()
    scores = evaluate(study, model, options.device, options.pictures)
    record = {
        "data": options.data,
        "labelled": options.labelled,
        "method": options.method,
        "seed": options.seed,
        "steps": options.steps,
        "minutes": options.minutes,
        "set": "check",
        "cases": len(study.checks),
        "dice": {row.structure: round(row.dice, 4) for row in summarise(scores)},
        "hd95": {row.structure: round(row.hd95, 3) for row in summarise(scores)},
        "surface_distance": {row.structure: round(row.surface_distance, 3) for row in summarise(scores)},
        "worst": {row.structure: round(row.worst, 4) for row in summarise(scores)},
        "train_seconds": round(trained - begun),
        "segment_seconds": round(time.monotonic() - trained),
        "versions": {"mmgl": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
        "machine": f"{os.cpu_count()} cores, {choose_device(options.device)}",
        "date": time.strftime("%Y-%m-%d"),
    }
    with options.results.open("a") as file:
        file.write(json.dumps(record) + "\n")
    print(json.dumps(record, indent=1))
    if not options.keep:
        shutil.rmtree(work)


def make_study(folder: Path, data: Path, labelled: int) -> Study:
    """Return a study of the data set's split: ``labelled`` patients with labels, the other train patients without."""
    splits = json.loads((data / "splits.json").read_text(encoding="utf-8"))
    study = Study.create(folder)
    images = sorted((data / "images").iterdir())
    for use, patients, count in ((Use.TRAIN, splits["train"], labelled), (Use.CHECK, splits["val"], None)):
        for number, patient in enumerate(patients):
            for image in (i for i in images if i.name.startswith(f"{patient}_") or i.name.startswith(f"{patient}.")):
                label = data / "labels" / image.name if count is None or number < count else None
                study.add_case(image, label=label, patient=patient, use=use, meanings=STRUCTURES[data.name])
    study.save()
    return study


def evaluate(study: Study, model: Path, device: str, pictures: Path | None) -> list[Score]:
    """Return the scores of all check cases on their own grids, and write pictures of the first ones if asked."""
    predictor = Predictor(model, device)
    names = [s.name for s in study.structures]
    scores = []
    for number, case in enumerate(study.checks):
        scan, reference = study.read_scan(case), study.read_labelmap(case)
        result = predictor.segment(scan)
        scores += score(case.name, result, reference, scan.grid.spacing, names)
        if pictures and number < 4:
            strip = overlay(scan, result, study.structures, reference=reference)
            write_picture(pictures / f"{case.name}.png", strip, overwrite=True)
    return scores


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=sorted(STRUCTURES))
    parser.add_argument("--labelled", type=int, required=True, help="patients of train whose labels are read")
    parser.add_argument("--method", default="mmgl")
    parser.add_argument("--seed", type=int, default=0)
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=int)
    budget.add_argument("--minutes", type=float)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "mmgl-benchmark")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the first check cases")
    parser.add_argument("--keep", action="store_true", help="keep the study and its models in --work")
    return parser.parse_args()


if __name__ == "__main__":
    main()
