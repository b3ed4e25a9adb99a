"""Print the tables of the README from the results: python benchmarks/accuracy/tables.py [results.jsonl]

Every figure is a mean over seeds with the standard deviation between them (n - 1); one seed has none. The worst case is
the smallest mean Dice that any one case has with any seed. Distances are in mm. "One piece" is measured on the same
results with only the largest piece of each structure.
"""

from __future__ import annotations

import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from results import RESULTS, Record, read_results

MEAN = "mean"


@dataclass(frozen=True)
class Group:
    """The results that can stand in one table: one track, one data set, one set of cases.

    Attributes:
        title: in words.
        runs: from method (with its budget, where that is time) and number of labelled patients to the runs' records.
    """

    title: str
    runs: dict[tuple[str, int], list[Record]]

    @property
    def main(self) -> int:
        """The number of labelled patients that most methods were run with, the larger one of two."""
        counts = [labelled for _, labelled in self.runs]
        return max(sorted(set(counts), reverse=True), key=counts.count)

    @property
    def counts(self) -> list[int]:
        """The numbers of labelled patients that several methods were run with, or the only ones."""
        counts = [labelled for _, labelled in self.runs]
        shared = sorted({count for count in counts if counts.count(count) > 1})
        return shared or sorted(set(counts))

    @property
    def methods(self) -> list[str]:
        """The methods that were run with one of ``counts``, the best one first."""
        found = {method for method, labelled in self.runs if labelled in self.counts}
        return sorted(found, key=lambda method: -self._dice(method))

    @property
    def others(self) -> list[tuple[str, int]]:
        """Method and number of labelled patients of what stands alone, such as the ceiling with all labels."""
        return sorted(key for key in self.runs if key[1] not in self.counts)

    @property
    def structures(self) -> list[str]:
        """The structures, without the mean."""
        record = next(iter(self.runs.values()))[0]
        return [name for name in record["structures"] if name != MEAN]

    def _dice(self, method: str) -> float:
        """Return what ``method`` is sorted by: its Dice with the main number of patients, or one of the others."""
        runs = self.runs.get((method, self.main))
        return statistics.mean(values(runs, "dice")) if runs else -1.0


def main() -> None:
    """Print all tables."""
    results = read_results(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS)
    print("\n\n".join(markdown(group) for group in groups(results)))


def groups(results: Iterable[Record]) -> list[Group]:
    """Return the results in groups, in the order in which their first ones were written."""
    found: dict[tuple[str, str, str], dict[tuple[str, int], list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in results:
        minutes = record["minutes"]
        name = f"`{record['method']}`" + (f", {minutes:g} min" if minutes else "")
        found[record["data"], record["track"], record["set"]][name, record["labelled"]].append(record)
    return [Group(title(*key, next(iter(runs.values()))[0]), dict(runs)) for key, runs in found.items()]


def title(data: str, track: str, cases: str, record: Record) -> str:
    """Return what a table shows, in words."""
    return f"{data}, track {track}: {len(record['cases'])} {cases} cases"


def markdown(group: Group) -> str:
    """Return the tables of a group, one row a method: the means, and folded away those of each structure."""
    rest = f"{group.main} labelled {'patient' if group.main == 1 else 'patients'}"
    parts = [f"**{group.title}.** Columns after the Dice are with {rest}.", _overview(group)]
    parts += [f"<details><summary>Each structure, {rest}</summary>"]
    parts += [_structure(group, name) for name in group.structures]
    return "\n\n".join([*parts, "</details>"])


def _overview(group: Group) -> str:
    """Return the table of means."""
    header = ["method", *(f"Dice, {count} labelled" for count in group.counts)]
    header += ["HD95 mm", "surface mm", "worst case", "one piece: Dice", "HD95 mm", "steps", "minutes"]
    rows = []
    for method in group.methods:
        dices = [spread(values(group.runs.get((method, count)), "dice"), 3) for count in group.counts]
        rows.append([method, *dices, *_rest(group.runs.get((method, group.main)))])
    _embolden(rows, range(1, 1 + len(group.counts)), max)
    _embolden(rows, range(1 + len(group.counts), 3 + len(group.counts)), min)
    _embolden(rows, [3 + len(group.counts), 4 + len(group.counts)], max)
    _embolden(rows, [5 + len(group.counts)], min)
    for method, labelled in group.others:
        runs = group.runs[method, labelled]
        dices = [spread(values(runs, "dice"), 3), *[""] * (len(group.counts) - 1)]
        rows.append([f"{method}, {labelled} labelled", *dices, *_rest(runs)])
    return table(header, rows)


def _rest(runs: Sequence[Record] | None) -> list[str]:
    """Return the cells behind the Dice."""
    if not runs:
        return [""] * 7
    distances = [spread(values(runs, what), 2) for what in ("hd95", "surface_distance")]
    worst = f"{min(values(runs, 'worst')):.3f}"
    steps = "/".join(sorted({str(sum(stage["steps"] for stage in run["stages"])) for run in runs}))
    pieces = [spread(values(runs, "dice", kind="largest"), 3), spread(values(runs, "hd95", kind="largest"), 2)]
    return [*distances, worst, *pieces, steps, f"{statistics.mean(run['seconds']['train'] for run in runs) / 60:.0f}"]


def _structure(group: Group, name: str) -> str:
    """Return the table of one structure."""
    rows = []
    for method in group.methods:
        if runs := group.runs.get((method, group.main)):
            distances = [spread(values(runs, what, name), 2) for what in ("hd95", "surface_distance")]
            worst = f"{min(values(runs, 'worst', name)):.3f}"
            rows.append([method, spread(values(runs, "dice", name), 3), *distances, worst])
    _embolden(rows, (1, 4), max)
    _embolden(rows, (2, 3), min)
    return table([name, "Dice", "HD95 mm", "surface mm", "worst case"], rows)


def values(runs: Sequence[Record] | None, what: str, structure: str = MEAN, *, kind: str = "structures") -> list[float]:
    """Return one figure of each run that has it; of kind ``largest`` with only the largest piece of each structure."""
    found = [run[kind][structure][what] for run in runs or ()]
    return [value for value in found if value is not None]


def spread(figures: Sequence[float], digits: int) -> str:
    """Return the mean, and the deviation between seeds where there are several; nothing for no figures."""
    if not figures:
        return ""
    text = f"{statistics.mean(figures):.{digits}f}"
    return f"{text} ± {statistics.stdev(figures):.{digits}f}" if len(figures) > 1 else text


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column to the left, figures to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _embolden(rows: list[list[str]], columns: Iterable[int], best: Callable[[Iterable[float]], float]) -> None:
    """Make the best figure of each column bold, where there are several to compare."""
    for column in columns:
        figures = [float(row[column].split()[0]) for row in rows if row[column]]
        for row in rows if len(figures) > 1 else ():
            if row[column] and float(row[column].split()[0]) == best(figures):
                row[column] = f"**{row[column]}**"


if __name__ == "__main__":
    main()
