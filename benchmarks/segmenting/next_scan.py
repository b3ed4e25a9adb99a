"""Does labelling the suggested scan beat labelling a random one? Rounds of training on a real data set.

    MMGL_DATA=data python benchmarks/segmenting/next_scan.py hippocampus --rounds 5 --steps 600 --seeds 3

Every round adds patients to the labelled ones, either those that ``mmgl next`` names or random ones, trains
``supervised`` anew, and measures the Dice of the check cases; both begin with the same patients. One JSON line a round
is appended to next_scan.jsonl; rounds that are in it already with the same settings are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from pathlib import Path
from typing import Any

from mmgl import Budget, Predictor, Study, train
from mmgl.device import keep_memory
from mmgl.inference.next_scan import look, suggest
from mmgl.study import Use

STRUCTURES = {
    "hippocampus": {"1": "Anterior", "2": "Posterior"},
    "acdc": {"1": "Right ventricle", "2": "Myocardium", "3": "Left ventricle"},
}
RESULTS = Path(__file__).with_name("next_scan.jsonl")


def main() -> None:
    """Run all rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=sorted(STRUCTURES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--begin", type=int, default=2, help="labelled patients at first")
    parser.add_argument("--add", type=int, default=2, help="patients a round")
    parser.add_argument("--pool", type=int, default=60, help="patients to choose from")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--checks", type=int, default=40, help="check cases")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    options = parser.parse_args()
    keep_memory()
    splits = json.loads((options.folder / options.data / "splits.json").read_text(encoding="utf-8"))
    checks = splits["val"][: options.checks]
    for seed in range(options.seeds):
        pool = random.Random(seed).sample(splits["train"], min(options.pool, len(splits["train"])))
        for strategy in ("suggested", "random"):
            labelled = pool[: options.begin]
            for number in range(options.rounds + 1):
                asked = {"data": options.data, "seed": seed, "strategy": strategy, "round": number}
                asked |= {"steps": options.steps, "add": options.add, "pool": len(pool), "checks": len(checks)}
                record = known(options.results, asked) or run(asked, options, labelled, pool, checks)
                print(seed, strategy, number, len(record["labelled"]), record["mean"], flush=True)
                labelled = record["next"]


def known(results: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a round gave that was run with these settings, or None."""
    lines = results.read_text(encoding="utf-8").splitlines() if results.is_file() else []
    return next((r for r in map(json.loads, lines) if all(r.get(k) == v for k, v in asked.items())), None)


def run(
    asked: dict[str, Any], options: argparse.Namespace, labelled: list[str], pool: list[str], checks: list[str]
) -> dict[str, Any]:
    """Train with these patients labelled, and keep and return what it gave and who is labelled next."""
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder) / "study", options, labelled, pool, checks)
        model = train(study, method="supervised", budget=Budget(options.steps, None), seed=asked["seed"])
        predictor = Predictor(model)
        dice = dict(predictor.card.scores)
        choose = suggested if asked["strategy"] == "suggested" else by_chance
        more = choose(study, predictor, pool, labelled, options.add, asked["seed"])
    record = {**asked, "labelled": labelled, "dice": dice, "mean": round(sum(dice.values()) / len(dice), 4)}
    record["next"] = labelled + more
    with options.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return record


def make_study(
    folder: Path, options: argparse.Namespace, labelled: list[str], pool: list[str], val: list[str]
) -> Study:
    """Return a study in which the ``labelled`` patients of the pool have labels."""
    data = options.folder / options.data
    study = Study.create(folder)
    for use, patients in ((Use.TRAIN, pool), (Use.CHECK, val)):
        for patient in patients:
            for image in sorted((*(data / "images").glob(f"{patient}_*"), *(data / "images").glob(f"{patient}.*"))):
                known = use is Use.CHECK or patient in labelled
                label = data / "labels" / image.name if known else None
                study.add_case(image, label=label, patient=patient, use=use, meanings=STRUCTURES[options.data])
    study.save()
    return study


def suggested(
    study: Study, predictor: Predictor, pool: list[str], labelled: list[str], count: int, seed: int
) -> list[str]:
    """Return the patients whose scans are suggested first."""
    known = [look(predictor, study.read_scan(case)) for case in study.labelled]
    others = {case.name: look(predictor, study.read_scan(case)) for case in study.unlabelled}
    order = [study.case(s.name).patient for s in suggest(known, others, len(others))]
    return list(dict.fromkeys(order))[:count]


def by_chance(
    study: Study, predictor: Predictor, pool: list[str], labelled: list[str], count: int, seed: int
) -> list[str]:
    """Return patients at random."""
    left = [patient for patient in pool if patient not in labelled]
    return random.Random(1000 * seed + len(labelled)).sample(left, count)


if __name__ == "__main__":
    main()
