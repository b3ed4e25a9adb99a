"""The report: everything inside, nothing executed, whatever the names."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk

from mmgl import __version__
from mmgl.evaluation.metrics import Score
from mmgl.evaluation.report import evaluation_section
from mmgl.report.chart import Chart, chart_html
from mmgl.report.page import NOTHING, Picture, Section, write_report
from mmgl.structures import Structure

EVIL = '<script>alert("1")</script>\'&amp;'
VOID = {"meta", "img", "line", "circle", "polyline", "rect"}


class Reader(HTMLParser):
    """Collects tags, attributes and text, and insists that every tag is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def written(tmp_path, title, sections):
    path = tmp_path / "report.html"
    write_report(path, title, sections)
    return path.read_text(encoding="utf-8")


def scores(case, structure):
    return [
        Score(case, structure, 0.8, 2, 1, 3, 3),
        Score("missed", structure, 0, 99, 99, 0, 3),
        Score("added", structure, 0, 99, 99, 3, 0),
    ]


def everything(word):
    rgb = np.random.default_rng(0).integers(0, 256, (5, 9, 3), dtype=np.uint8)
    full = Section(
        word, f"{word}\n\nsecond", (word, "n"), [(word, "1.5"), (word, NOTHING)], False,
        [Picture(rgb, word, [Structure(1, word, (1, 2, 3))])],
        Chart({word: [(0, 1), (1, 2)], "other": [(0.5, 1)]}, word, word),
    )  # fmt: skip
    return [full, evaluation_section(scores(word, word), word), Section("only a heading")], rgb


def test_names_are_only_ever_text(tmp_path):
    sections, _ = everything(EVIL)
    page = written(tmp_path, EVIL, sections)
    assert "<script" not in page
    reader = Reader(page)
    assert "script" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert reader.text.count(EVIL) == 14
    assert ("alt", EVIL) in reader.attributes


def test_nothing_is_fetched(tmp_path):
    sections, _ = everything("word")
    reader = Reader(written(tmp_path, "title", sections))
    sources = [value for name, value in reader.attributes if name in ("src", "href", "xlink:href", "action")]
    assert sources
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    assert not {"link", "iframe", "object", "form"} & set(reader.tags)
    assert not re.search(r"url\(|@import|https?:", "".join(str(v) for _, v in reader.attributes) + reader.text)


def test_parts(tmp_path):
    sections, rgb = everything("word")
    page = written(tmp_path, "Heart, ä", sections)
    reader = Reader(page)
    assert reader.tags.count("section") == 3
    assert reader.tags.count("table") == 2
    assert reader.tags.count("polyline") == 1
    assert reader.tags.count("circle") == 1
    assert 'fill="#010203"' in page
    assert "<p>word</p>\n<p>second</p>" in page
    assert '<td class="n">1.5</td>' in page
    assert "<title>Heart, ä</title>" in page
    assert f"Not a medical device. Made by MMGL {__version__}." in reader.text
    assert all(rule in page for rule in ("prefers-color-scheme: dark", "@media print", "Content-Security-Policy"))
    picture = tmp_path / "picture.png"
    picture.write_bytes(base64.b64decode(re.search(r"base64,([^\"]+)", page)[1]))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(picture))), rgb)


def test_names_that_are_not_text_can_be_written(tmp_path):
    assert "case-?" in written(tmp_path, "case-\udce4", [])


def test_evaluation_section(tmp_path):
    section = evaluation_section(scores("case", "liver"))
    assert "Not found although in the reference: 1. Found although not in the reference: 1." in section.paragraph
    assert [row[0] for row in section.rows] == ["liver", "mean"]
    page = written(tmp_path, "title", [section])
    assert '<tr class="last"><td>mean</td>' in page
    assert "Not found" not in evaluation_section(scores("case", "liver")[:1]).paragraph
    assert Reader(written(tmp_path, "title", [evaluation_section([])])).tags.count("table") == 0


def test_ragged_tables_are_refused(tmp_path):
    with pytest.raises(ValueError, match="zip"):
        write_report(tmp_path / "r.html", "t", [Section("h", header=("a", "b"), rows=[("1",)])])
    assert list(tmp_path.iterdir()) == []


def points(html):
    return [[tuple(map(float, p.split(","))) for p in line.split()] for line in re.findall(r'points="([^"]+)"', html)]


def test_chart_places_points_in_proportion():
    (line,) = points(chart_html(Chart({"a": [(0, 0), (5, 0.25), (10, 1)]})))
    (x0, y0), (x1, y1), (x2, y2) = line
    assert (x1 - x0) / (x2 - x0) == pytest.approx(0.5, abs=1e-3)
    assert (y1 - y0) / (y2 - y0) == pytest.approx(0.25, abs=1e-3)
    assert y2 < y0


@pytest.mark.parametrize(
    "values", [(0.81, 0.84), (0, 1e-9), (-3, 7e6), (5, 5), (0, 0), (1e-300, 2e-300), (1e20, 1.0000001e20), (0, 1e99)]
)
def test_chart_stays_in_its_frame(values):
    html = chart_html(Chart({"a": list(enumerate(values)), "b": [(0, float("nan")), (float("inf"), 1), (1e308, 1)]}))
    for x, y in [point for line in points(html) for point in line]:
        assert 0 <= x <= 680
        assert 0 <= y <= 280
    labels = re.findall(r'text-anchor="end">([^<]+)<', html)
    assert len(labels) == len(set(labels))
    assert "nan" not in html


@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [(float("nan"), 1)]}])
def test_chart_of_nothing(series):
    assert chart_html(Chart(series)) == ""
