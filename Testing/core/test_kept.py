"""What is kept of scans and labels is used only where every value is of its kind, and is made again otherwise."""

import json
from dataclasses import asdict

import pytest
from phantoms import ball_study

from mmgl.study.kept import fits
from mmgl.study.label_statistics import LabelStatistics
from mmgl.study.statistics import FOLDER, ScanStatistics, statistics

SCAN = {
    "size": [6, 5, 4],
    "spacing": [1, 0.5, 2.0],
    "modality": "CT",
    "channels": [[0.0, 1.0, 0.5, 0.1]],
    "digest": "0",
    "levels": 0,
}
LABEL = json.loads(json.dumps(asdict(LabelStatistics({"1": 5}, {"1": [1.0, 2.0, 3.0]}, {"1": "2 of 6 axial"}))))
ODD = (None, "x", 5, 0.5, True, [], [1], [1, 2, 3], ["x", "y", "z"], [[1.0]], {}, {"1": None}, {"a": 5}, float("nan"))


def alike(first, second):
    """Return whether JSON writes two values as the same kind."""
    return json.dumps(first) == json.dumps(second)


def test_good_ones_fit():
    assert fits(SCAN, ScanStatistics)
    assert fits(LABEL, LabelStatistics)
    other = {**LABEL, "painted": [1.0, 2.0, 3.0], "other_grid": ["a", "b"], "overlaps": [[1, 2, 30]], "outside": 1}
    assert fits(other, LabelStatistics)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("size", [[1, 2, 3]]), ("spacing", [[1, 2, 3]]), ("modality", ["x"]), ("channels", [[]]), ("digest", ["x"]),
        ("levels", [5]), ("voxels", [{}]), ("centres", [{}]), ("slices", [{}]), ("painted", [[], [1, 2, 3]]),
        ("strokes", [True]), ("background", [True]), ("other_grid", [[]]), ("outside", [5, 0.5]), ("overlaps", [[]]),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_does_not_fit(name, right):
    whole, kind = (SCAN, ScanStatistics) if name in SCAN else (LABEL, LabelStatistics)
    for odd in ODD:
        assert fits({**whole, name: odd}, kind) == any(alike(odd, good) for good in right), odd
    assert not fits({key: value for key, value in whole.items() if key != name}, kind)


def test_nothing_else_fits():
    for odd in (*ODD, {**SCAN, "more": 1}):
        assert not fits(odd, ScanStatistics)


def test_what_does_not_fit_is_made_again(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=0)
    case, cache = study.cases[0], study.folder / FOLDER
    before = statistics(case, study.structures, cache)
    assert before.scan is not None
    assert before.label is not None
    kept = {file: json.loads(file.read_text(encoding="utf-8")) for file in cache.iterdir()}
    assert len(kept) == 2
    for file, document in kept.items():
        for name in document["found"]:
            file.write_text(json.dumps({"found": {**document["found"], name: {"x": [None]}}}), encoding="utf-8")
            again = statistics(case, study.structures, cache)
            assert json.dumps([asdict(again.scan), asdict(again.label)]) == json.dumps(
                [asdict(before.scan), asdict(before.label)]
            )
            assert json.loads(file.read_text(encoding="utf-8")) == document
        file.write_text('{"error": "scan.constant", "parameters": {"path": "a", "value": []}}', encoding="utf-8")
        assert statistics(case, study.structures, cache).scan_error is None
