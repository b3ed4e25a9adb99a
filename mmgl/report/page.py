"""A report as one HTML page that needs nothing else: no script, no network, its pictures inside.

It follows the light or dark setting of its reader, and can be printed.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mmgl import __version__
from mmgl.files import write_text
from mmgl.imaging.grid import Array
from mmgl.report.chart import Chart, chart_html
from mmgl.report.png import png_bytes, png_size
from mmgl.structures import Structure

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --soft: #5c6670; --line: #d9dee3; --page: #fff; --shade: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --soft: #9aa5b0; --line: #363e46; --page: #15191d; --shade: #1d2328; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.25rem 2rem; max-width: 60rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .6rem; padding-top: 1.1rem; border-top: 1px solid var(--line); }
p { margin: .5rem 0 1rem; max-width: 46rem; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .75rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
td:first-child { white-space: normal; overflow-wrap: anywhere; }
.n { text-align: right; }
tbody tr:nth-child(even) { background: var(--shade); }
tr.last td { border-top: 2px solid var(--line); font-weight: 600; }
figure { margin: 1rem 0 1.5rem; break-inside: avoid; }
img { display: block; max-width: 100%; height: auto; border-radius: 4px; }
figcaption { margin-top: .4rem; color: var(--soft); font-size: .88rem; overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 12px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; color: var(--ink); }
.legend span { display: inline-flex; align-items: center; gap: .45rem; }
svg.key { width: 22px; height: 10px; stroke-width: 2.5; }
svg.swatch { width: 12px; height: 12px; }
footer { margin-top: 2.75rem; padding-top: .8rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .85rem; }
@page { margin: 15mm; }
@media print {
  :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --shade: #f4f4f4; }
  body { padding: 0; max-width: none; font-size: 11pt; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  .scroll { overflow: visible; }
}
"""
NOTHING = "–"
"""What stands in a table where there is no figure."""

SHOWN_WIDTH = 480
"""Pixels that a smaller picture is enlarged to, as whole times as possible."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Forbids the page every script and every connection, whatever stands in it."""


@dataclass(frozen=True)
class Picture:
    """A picture, RGB (y, x, 3) of uint8 or the bytes of a PNG file, with its caption and the structures in it."""

    image: Array | bytes
    caption: str = ""
    structures: Sequence[Structure] = ()


@dataclass(frozen=True)
class Section:
    """One part of a report; everything but the heading may be left out.

    Attributes:
        heading: a few words.
        paragraph: text under it; an empty line begins a new paragraph.
        header: names of the columns of the table.
        rows: cells of the table, as words.
        last_row_is_mean: whether to set the last row apart from the others.
        pictures: shown below one another.
        chart: lines over a common axis.
    """

    heading: str
    paragraph: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    last_row_is_mean: bool = False
    pictures: Sequence[Picture] = ()
    chart: Chart | None = None


def write_report(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the report as one HTML page, pictures inside; all texts are escaped, so names can hold anything."""
    body = "\n".join(_section_html(section) for section in sections)
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{body}
<footer>Not a medical device. Made by MMGL {escape(__version__)}.</footer>
</body>
</html>
"""
    write_text(path, page.encode("utf-8", "replace").decode("utf-8"))


def _section_html(section: Section) -> str:
    """Return one section as HTML."""
    paragraphs = [f"<p>{escape(text)}</p>" for text in section.paragraph.split("\n\n") if text.strip()]
    table = _table_html(section) if section.rows else ""
    chart = chart_html(section.chart) if section.chart else ""
    pictures = [_picture_html(picture) for picture in section.pictures]
    parts = [f"<h2>{escape(section.heading)}</h2>", *paragraphs, table, chart, *pictures]
    return "<section>\n" + "\n".join(part for part in parts if part) + "\n</section>"


def _table_html(section: Section) -> str:
    """Return the table of a section as HTML, columns of numbers to the right."""
    columns = zip(*section.rows, strict=True)
    kinds = [' class="n"' if all(_is_number(cell) for cell in column) else "" for column in columns]
    lines = [_cells("td", kinds, row) for row in section.rows]
    head = f"<thead><tr>{_cells('th', kinds, section.header)}</tr></thead>\n" if section.header else ""
    rows = [f"<tr>{line}</tr>" for line in lines]
    if section.last_row_is_mean:
        rows[-1] = f'<tr class="last">{lines[-1]}</tr>'
    body = "\n".join(rows)
    return f'<div class="scroll"><table>{head}<tbody>\n{body}\n</tbody></table></div>'


def _cells(tag: str, kinds: Sequence[str], words: Sequence[str]) -> str:
    """Return the cells of one row."""
    return "".join(f"<{tag}{kind}>{escape(word)}</{tag}>" for kind, word in zip(kinds, words, strict=True))


def _is_number(cell: str) -> bool:
    """Return whether the cell is one number, or the dash in its place."""
    return cell == NOTHING or cell.replace(".", "", 1).lstrip("+-").isdigit()


def _picture_html(picture: Picture) -> str:
    """Return one picture with its caption as HTML."""
    png = picture.image if isinstance(picture.image, bytes) else png_bytes(picture.image)
    data = base64.b64encode(png).decode("ascii")
    height, width = png_size(png)
    times = max(1, SHOWN_WIDTH // width)
    caption = escape(picture.caption)
    image = (
        f'<img src="data:image/png;base64,{data}" width="{times * width}" height="{times * height}" alt="{caption}">'
    )
    keys = [f"<span>{_swatch(structure)}{escape(structure.name)}</span>" for structure in picture.structures]
    legend = f'<div class="legend">{"".join(keys)}</div>' if keys else ""
    return f"<figure>{image}<figcaption>{caption}{legend}</figcaption></figure>"


def _swatch(structure: Structure) -> str:
    """Return a little square of the colour of a structure; as SVG, since browsers print no background colours."""
    colour = "#{:02x}{:02x}{:02x}".format(*structure.colour)
    square = f'<rect width="12" height="12" rx="2" fill="{colour}"/>'
    return f'<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">{square}</svg>'
