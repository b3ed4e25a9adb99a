"""The demo: phantom hearts, two methods trained on two labelled scans, and both compared on hearts never seen."""

from __future__ import annotations

import time
from pathlib import Path

from mmgl.demo.hearts import make_hearts
from mmgl.demo.phantom import STRUCTURES
from mmgl.demo.steps import steps_picture
from mmgl.evaluation.folders import evaluate_folder, report_folder
from mmgl.evaluation.metrics import Score, summarise
from mmgl.evaluation.pictures import overlay
from mmgl.evaluation.table import as_text, compare_as_text
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import read_segmentation, write_picture
from mmgl.inference.files import segment_file
from mmgl.inference.predictor import Predictor
from mmgl.messages import MMGLError
from mmgl.methods import USUAL
from mmgl.progress import ProgressLine
from mmgl.study import Study, add_folder
from mmgl.training.budget import Budget
from mmgl.training.train import train

LABELLED, UNLABELLED, UNSEEN = 2, 12, 8
METHODS = ("supervised", USUAL)


def run_demo(folder: Path, minutes: float, device: str = "auto") -> dict[str, list[Score]]:
    """Make the phantom study in ``folder``, train, segment, compare, and tell on the terminal what is going on.

    Args:
        folder: new or empty; gets scans, labels, the study with both models, results, pictures and the report.
        minutes: of training for each method.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        The scores of each method on the unseen hearts.

    Raises:
        MMGLError: ``file.exists`` when the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise MMGLError("file.exists", path=folder)
    started = time.monotonic()
    print(f"Making phantom hearts: {LABELLED} labelled, {UNLABELLED} unlabelled, {UNSEEN} to test on")
    make_hearts(folder, LABELLED, UNLABELLED, UNSEEN)
    study = Study.create(folder / "study")
    add_folder(study, folder / "labelled", folder / "labels")
    add_folder(study, folder / "unlabelled")
    study.save()
    scores = {}
    for method in METHODS:
        print(f"\nTraining {method}, {minutes:g} minutes")
        with ProgressLine() as progress:
            model = train(
                study, method=method, budget=Budget(minutes=minutes), device=device, name=method, on_event=progress.show
            )
        predictor = Predictor(model, device)
        for scan in sorted((folder / "unseen").iterdir()):
            segment_file(predictor, scan, folder / "results" / method)
        scores[method] = evaluate_folder(folder / "results" / method, folder / "unseen labels")
        print(f"\n{method} on {UNSEEN} hearts it has never seen\n{as_text(scores[method])}")
        report = folder / f"report {method}.html"
        report_folder(report, scores[method], folder / "results" / method, folder / "unseen labels", folder / "unseen")
        _write_picture(folder, method)
    print(f"\nDice side by side\n{compare_as_text(scores)}")
    best = max(scores, key=lambda method: summarise(scores[method])[-1].dice)
    write_picture(folder / "steps.png", steps_picture(folder, best))
    minutes_taken = (time.monotonic() - started) / 60
    print(
        f"\nIt took {minutes_taken:.1f} minutes. Everything is in {folder}: steps.png shows what was learned from and"
    )
    print(f"what {best} found, 'report {best}.html' how well. A slow or busy computer needs more time to learn:")
    print(f"mmgl demo --minutes {3 * minutes:g} --output {folder.name}-longer")
    return scores


def _write_picture(folder: Path, method: str) -> None:
    """Write the first unseen heart with its reference above and the result below."""
    path = sorted((folder / "unseen").iterdir())[0]
    name = path.name.removesuffix(".nii.gz")
    result, reference = (
        read_segmentation(folder / where / f"{name}.seg.nrrd").labelmap(range(1, len(STRUCTURES) + 1))
        for where in (f"results/{method}", "unseen labels")
    )
    write_picture(folder / f"{method}.png", overlay(read_scan(path), result, STRUCTURES, reference=reference))
