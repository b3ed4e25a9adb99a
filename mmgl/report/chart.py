"""A line chart as SVG inside a page: axes, a grid, one line a series, no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 680, 280
LEFT, RIGHT, TOP, BOTTOM = 56, 14, 12, 40
COLOURS = ("#2f78c4", "#d9603b", "#2e9e6b", "#9461c9", "#b98a12", "#2aa0ad", "#cc5d9c", "#7d8590")
"""Colours of the lines, readable on white and on dark."""
DASHES = ("none", "7 4", "2 3")
"""Patterns of the lines: the next one each time the colours are used up, and for grey prints on every line."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Chart:
    """Lines over a common axis.

    Attributes:
        series: name -> points (x, y), drawn in this order; points that are not finite, or beyond 1e100, are left out.
        x: what the horizontal axis shows, with its unit.
        y: what the vertical axis shows, with its unit.
    """

    series: Mapping[str, Sequence[Point]]
    x: str = ""
    y: str = ""


def chart_html(chart: Chart) -> str:
    """Return the chart as an SVG with its legend below, or an empty string where it has no point to draw."""
    series = {name: _finite(points) for name, points in chart.series.items()}
    points = [point for line in series.values() for point in line]
    if not points:
        return ""
    columns, rows = _ticks([x for x, _ in points]), _ticks([y for _, y in points])
    area = _Area((columns[0], columns[-1]), (rows[0], rows[-1]))
    lines = [_line(area, line, i) for i, line in enumerate(series.values())]
    parts = [*_grid(area, columns, rows), *lines, *_titles(chart)]
    label = escape(f"{chart.y} over {chart.x}: {', '.join(series)}")
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    keys = [f"<span>{_key(i)}{escape(name)}</span>" for i, name in enumerate(series)]
    return f'<figure>{svg}<figcaption class="legend">{"".join(keys)}</figcaption></figure>'


@dataclass(frozen=True)
class _Area:
    """The ranges of the axes, and where a point of them lies in the picture."""

    columns: tuple[float, float]
    rows: tuple[float, float]

    def x(self, value: float) -> float:
        """Return the horizontal position of a value."""
        first, last = self.columns
        return round(LEFT + (value - first) / (last - first) * (WIDTH - LEFT - RIGHT), 2)

    def y(self, value: float) -> float:
        """Return the vertical position of a value."""
        first, last = self.rows
        return round(HEIGHT - BOTTOM - (value - first) / (last - first) * (HEIGHT - TOP - BOTTOM), 2)


def _finite(points: Sequence[Point]) -> list[Point]:
    """Return the points that can be drawn: neither NaN nor infinite, nor so large that the axis is."""
    return [(float(x), float(y)) for x, y in points if abs(x) < 1e100 and abs(y) < 1e100]


def _ticks(values: Sequence[float]) -> list[float]:
    """Return a few round numbers, the first and last of them enclosing the values."""
    low, high = min(values), max(values)
    if high - low <= max(1e-4 * abs(low), 1e-12):  # too near each other for numbers of six digits
        spread = abs(low) / 2 if abs(low) > 1e-9 else 0.5
        low, high = low - spread, high + spread
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def _grid(area: _Area, columns: Sequence[float], rows: Sequence[float]) -> list[str]:
    """Return the lines of the grid with the numbers at them."""
    parts = []
    for value in rows:
        y = area.y(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y + 4}" text-anchor="end">{_number(value)}</text>')
    for value in columns:
        x = area.x(value)
        anchor = "end" if value == columns[-1] else "middle"
        parts.append(f'<text x="{x}" y="{HEIGHT - BOTTOM + 16}" text-anchor="{anchor}">{_number(value)}</text>')
    return parts


def _number(value: float) -> str:
    """Return a short form of a number at an axis."""
    return f"{value:.6g}" if abs(value) > 1e-12 else "0"


def _line(area: _Area, points: Sequence[Point], index: int) -> str:
    """Return one series: a line, or a dot where it has a single point."""
    colour, dashes = _style(index)
    if len(points) == 1:
        x, y = points[0]
        return f'<circle cx="{area.x(x)}" cy="{area.y(y)}" r="4" fill="{colour}"/>'
    path = " ".join(f"{area.x(x)},{area.y(y)}" for x, y in points)
    return f'<polyline points="{path}" stroke="{colour}" stroke-dasharray="{dashes}"/>'


def _titles(chart: Chart) -> list[str]:
    """Return the titles of the axes."""
    x, y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return [
        f'<text x="{x}" y="{HEIGHT - 6}" text-anchor="middle">{escape(chart.x)}</text>',
        f'<text transform="translate(13 {y}) rotate(-90)" text-anchor="middle">{escape(chart.y)}</text>',
    ]


def _key(index: int) -> str:
    """Return the little line that stands before a name in the legend."""
    colour, dashes = _style(index)
    line = f'<line x1="0" x2="22" y1="5" y2="5" stroke="{colour}" stroke-dasharray="{dashes}"/>'
    return f'<svg class="key" viewBox="0 0 22 10" aria-hidden="true">{line}</svg>'


def _style(index: int) -> tuple[str, str]:
    """Return colour and dashes of a series; the first three differ in both, so that they can be told apart in grey."""
    return COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)]
