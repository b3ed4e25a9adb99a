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
from pathlib import Path

from data import DATA
from results import BUSY, add_folders, append_result, claimed, lock_file, read_results, result_of
from runs import Run, steps_of

from mmgl.messages import MMGLError


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
        from measure import measure  # loads torch, only now that there is something to do

        from mmgl.device import keep_memory

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
    parser.add_argument("--track", choices=["cpu", "long", "minutes", "published", "gpu"], default="cpu")
    parser.add_argument("--device", default="auto")
    add_folders(parser)
    parser.add_argument("--pictures", type=Path, help="folder for pictures of the first cases")
    parser.add_argument("--keep", action="store_true", help="keep the study and its model in --work")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
