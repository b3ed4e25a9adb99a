"""Draw the plots of the README from the results: python benchmarks/accuracy/plots.py [results.jsonl] [folder]

Needs matplotlib: pip install -c constraints.txt ".[benchmark]". Colours are told apart by colour-blind readers too, and
markers differ where colours could be mistaken.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from results import RESULTS, Record, read_results
from tables import Group, groups, values

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

FOLDER = Path(__file__).resolve().parents[2] / "Resources"
SHOWN = "acdc-centre, track cpu"
"""The group that the README shows."""

COLOURS = ("#000000", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito's, without the yellow, which white swallows, and without the one that is kept for our recipe."""

OUR_COLOUR = "#D55E00"
MARKERS = "sDv^pX*"
BASELINE = "`supervised`"
OURS = "`mmgl+`"
QUIET = "#8A8A8A"
DPI = 200


def main() -> None:
    """Draw both plots of the group that the README shows."""
    results = read_results(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS)
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else FOLDER
    group = next((group for group in groups(results) if group.title.startswith(SHOWN)), None)
    if group is None:
        raise SystemExit(f"There are no results of {SHOWN} yet. Run: python benchmarks/accuracy/run_all.py")
    plt.rcParams.update({"font.size": 9, "font.family": "DejaVu Sans", "axes.spines.top": False})
    plt.rcParams.update({"axes.spines.right": False, "axes.edgecolor": QUIET, "axes.axisbelow": True})
    for name, draw in (("benchmark-labels.png", draw_labels), ("benchmark-methods.png", draw_methods)):
        draw(group, folder / name)
        print(folder / name)


def draw_labels(group: Group, path: Path) -> None:
    """Draw the Dice of each method against the number of labelled patients: a dot a seed, a line through the means."""
    figure, axes = plt.subplots(figsize=(7.2, 4.0), layout="constrained")
    shown = [m for m in group.methods if sum((m, count) in group.runs for count in group.counts) > 1]
    shown = sorted(shown, key=lambda m: (m == OURS, m != BASELINE, m))
    ends = []
    for number, method in enumerate(shown):
        colour, marker = (OUR_COLOUR, "o") if method == OURS else (COLOURS[number % 7], MARKERS[number % 7])
        runs = {count: values(group.runs.get((method, count)), "dice") for count in group.counts}
        # a little to the side, so that the dots of one method do not hide those of another
        places = {count: count * 1.03 ** (number - (len(shown) - 1) / 2) for count, dices in runs.items() if dices}
        means = [statistics.mean(runs[count]) for count in places]
        front = 4 if method == OURS else 3
        axes.plot(list(places.values()), means, color=colour, linewidth=2.2 if method == OURS else 1.3, zorder=front)
        for count, place in places.items():
            look = {"color": colour, "marker": marker, "s": 26, "linewidths": 0.6, "edgecolors": "white"}
            axes.scatter([place] * len(runs[count]), runs[count], **look, zorder=front + 2)
        ends.append((means[-1], list(places.values())[-1], method.strip("`"), colour))
    _ceiling(axes, group)
    last = group.counts[-1]
    axes.set_xscale("log")
    axes.set_xlim(group.counts[0] * 0.85, last * 1.75)
    axes.xaxis.set_major_locator(FixedLocator(group.counts))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([str(count) for count in group.counts])
    axes.set_xlabel("labelled patients")
    axes.set_ylabel(f"mean Dice, {group.title.split(': ')[1]}")
    axes.grid(axis="y", color="#E4E4E4", linewidth=0.7)
    _write_names(axes, last * 1.3, ends)
    _save(figure, path)


def _ceiling(axes: Axes, group: Group) -> None:
    """Draw what stands alone in a group, such as supervised training with all labels, as a level."""
    for method, labelled in group.others:
        level = statistics.mean(values(group.runs[method, labelled], "dice"))
        axes.plot([group.counts[0] * 0.87, group.counts[-1] * 1.15], [level] * 2, color=QUIET, ls=(0, (4, 3)), lw=1.0)
        words = f"{method.strip('`')}, all {labelled} labelled: {level:.3f}"
        axes.annotate(words, (group.counts[0] * 0.87, level), (0, 3), textcoords="offset points", color="#555555")


def draw_methods(group: Group, path: Path) -> None:
    """Draw all methods with the main number of patients: a dot a seed, and beside it every case with the worst one."""
    methods = [m for m in group.methods if (m, group.main) in group.runs][::-1]
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(7.6, 0.9 + 0.29 * len(methods)), sharey=True, layout="constrained", width_ratios=(1, 1.25)
    )
    for height, method in enumerate(methods):
        runs = group.runs[method, group.main]
        colour = OUR_COLOUR if method == OURS else COLOURS[0] if method == BASELINE else COLOURS[1]
        dices = values(runs, "dice")
        left.plot([min(dices), max(dices)], [height] * 2, color=colour, linewidth=1.2, alpha=0.5)
        left.scatter(dices, [height] * len(dices), s=20, color=colour, edgecolors="white", linewidths=0.5, zorder=3)
        left.scatter([statistics.mean(dices)], [height], marker="|", s=140, color=colour, linewidths=2.0, zorder=2)
        cases = [mean for run in runs for mean in case_means(run)]
        right.scatter(cases, [height] * len(cases), s=9, color=QUIET, alpha=0.35, linewidths=0)
        right.scatter([min(cases)], [height], marker="<", s=30, color=colour, zorder=3)
    if BASELINE in methods:
        level = statistics.mean(values(group.runs[BASELINE, group.main], "dice"))
        left.axvline(level, color=QUIET, linestyle=(0, (4, 3)), linewidth=1.0, zorder=0)
    left.set_yticks(range(len(methods)), [method.strip("`") for method in methods])
    for label in left.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS.strip("`") else "normal")
    left.set_xlabel("mean Dice: each seed, and their mean")
    right.set_xlabel("Dice of each case; the triangle is the worst")
    for axes in (left, right):
        axes.grid(axis="x", color="#E4E4E4", linewidth=0.7)
        axes.tick_params(axis="y", length=0)
    patients = "1 labelled patient" if group.main == 1 else f"{group.main} labelled patients"
    figure.suptitle(f"{patients}, {len(runs[0]['cases'])} check cases", fontsize=10)
    _save(figure, path)


def case_means(run: Record) -> list[float]:
    """Return the mean Dice of each case over its structures; a structure that is not there does not count."""
    cases = [[dice for dice in dices if dice is not None] for dices in run["cases"].values()]
    return [statistics.mean(dices) for dices in cases if dices]


def _write_names(axes: Axes, x: float, ends: Sequence[tuple[float, float, str, str]]) -> None:
    """Write the name of each line beside its end (mean, place, name, colour), and apart from the names beside it."""
    low, high = axes.get_ylim()
    gap = 0.06 * (high - low)
    levels: list[float] = []
    for mean, *_ in sorted(ends):
        levels.append(max(mean, levels[-1] + gap) if levels else mean)
    # what was pushed up is let down again together, so that the names are near their lines
    down = sum(level - mean for level, (mean, *_) in zip(levels, sorted(ends), strict=True)) / max(1, len(ends))
    for level, (mean, place, name, colour) in zip(levels, sorted(ends), strict=True):
        axes.plot([place * 1.02, x * 0.98], [mean, level - down], color=colour, linewidth=0.6, alpha=0.6)
        weight = "bold" if name == OURS.strip("`") else "normal"
        axes.text(x, level - down, name, color=colour, va="center", fontweight=weight)
    axes.set_ylim(low, high)


def _save(figure: plt.Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, facecolor="white")
    plt.close(figure)


if __name__ == "__main__":
    main()
