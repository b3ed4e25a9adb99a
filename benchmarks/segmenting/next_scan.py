"""Does labelling the scan that is named beat labelling a random one? Rounds of training on a real data set.

    MMGL_DATA=data python benchmarks/segmenting/next_scan.py hippocampus --rounds 5 --steps 600
    python benchmarks/segmenting/next_scan.py --table

Every round adds patients to the labelled ones, either those that ``mmgl next`` names or random ones, trains
``supervised`` anew, and measures the Dice on scans that are held out and choose nothing; both begin with the same
patients. One JSON line a round is appended to next_scan.jsonl; rounds that are in it already with the same settings are
not run again, so seeds can be shared among processes (``--seeds 0``, ``--seeds 1``). ``--small`` trains a quarter of
the network at 2 mm, for a computer with little time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from mmgl import Budget, Predictor, Study, train
from mmgl.data.plan import Plan
from mmgl.device import keep_memory
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.inference.next_scan import look, suggest
from mmgl.study import Use
from mmgl.training import preparing

STRUCTURES = {
    "hippocampus": {"1": "Anterior", "2": "Posterior"},
    "acdc": {"1": "Right ventricle", "2": "Myocardium", "3": "Left ventricle"},
}
RESULTS = Path(__file__).with_name("next_scan.jsonl")
STRATEGIES = ("suggested", "random")


def main() -> None:
    """Run all rounds that have not been run, or print what they gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=sorted(STRUCTURES), nargs="?", default="hippocampus")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--begin", type=int, default=2, help="labelled patients at first")
    parser.add_argument("--add", type=int, default=2, help="patients a round")
    parser.add_argument("--pool", type=int, default=60, help="patients to choose from")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--checks", type=int, default=40, help="patients held out")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what has been run")
    parser.add_argument("--folder", type=Path, default=Path(os.environ.get("MMGL_DATA", "../shared/data")))
    options = parser.parse_args()
    if not options.table:
        keep_memory()
        if options.small:
            shrink()
        run_all(options)
    tell(lines(options.results))


def shrink() -> None:
    """Have every plan made small."""
    make = preparing.make_plan

    def smaller(*facts: Any, **known: Any) -> Plan:
        return replace(make(*facts, **known), spacing=(2.0, 2.0, 2.0), slice_size=32, width=8, batch=8)

    preparing.make_plan = smaller


def run_all(options: argparse.Namespace) -> None:
    """Run all rounds that have not been run."""
    splits = json.loads((options.folder / options.data / "splits.json").read_text(encoding="utf-8"))
    checks = splits["val"][: options.checks]
    same = {name: getattr(options, name) for name in ("data", "steps", "add", "begin", "small")}
    for seed in options.seeds:
        pool = random.Random(seed).sample(splits["train"], min(options.pool, len(splits["train"])))
        labelled = dict.fromkeys(STRATEGIES, pool[: options.begin])
        for number in range(options.rounds + 1):
            for strategy in STRATEGIES:
                asked = {"seed": seed, "strategy": strategy, "round": number, **same}
                asked |= {"pool": len(pool), "checks": len(checks)}
                record = known(options.results, asked) or run(asked, options, labelled[strategy], pool, checks)
                print(seed, strategy, number, len(record["labelled"]), record["mean"], flush=True)
                labelled[strategy] = record["next"]


def lines(results: Path) -> list[dict[str, Any]]:
    """Return the rounds that have been run."""
    return [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()] if results.is_file() else []


def known(results: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a round gave that was run with these settings, or None."""
    return next((r for r in lines(results) if all(r.get(k) == v for k, v in asked.items())), None)


def run(
    asked: dict[str, Any], options: argparse.Namespace, labelled: list[str], pool: list[str], checks: list[str]
) -> dict[str, Any]:
    """Train with these patients labelled, and keep and return what it gave and who is labelled next."""
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(Path(folder) / "study", options, labelled, pool)
        model = train(study, method="supervised", budget=Budget(options.steps, None), seed=asked["seed"])
        predictor = Predictor(model)
        dice = measure(predictor, options, checks)
        choose = suggested if asked["strategy"] == "suggested" else by_chance
        more = choose(study, predictor, pool, labelled, options.add, asked["seed"])
    record = {**asked, "labelled": labelled, "dice": dice, "mean": round(mean(dice.values()), 4)}
    record["next"] = labelled + more
    with options.results.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    return record


def make_study(folder: Path, options: argparse.Namespace, labelled: list[str], pool: list[str]) -> Study:
    """Return a study of the pool in which the ``labelled`` patients have labels; none is held out in it."""
    data = options.folder / options.data
    study = Study.create(folder)
    for patient in pool:
        for image in scans_of(data, patient):
            label = data / "labels" / image.name if patient in labelled else None
            study.add_case(image, label=label, patient=patient, use=Use.TRAIN, meanings=STRUCTURES[options.data])
    study.save()
    return study


def scans_of(data: Path, patient: str) -> list[Path]:
    """Return the scans of a patient."""
    return sorted((*(data / "images").glob(f"{patient}_*"), *(data / "images").glob(f"{patient}.*")))


def measure(predictor: Predictor, options: argparse.Namespace, checks: list[str]) -> dict[str, float]:
    """Return the mean Dice of each structure over the scans of patients that are held out."""
    data, found = options.folder / options.data, defaultdict(list)
    values = {name: int(value) for value, name in STRUCTURES[options.data].items()}
    for image in (scan for patient in checks for scan in scans_of(data, patient)):
        result = predictor.segment(read_scan(image))
        reference = read_segmentation(data / "labels" / image.name).layers[0]
        for number, structure in enumerate(predictor.structures, start=1):
            a, b = result == number, reference == values[structure.name]
            if b.any():
                found[structure.name].append(2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b)))
    return {name: round(mean(dices), 4) for name, dices in found.items()}


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


def tell(records: list[dict[str, Any]]) -> None:
    """Print the mean Dice of each round, and by how much the named scans beat random ones, seed by seed."""
    means = {(r["seed"], r["strategy"], r["round"]): r["mean"] for r in records}
    print("round  suggested  random  difference: mean, deviation over seeds, seeds")
    for number in sorted({r["round"] for r in records}):
        pairs = [(s, [means.get((s, way, number)) for way in STRATEGIES]) for s in sorted({r["seed"] for r in records})]
        both = [(a, b) for _, (a, b) in pairs if a is not None and b is not None]
        if not both:
            continue
        gains = [a - b for a, b in both]
        columns = (mean(a for a, _ in both), mean(b for _, b in both), mean(gains))
        spread = stdev(gains) if len(gains) > 1 else float("nan")
        print(f"{number:5}  {columns[0]:9.4f}  {columns[1]:6.4f}  {columns[2]:+.4f} {spread:.4f} {len(both)}")


if __name__ == "__main__":
    main()
