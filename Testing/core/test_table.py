"""Tables for the terminal and the spreadsheet."""

import csv
import math

import pytest

from mmgl.evaluation.metrics import Score
from mmgl.evaluation.table import NOTHING, as_text, compare_as_text, write_csv

NAN = math.nan


def made(case, structure, dice, hd95=2.0):
    return Score(case, structure, dice, hd95, hd95 / 2, 1 / 3, 0.5)


SCORES = [
    made("first", "left ventricle", 0.9), made("first", "scar", NAN, NAN),
    made("second", "left ventricle", 0.8), made("second", "scar", 0.5, 10),
]  # fmt: skip


def test_text():
    expected = """\
structure       cases  Dice           worst           HD95 mm  surface mm
-------------------------------------------------------------------------
left ventricle      2  0.850 ± 0.071  0.800 (second)     2.00        1.00
scar                1  0.500          0.500 (second)    10.00        5.00
-------------------------------------------------------------------------
mean                2  0.675 ± 0.177  0.650 (second)     6.00        3.00"""
    assert as_text(SCORES) == expected


def test_text_without_figures():
    assert as_text([]).splitlines()[0].startswith("structure")
    row = as_text([made("a", "one", NAN, NAN)]).splitlines()[2]
    assert row.split() == ["one", "0", NOTHING, NOTHING, NOTHING, NOTHING]


def test_terminal_is_safe_and_wide_names_are_aligned():
    text = as_text([made("a", "red\x1b[31m\n", 0.5), made("a", "左心室", 0.5)])
    assert "\x1b" not in text
    lines = text.splitlines()
    assert len(lines) == 6
    assert lines[2].index("1  0.500") - lines[3].index("1  0.500") == 3


def test_csv_has_every_score_in_full(tmp_path):
    path = tmp_path / "scores.csv"
    names = 'left, "so-called"\nventricle', "\udce4"
    write_csv(path, [made("first", names[0], 1 / 3), made("first", names[1], NAN, NAN)])
    with path.open(newline="", encoding="utf-8") as file:
        header, first, second = csv.reader(file)
    assert header == ["case", "structure", "dice", "hd95", "surface_distance", "volume", "reference_volume", "labelled"]
    assert first[:2] == ["first", names[0]]
    assert [float(v) for v in first[2:]] == [1 / 3, 2.0, 1.0, 1 / 3, 0.5, 1.0]
    assert second[1:5] == ["?", "", "", ""]


def test_comparison():
    mmgl = [made("first", "left ventricle", 0.95), made("second", "left ventricle", 0.9), made("second", "scar", 0.411)]
    expected = """\
structure       supervised   mmgl  points
-----------------------------------------
left ventricle       0.850  0.925    +7.5
scar                 0.500  0.411    -8.9
-----------------------------------------
mean                 0.675  0.668    -0.7"""
    assert compare_as_text({"supervised": SCORES, "mmgl": mmgl}) == expected


def test_comparison_is_of_shared_cases_only():
    text = compare_as_text({"one": SCORES, "two": [made("first", "left ventricle", 0.7), made("first", "new", 0.1)]})
    lines = [line.split() for line in text.splitlines()]
    assert lines[2][-3:] == ["0.900", "0.700", "-20.0"]
    assert lines[3] == ["scar", NOTHING, NOTHING, NOTHING]
    assert lines[4] == ["new", NOTHING, "0.100", NOTHING]
    assert text.splitlines()[-1] == "Cases that all have, and that are compared: 1"


@pytest.mark.parametrize("results", [{}, {"one": []}])
def test_comparison_of_nothing(results):
    assert compare_as_text(results).startswith("structure")


def test_a_structure_called_mean_is_a_structure():
    lines = compare_as_text({"one": [made("a", "mean", 0.5), made("a", "x", 0.1)]}).splitlines()
    assert [line.split() for line in (lines[2], lines[-1])] == [["mean", "0.500"], ["mean", "0.300"]]
