"""Print the tables of the README from the results of ``run.py``: python benchmarks/accuracy/tables.py"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.jsonl")


def main() -> None:
    """Print one table a data set and number of labelled patients, one row a method."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    groups: dict[tuple[str, int], dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for line in path.read_text(encoding="utf-8").splitlines():
        run = json.loads(line)
        groups[run["data"], run["labelled"]][run["method"]].append(run)
    for (data, labelled), methods in sorted(groups.items()):
        print_table(data, labelled, methods)


def print_table(data: str, labelled: int, methods: dict[str, list[dict[str, Any]]]) -> None:
    """Print the mean over seeds, with its deviation, of everything that was measured."""
    first = next(iter(methods.values()))[0]
    names = list(first["dice"])
    print(f"{data}: {labelled} labelled patients, {first['cases']} check cases\n")
    print("| method | seeds | steps |", " | ".join(f"Dice {n}" for n in names), "| worst case | HD95 mm | surface mm |")
    print("|---|---|---|" + "---|" * (len(names) + 3))
    for method, runs in methods.items():
        cells = [_mean([r["dice"][n] for r in runs], 3) for n in names]
        cells += [f"{min(r['worst']['mean'] for r in runs):.3f}"]
        cells += [_mean([r[what]["mean"] for r in runs], 2) for what in ("hd95", "surface_distance")]
        steps = "/".join(sorted({str(r["steps"] or f"{r['minutes']:g} min") for r in runs}))
        print(f"| `{method}` | {len(runs)} | {steps} |", " | ".join(cells), "|")
    print()


def _mean(values: list[float], digits: int) -> str:
    """Return the mean, and the deviation between seeds where there are several."""
    text = f"{statistics.mean(values):.{digits}f}"
    return f"{text} ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else text


if __name__ == "__main__":
    main()
