"""Scores as text for a terminal and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields
from pathlib import Path

from mmgl.evaluation.metrics import MEAN, Score, Summary, summarise
from mmgl.files import write_text
from mmgl.report.page import NOTHING

HEADER = ("structure", "cases", "Dice", "worst", "HD95 mm", "surface mm")


def as_text(scores: Sequence[Score]) -> str:
    """Return a table of scores with one row a structure and a row of means, aligned for a terminal."""
    rows = summary_rows(scores)
    text = _aligned([HEADER, *rows], rule_above_last=bool(rows))
    return f"{text}\n{words}" if (words := partly_labelled(scores)) else text


def partly_labelled(scores: Sequence[Score]) -> str:
    """Return in how many cases something is not labelled in all of the scan, in words; nothing where all is."""
    cases = {s.case for s in scores}
    partly = {s.case for s in scores if s.labelled < 1}
    return f"Compared only where the reference is labelled: {len(partly)} of {len(cases)} cases" if partly else ""


def summary_rows(scores: Sequence[Score]) -> list[tuple[str, ...]]:
    """Return the summaries as words under ``HEADER``: one row a structure and, last, the row of means."""
    return [_words(summary) for summary in summarise(scores)]


def number(value: float, digits: int) -> str:
    """Return ``value`` with that many decimals, and a dash for NaN."""
    return NOTHING if math.isnan(value) else f"{value:.{digits}f}"


def write_csv(path: Path, scores: Sequence[Score]) -> None:
    """Write one row per case and structure, with full precision, NaN as an empty field, and the fields as header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Score))
    for score in scores:
        writer.writerow("" if isinstance(v, float) and math.isnan(v) else v for v in astuple(score))
    write_text(path, text.getvalue().encode("utf-8", "replace").decode("utf-8"))


def compare_as_text(results: Mapping[str, Sequence[Score]]) -> str:
    """Return the mean Dice of several results side by side, each but the first with its difference from the first.

    Differences are in points: hundredths of Dice. Only cases that all results have are compared, and a last line says
    so where that leaves out any.
    """
    cases = [{s.case for s in scores} for scores in results.values()]
    shared = set.intersection(*cases) if cases else set()
    columns = {name: _dice_of(scores, shared) for name, scores in results.items()}
    structures = list(dict.fromkeys(s for column in columns.values() for s in column if s is not None))
    first, *others = list(results) or [""]
    rows = [("structure", first, *(word for name in others for word in (name, "points")))]
    for structure in [*structures, None] if structures else []:
        values = [columns[name].get(structure, math.nan) for name in results]
        row = [MEAN if structure is None else structure, number(values[0], 3)]
        for value in values[1:]:
            points = 100 * (value - values[0])
            row += [number(value, 3), NOTHING if math.isnan(points) else f"{points:+.1f}"]
        rows.append(tuple(row))
    text = _aligned(rows, rule_above_last=bool(structures))
    if any(found != shared for found in cases):
        text += f"\nCases that all have, and that are compared: {len(shared)}"
    return text


def _dice_of(scores: Sequence[Score], cases: set[str]) -> dict[str | None, float]:
    """Return the mean Dice of each structure over these cases, and under None that of all structures."""
    rows = summarise([s for s in scores if s.case in cases])
    dices: dict[str | None, float] = {row.structure: row.dice for row in rows[:-1]}
    dices[None] = rows[-1].dice if rows else math.nan
    return dices


def _words(summary: Summary) -> tuple[str, ...]:
    """Return one row of the table."""
    dice = number(summary.dice, 3)
    if not math.isnan(summary.dice_deviation):
        dice += f" ± {summary.dice_deviation:.3f}"
    worst = number(summary.worst, 3)
    if summary.worst_case:
        worst += f" ({summary.worst_case})"
    distances = number(summary.hd95, 2), number(summary.surface_distance, 2)
    return summary.structure, str(summary.cases), dice, worst, *distances


def _aligned(rows: Sequence[Sequence[str]], rule_above_last: bool) -> str:
    """Return rows as lines, the first column and those that begin with a word to the left, numbers to the right."""
    clean = [[_printable(cell) for cell in row] for row in rows]
    widths = [max(_width(cell) for cell in column) for column in zip(*clean, strict=True)]
    left = [column == 0 or rows[0][column] in ("Dice", "worst") for column in range(len(widths))]
    lines = ["  ".join(map(_padded, row, widths, left)).rstrip() for row in clean]
    rule = "-" * max(_width(line) for line in lines)
    lines.insert(1, rule)
    if rule_above_last:
        lines.insert(-1, rule)
    return "\n".join(lines)


def _padded(cell: str, width: int, left: bool) -> str:
    """Return the cell filled up to ``width`` columns."""
    fill = " " * (width - _width(cell))
    return cell + fill if left else fill + cell


def _printable(text: str) -> str:
    """Return text without control characters, which could move the cursor or change the colours of a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _width(text: str) -> int:
    """Return how many columns a terminal gives to the text."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
