"""One run of the benchmark: a study of the data set, the training, the scores. What needs torch is here."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from data import make_study
from record import facts_of_run, provenance, scores_to_json, training_seconds, what_runs
from runs import Run

from mmgl import Budget, Predictor, Study, train
from mmgl.evaluation.metrics import Score, score
from mmgl.evaluation.pictures import overlay
from mmgl.files import read_json, write_json
from mmgl.imaging.grid import Array
from mmgl.imaging.segmentation_files import write_picture
from mmgl.inference.tidy import tidy
from mmgl.progress import ProgressLine
from mmgl.study import Case, Use
from mmgl.training.train import resume

NAME = "run"
"""Of the run and the model in the study."""


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
    scores, tidied = evaluate(study, cases, model, device, pictures)
    seconds = {"train": training_seconds(folder / "runs" / NAME), "segment": round(time.monotonic() - begun)}
    facts = facts_of_run(folder / "runs" / NAME, model)
    found = {**scores_to_json(scores), "largest": scores_to_json(tidied)["structures"]}
    return {**run.to_json(), **found, "seconds": seconds, **facts, **provenance(device)}


def evaluate(
    study: Study, cases: tuple[Case, ...], model: Path, device: str, pictures: Path | None = None
) -> tuple[list[Score], list[Score]]:
    """Return the scores of the cases on their own grids, and write pictures of the first ones if asked.

    The second list is of the same results with only the largest piece of each structure, as users can choose it.
    """
    predictor = Predictor(model, device)
    names = [s.name for s in study.structures]
    scores, tidied = [], []
    for number, case in enumerate(cases):
        scan, reference = study.read_scan(case), study.read_label(case)
        result = predictor.segment(scan)
        for found, into in ((result, scores), (_largest(result, predictor), tidied)):
            into += score(case.name, found, reference.labelmap, scan.grid.spacing, names, reference.sets)
        if pictures and number < 4:
            strip = overlay(scan, result, study.structures, reference=reference.labelmap)
            write_picture(pictures / f"{case.name}.png", strip, overwrite=True)
    return scores, tidied


def _largest(labelmap: Array, predictor: Predictor) -> Array:
    """Return a copy of a labelmap with only the largest piece of each structure."""
    copy = labelmap.copy()
    tidy(copy, predictor.structures, [s.name for s in predictor.structures], ())
    return copy


def _study(run: Run, folder: Path, root: Path, work: Path, device: str) -> Study:
    """Return the study of the run: the one that an interrupted call of the same program left, or a new one."""
    asked = {**run.to_json(), "root": str(root.resolve()), **what_runs(device)}
    if (folder / "asked.json").is_file() and read_json(folder / "asked.json") == asked:
        return Study.open(folder)
    shutil.rmtree(folder, ignore_errors=True)
    study = make_study(folder, run.data, root, work, labelled=run.labelled, with_test=run.set == "test")
    write_json(folder / "asked.json", asked)
    return study
