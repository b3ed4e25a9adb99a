"""Train one method on one data set and write what it reaches: one JSON line a run, appended, never edited by hand.

    python benchmarks/accuracy/run.py acdc-centre --labelled 3 --method mmgl --seed 0

Data: the folder MMGL_DATA, with the folders that ``data.py`` names. The checkpoint is chosen on the check cases, and
scores are taken on each case's own grid. A run that was interrupted goes on where it was, if the program, its settings
and its versions are still the same; otherwise it is repeated. ``run_all.py`` runs the whole table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from data import DATA, make_study
from record import facts_of_run, provenance, scores_to_json, training_seconds, what_runs
from results import BUSY, add_folders, append_result, claimed, lock_file, read_results, result_of
from runs import Run, steps_of

from mmgl import Budget, Predictor, Study, train
from mmgl.device import keep_memory
from mmgl.evaluation.metrics import Score, score
from mmgl.evaluation.pictures import overlay
from mmgl.files import read_json, write_json
from mmgl.imaging.segmentation_files import write_picture
from mmgl.messages import MMGLError
from mmgl.progress import ProgressLine
from mmgl.study import Case, Use
from mmgl.training.train import resume

NAME = "run"
"""Of the run and the model in the study."""


def main() -> int:
    """Run one row of the table of runs, or any other that the options describe."""
    options = _options()
    run = _run(options)
    with claimed(lock_file(run, options.work)) as mine:
        if not mine:
            print(f"{run.key} is being run by another process")
            return BUSY
        if result_of(run, read_results(options.results)):
            print(f"{run.key} is in the results already")
            return 0
        keep_memory()
        try:
            record = measure(run, options.folder, options.work, options.device, options.pictures)
        except MMGLError as error:
            print(f"{run.key}: {error}", file=sys.stderr)
            return 1
        append_result(options.results, record)
        print(json.dumps(record, indent=1))
        if not options.keep:
            shutil.rmtree(options.work / run.key)
    return 0


def measure(run: Run, root: Path, work: Path, device: str = "auto", pictures: Path | None = None) -> dict[str, Any]:
    """Train and evaluate, or go on with what an interrupted call left in ``work``; return the line of results.

    Args:
        root: the folder of all data.
        work: the study of the run lies below it, under the run's key.
        pictures: folder for pictures of the first cases.
    """
    folder = work / run.key
    study = _study(run, folder, root, work, device)
    model = folder / "models" / f"{NAME}.mmgl"
    if not model.exists():
        with ProgressLine() as progress:
            if (folder / "runs" / NAME / "config.json").exists():
                resume(study, NAME, device=device, on_event=progress.show)
            else:
                budget = Budget(run.steps, run.minutes)
                asked = {"method": run.method, "budget": budget, "seed": run.seed, "published": run.published}
                train(study, **asked, device=device, name=NAME, on_event=progress.show)
    begun = time.monotonic()
    cases = study.checks if run.set == "check" else tuple(c for c in study.cases if c.use is Use.LEAVE_OUT)
    scores = evaluate(study, cases, model, device, pictures)
    seconds = {"train": training_seconds(folder / "runs" / NAME), "segment": round(time.monotonic() - begun)}
    facts = facts_of_run(folder / "runs" / NAME, model)
    return {**run.to_json(), **scores_to_json(scores), "seconds": seconds, **facts, **provenance(device)}


def evaluate(
    study: Study, cases: tuple[Case, ...], model: Path, device: str, pictures: Path | None = None
) -> list[Score]:
    """Return the scores of the cases on their own grids, and write pictures of the first ones if asked."""
    predictor = Predictor(model, device)
    names = [s.name for s in study.structures]
    scores = []
    for number, case in enumerate(cases):
        scan, reference = study.read_scan(case), study.read_labelmap(case)
        result = predictor.segment(scan)
        scores += score(case.name, result, reference, scan.grid.spacing, names)
        if pictures and number < 4:
            strip = overlay(scan, result, study.structures, reference=reference)
            write_picture(pictures / f"{case.name}.png", strip, overwrite=True)
    return scores


def _study(run: Run, folder: Path, root: Path, work: Path, device: str) -> Study:
    """Return the study of the run: the one that an interrupted call of the same program left, or a new one."""
    asked = {**run.to_json(), "root": str(root.resolve()), **what_runs(device)}
    if (folder / "asked.json").is_file() and read_json(folder / "asked.json") == asked:
        return Study.open(folder)
    shutil.rmtree(folder, ignore_errors=True)
    study = make_study(folder, run.data, root, work, labelled=run.labelled, with_test=run.set == "test")
    write_json(folder / "asked.json", asked)
    return study


def _run(options: argparse.Namespace) -> Run:
    """Return the run that the options describe."""
    steps = options.steps
    if steps is None and options.minutes is None:
        steps = steps_of("published" if options.published else options.track, options.method)
    asked = (options.data, options.labelled, options.method, options.seed)
    return Run(options.track, *asked, steps, options.minutes, options.published, options.set)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=sorted(DATA))
    parser.add_argument("--labelled", type=int, required=True, help="patients of train whose labels are read")
    parser.add_argument("--method", required=True)
    parser.add_argument("--seed", type=int, default=0)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--steps", type=int, help="default: those of the track")
    budget.add_argument("--minutes", type=float)
    parser.add_argument("--published", action="store_true", help="network size and learning rates of the paper")
    parser.add_argument("--set", choices=["check", "test"], default="check", help="cases to measure on")
    parser.add_argument("--track", choices=["cpu", "minutes", "published", "gpu"], default="cpu")
    parser.add_argument("--device", default="auto")
    add_folders(parser)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the first cases")
    parser.add_argument("--keep", action="store_true", help="keep the study and its model in --work")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
