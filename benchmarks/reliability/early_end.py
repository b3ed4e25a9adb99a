"""What it costs that a training with a budget in time ends by itself when nothing rises any more.

    python benchmarks/reliability/early_end.py FOLDER [FOLDER ...]

Reads the runs below folders, trainings with a budget in steps that came to their end, and asks the rule of
``mmgl/training/patience.py`` at each of their checks what it would have done, had the steps been minutes. Prints for
each run that has been checked at least four times how much of its first stage the rule would have spared, and how much
higher the mean Dice became after that. The last column is the most it can cost: the rule leads the learning rate to
zero, which raises Dice by itself, before it ends the stage. Runs with the same checks, such as copies, count once.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmgl.training.patience import PATIENCE, TAIL, Patience

FEWEST = 4
"""Checks, fewer of which tell nothing."""

Checks = list[tuple[float, float, list[float]]]
"""Of each check: the share of the training that is done, the share of it that the stage still has, and the Dice of each
structure."""


@dataclass(frozen=True)
class Outcome:
    """What the rule does to the first stage of a run that segments.

    Attributes:
        share: of the training at which the stage is told to end; NaN where it never is.
        before, after: the highest mean Dice until then, and in the whole stage.
        spared: share of the training that the end spares.
    """

    share: float
    before: float
    after: float
    spared: float


def main() -> None:
    """Print a line for each run, and the sum of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=100, help="least steps of a training that counts")
    options = parser.parse_args()
    outcomes = []
    print(f"{'method':<12}{'steps':>6}{'ends at':>9}{'spared':>8}{'Dice':>8}{'later':>8}{'cost':>8}  run")
    for folder, method, steps, begins, checks in runs(options.folders, options.steps):
        found = replay(begins, checks)
        outcomes.append(found)
        end = "never" if math.isnan(found.share) else f"{found.share:.0%}"
        dice = f"{found.before:>8.3f}{found.after:>8.3f}{found.after - found.before:>8.3f}"
        print(f"{method:<12}{steps:>6}{end:>9}{found.spared:>8.0%}{dice}  {folder}")
    ended = [found for found in outcomes if not math.isnan(found.share)]
    print(f"{len(ended)} of {len(outcomes)} would have ended early", end="")
    if ended:
        costs = [found.after - found.before for found in ended]
        print(f", at a cost of at most {sum(costs) / len(costs):.3f} on average and {max(costs):.3f}", end="")
    print()


def runs(folders: list[Path], least: int) -> Iterator[tuple[Path, str, int, float, Checks]]:
    """Yield folder, method and steps of each run, the share of it at which the stage begins, and the stage's checks."""
    seen = set()
    for file in sorted(file for folder in folders for file in folder.rglob("events.jsonl")):
        try:
            config = json.loads((file.parent / "config.json").read_text(encoding="utf-8"))
            total, method = config["steps"], config["method"]
            events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        except (OSError, ValueError, KeyError, TypeError):  # of another program, or still being written
            continue
        told = [event for event in events if event.get("event") == "check"]
        if not isinstance(total, int) or total < least or any(event.get("event") == "resumed" for event in events):
            continue
        told = [event for event in told if event["stage"] == told[0]["stage"]]
        before = sum(event["steps"] for event in _earlier(events, told)) if told else 0
        checks = [
            (
                (before + event["step"]) / total,
                (event["steps"] - event["step"]) / total,
                [math.nan if dice is None else dice for dice in event["dice"]],
            )
            for event in told
        ]
        key = json.dumps([[event["step"], event["dice"]] for event in told])
        if len(told) >= FEWEST and told[-1]["step"] == told[-1]["steps"] and key not in seen:
            seen.add(key)
            yield file.parent, method, total, before / total, checks


def replay(begins: float, checks: Checks) -> Outcome:
    """Return what the rule does to a stage that begins at a share of the training, as ``Course.is_idle`` asks it."""
    patience, best, means = Patience(), 0.0, [_mean(scores) for _, _, scores in checks]
    patience.begin(begins)
    for (share, left, scores), mean in zip(checks, means, strict=True):
        patience.see(scores, share)
        best = max(best, mean)
        if patience.idle(scores, share) >= PATIENCE and left > TAIL:
            return Outcome(share, best, max(means), left - TAIL)
    return Outcome(math.nan, best, best, 0.0)


def _earlier(events: list[dict], told: list[dict]) -> list[dict]:
    """Return the stages before the one that these checks are of."""
    stages = [event for event in events if event.get("event") == "stage"]
    names = [event["stage"] for event in stages]
    return stages[: names.index(told[0]["stage"])] if told[0]["stage"] in names else []


def _mean(scores: list[float]) -> float:
    known = [score for score in scores if score == score]
    return sum(known) / len(known) if known else 0.0


if __name__ == "__main__":
    main()
