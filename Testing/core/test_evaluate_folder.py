"""Folders of results and references: pairing of files and of segments, and the report."""

import math
import re

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import MEANINGS, ball_scan, write

from mmgl.cli import main
from mmgl.evaluation.folders import evaluate_folder, pair_files, report_folder
from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation_files import write_labelmap, write_segmentation
from mmgl.messages import MMGLError
from mmgl.structures import PALETTE, Structure
from mmgl.study import Study

GRID = Grid((6, 10, 12), (3.0, 1.0, 0.5), (5.0, -3.0, 2.0))


@pytest.fixture
def folders(tmp_path):
    results, references = tmp_path / "results", tmp_path / "references"
    results.mkdir()
    references.mkdir()
    return results, references


def painted(*boxes):
    """A labelmap in which box i of (first, last column) has the value i + 1."""
    labelmap = np.zeros(GRID.size, np.uint8)
    for value, (first, last) in enumerate(boxes, start=1):
        labelmap[2:5, 3:8, first:last] = value
    return labelmap


def named(path, labelmap, names):
    write_segmentation(path, labelmap, GRID, [Structure(i, n, PALETTE[i]) for i, n in enumerate(names, start=1)])


def overlapping(path, layers, names):
    """A ``.seg.nrrd`` file as Slicer writes it for segments that overlap: one layer each, all with the value 1."""
    image = sitk.GetImageFromArray(np.stack(layers, -1).astype(np.uint8), isVector=True)
    image.SetSpacing(GRID.spacing[::-1])
    image.SetOrigin(GRID.origin[::-1])
    for i, name in enumerate(names):
        for key, text in {"ID": f"Segment_{i}", "Name": name, "LabelValue": "1", "Layer": str(i)}.items():
            image.SetMetaData(f"Segment{i}_{key}", text)
    sitk.WriteImage(image, str(path))


def dices(scores):
    return {s.structure: round(s.dice, 4) for s in scores}


def test_pairs_by_stem_whatever_the_format(folders):
    results, references = folders
    for name in ("a.nii.gz", "b.c.nrrd", "only.nii", ".hidden.nii"):
        write_labelmap(results / name, painted((2, 6)), GRID)
    for name in ("A.nii.gz", "a.mha", "b.c.seg.nrrd", "b.c.nii", "alone.nii.gz"):
        if name.endswith(".seg.nrrd"):
            named(references / name, painted((2, 6)), ["one"])
        else:
            write_labelmap(references / name, painted((2, 6)), GRID)
    (references / "a.txt").write_text("no segmentation")
    (references / "only.nii.gz").mkdir()
    pairs = pair_files(results, references)
    assert {stem: [path.name for path in paths] for stem, paths in pairs.found.items()} == {
        "a": ["a.nii.gz", "a.mha"],
        "b.c": ["b.c.nrrd", "b.c.seg.nrrd"],
    }
    assert pairs.without_result == ("A", "alone")
    assert pairs.without_reference == ("only",)
    assert [s.case for s in evaluate_folder(results, references)] == ["a", "b.c"]


def test_values_and_their_names(folders):
    results, references = folders
    write_labelmap(results / "a.nii.gz", painted((0, 4), (4, 8), (8, 9)), GRID)
    write_labelmap(references / "a.nrrd", painted((1, 4), (4, 8)), GRID)
    assert dices(evaluate_folder(results, references)) == {"1": 0.8571, "2": 1, "3": 0}
    found = evaluate_folder(results, references, ["left", "right", "third", "never"])
    assert list(dices(found)) == ["left", "right", "third", "never"]
    assert dices(found)["left"] == 0.8571
    assert math.isnan(found[3].dice)
    assert found[0].volume == pytest.approx(3 * 5 * 4 * 1.5 / 1000)
    assert dices(evaluate_folder(results, references, ["left"])) == {"left": 0.8571}


def test_names_win_over_values(folders):
    results, references = folders
    named(results / "a.seg.nrrd", painted((0, 4), (4, 8)), ["left", "right"])
    named(references / "a.seg.nrrd", painted((4, 8), (0, 3)), ["right", "left"])
    assert dices(evaluate_folder(results, references)) == {"right": 1, "left": 0.8571}
    write_labelmap(references / "a.nii.gz", painted((4, 8), (0, 3)), GRID)
    (references / "a.seg.nrrd").unlink()
    assert dices(evaluate_folder(results, references)) == {"left": 0, "right": 0}
    assert dices(evaluate_folder(results, references, ["right", "left"])) == {"right": 1, "left": 0.8571}


def test_overlapping_segments_lose_nothing(folders):
    results, references = folders
    whole, part = painted((0, 8)), painted((2, 4))
    overlapping(results / "a.seg.nrrd", [whole, part], ["whole", "part"])
    overlapping(references / "a.seg.nrrd", [part, whole], ["part", "whole"])
    assert dices(evaluate_folder(results, references)) == {"part": 1, "whole": 1}
    (references / "a.seg.nrrd").unlink()
    write_labelmap(references / "a.nii", np.where(part, 2, whole), GRID)
    assert dices(evaluate_folder(results, references)) == {"whole": 0.8571, "part": 1}


def test_a_reference_on_another_grid_is_placed(folders):
    results, references = folders
    labelmap = painted((2, 6))
    write_labelmap(results / "a.nii.gz", labelmap, GRID)
    larger = Grid((8, 12, 14), GRID.spacing, tuple(float(v) for v in GRID.position((-1, -1, -1))))
    write_labelmap(references / "a.nii.gz", np.pad(labelmap, 1), larger)
    (found,) = evaluate_folder(results, references)
    assert (found.dice, found.hd95) == (1, 0)


def test_pictures(folders):
    results, references = folders
    mask = painted((2, 6))[3:4]
    write_labelmap(results / "a.png", mask, Grid(mask.shape))
    write_labelmap(references / "a.png", mask, Grid(mask.shape))
    assert dices(evaluate_folder(results, references)) == {"1": 1}


def test_an_empty_file_on_either_side(folders):
    results, references = folders
    write_labelmap(results / "a.nii.gz", painted(), GRID)
    named(references / "a.seg.nrrd", painted((2, 6)), ["one"])
    named(results / "b.seg.nrrd", painted((2, 6)), ["one"])
    write_labelmap(references / "b.nii.gz", painted(), GRID)
    write_labelmap(results / "c.nii.gz", painted(), GRID)
    write_labelmap(references / "c.nii.gz", painted(), GRID)
    found = evaluate_folder(results, references)
    assert [(s.case, s.structure, s.dice) for s in found] == [("a", "one", 0), ("b", "one", 0)]
    assert math.isnan(evaluate_folder(results, references, ["one"])[2].dice)


def test_refusals(folders, tmp_path):
    results, references = folders
    with pytest.raises(MMGLError) as caught:
        evaluate_folder(tmp_path / "nowhere", references)
    assert caught.value.key == "file.missing"
    with pytest.raises(MMGLError) as caught:
        evaluate_folder(results, references)
    assert caught.value.key == "evaluate.nothing"
    write_labelmap(results / "a.nii.gz", painted((2, 6)), GRID)
    write_labelmap(references / "a.nii.gz", painted((2, 6)) * 255, GRID)
    with pytest.raises(MMGLError, match=r"\(1\).*\(255\)") as caught:
        evaluate_folder(results, references)
    assert caught.value.key == "evaluate.nothing_in_common"
    with pytest.raises(MMGLError) as caught:
        report_folder(tmp_path / "report.html", [], results, references, tmp_path / "nowhere")
    assert caught.value.key == "file.missing"


def test_report_shows_the_worst_first(folders, tmp_path):
    results, references = folders
    images = tmp_path / "images"
    images.mkdir()
    for case, end in {"good": 6, "bad": 4, "<b>": 5}.items():
        write_labelmap(results / f"{case}.nii.gz", painted((2, end)), GRID)
        named(references / f"{case}.seg.nrrd", painted((2, 6)), ["liver"])
        scan = np.random.default_rng(0).integers(0, 99, GRID.size).astype(np.uint8)
        write_labelmap(images / f"{case}.nii.gz", scan, GRID)
    write_labelmap(references / "alone.nii", painted((2, 6)), GRID)
    scores = evaluate_folder(results, references)
    path = tmp_path / "report.html"
    report_folder(path, scores, results, references, images)
    page = path.read_text(encoding="utf-8")
    assert page.count("<img ") == 3
    number = {case: f"case {i}" for i, case in enumerate(dict.fromkeys(s.case for s in scores), start=1)}
    assert page.index(f'alt="{number["bad"]}"') < page.index(f'alt="{number["<b>"]}"')
    assert page.index(f'alt="{number["<b>"]}"') < page.index(f'alt="{number["good"]}"')
    assert "Without a result: 1." in page
    text = re.sub(r'src="data:[^"]*"', "", page)
    named_in = [name for name in ("good", ">bad", "alone", "&lt;b&gt;", results.name) if name in text]
    assert named_in == []  # nobody is named
    assert "liver" in page
    assert 'fill="#{:02x}{:02x}{:02x}"'.format(*PALETTE[1]) in page  # the colour it has in its file
    assert "All cases, the worst first" in page
    report_folder(path, scores, results, references)
    assert "<img" not in path.read_text(encoding="utf-8")


@pytest.fixture
def partly(tmp_path):
    """A study with a case painted on every third slice and without a core, and a result that is right where it is."""
    study = Study.create(tmp_path / "study")
    (tmp_path / "results").mkdir()
    for number, name in enumerate(("whole", "sparse", "no core")):
        image, labelmap, grid = ball_scan(number)
        result = labelmap.copy()
        if name == "sparse":
            labelmap[np.arange(16) % 3 != 0] = 0
            result[(np.arange(16) % 3 != 0)[:, None, None] & (result > 0)] = 2  # nonsense where nobody looked
        if name == "no core":
            labelmap = np.minimum(labelmap, 1)  # the core is painted as shell, and nobody said where the core is
            result = np.where(result == 2, 1, result)
            result[8, 20, 10:26] = 2
            result[0, :3, :3] = 2
        label = write(tmp_path / "labels" / f"{name}.nii.gz", labelmap, grid)
        study.add_case(write(tmp_path / "images" / f"{name}.nii.gz", image, grid), label=label, meanings=MEANINGS)
        write_labelmap(tmp_path / "results" / f"{name}.nii.gz", result, grid)
    study.save()
    return study


def test_what_a_study_does_not_label_does_not_count(partly, tmp_path, capsys):
    assert [f.key for f in partly.check()] == ["check.gaps", "check.missing", "check.few_patients"]
    scores = {(s.case, s.structure): s for s in evaluate_folder(tmp_path / "results", partly)}
    for case, structure in (("whole", "Shell"), ("whole", "Core"), ("sparse", "Shell"), ("sparse", "Core")):
        assert scores[case, structure].dice == 1
    assert scores["sparse", "Core"].labelled == pytest.approx(1 / 3, abs=0.15)
    assert scores["whole", "Core"].labelled == 1
    assert math.isnan(scores["no core", "Core"].dice)
    assert (scores["no core", "Core"].labelled, scores["no core", "Core"].volume) == (0, 0)
    assert 0.9 < scores["no core", "Shell"].dice < 1
    assert evaluate_folder(tmp_path / "results", partly, ["Shell", "Core"])
    assert {s.structure for s in evaluate_folder(tmp_path / "results", partly, {2: "Core"})} == {"Core"}
    assert min(s.dice for s in evaluate_folder(tmp_path / "results", tmp_path / "labels")) < 0.5  # says nothing
    results, report = str(tmp_path / "results"), tmp_path / "report.html"
    images = ["--images", str(tmp_path / "images"), "--csv", str(tmp_path / "t.csv")]
    assert main(["evaluate", results, str(partly.folder), "--report", str(report), *images]) == 0
    assert "Compared only where the reference is labelled: 2 of 3 cases" in capsys.readouterr().out
    assert "Compared only where the reference is labelled: 2 of 3 cases." in report.read_text(encoding="utf-8")
    assert report.read_text(encoding="utf-8").count("<img") == 3
    partly.set_extent("sparse", "Core", "everywhere")
    scores = {(s.case, s.structure): s.dice for s in evaluate_folder(tmp_path / "results", partly)}
    assert scores["sparse", "Core"] < 0.6


def test_a_study_and_results_that_do_not_fit(partly, tmp_path):
    (tmp_path / "other").mkdir()
    write_labelmap(tmp_path / "other" / "somebody.nii.gz", painted((2, 6)), GRID)
    with pytest.raises(MMGLError) as caught:
        evaluate_folder(tmp_path / "other", partly)
    assert caught.value.key == "evaluate.nothing"
    with pytest.raises(MMGLError) as caught:
        evaluate_folder(tmp_path / "results", partly, ["Liver"])
    assert caught.value.key == "evaluate.nothing_in_common"
    write_labelmap(
        tmp_path / "other" / "whole.nii.gz", painted((2, 6)), Grid(GRID.size, GRID.spacing, (500.0, 0.0, 0.0))
    )
    with pytest.raises(MMGLError) as caught:
        evaluate_folder(tmp_path / "other", partly)
    assert caught.value.key == "label.outside"
