"""Checks before training: every planted fault is found and said in plain words, and nothing where all is well."""

import io
import json

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import MEANINGS, ball_scan, ball_study, write

from mmgl.cli import main
from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Grid
from mmgl.messages import MMGLError
from mmgl.progress import ProgressLine
from mmgl.study import Case, Image, Study, Use, label_questions
from mmgl.study.checks import Severity
from mmgl.study.checks.patients import check_patients
from mmgl.study.checks.text import as_text
from mmgl.study.statistics import statistics

SIZE = (16, 40, 36)


@pytest.fixture
def study(tmp_path) -> Study:
    """Four labelled cases to train on, two unlabelled ones and a check case, with nothing wrong."""
    return ball_study(tmp_path, labelled=4, unlabelled=2)


def add(study, name, change=lambda image, labelmap: (image, labelmap), *, label=True, grid=None, seed=20, **keywords):
    """Add a case whose image and labelmap are changed; ``grid`` is the label's own."""
    image, labelmap, own = ball_scan(seed)
    image, labelmap = change(image, labelmap)
    folder = study.folder.parent
    path = write(folder / "images" / f"{name}.nii.gz", image, Grid(image.shape, own.spacing, own.origin))
    label = write(folder / "labels" / f"{name}.nii.gz", labelmap, grid or own) if label else None
    return study.add_case(path, label=label, name=name, meanings=MEANINGS if label else None, **keywords)


def found(study, key):
    """Return the findings of one key, whose words must be one plain line each."""
    findings = study.check()
    for finding in findings:
        assert "\n" not in finding.words
        assert finding.words.endswith(".")
    return [finding for finding in findings if finding.key == key]


def one(study, key, severity=Severity.WARNING):
    (finding,) = found(study, key)
    assert finding.severity is severity
    return finding


def test_nothing_is_found_where_all_is_well(study):
    assert study.check() == []
    assert as_text([]) == "Nothing was found that stands in the way of training."


# Scans


def test_the_same_voxels_twice(study):
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(study.cases[4].images[0].path)))
    add(study, "copy", lambda image, labelmap: (array, labelmap), label=False)
    assert one(study, "check.duplicate").parameters["other"] == "case-4"


def test_constant_and_unreadable_scans(study):
    add(study, "grey", lambda image, labelmap: (np.full_like(image, 3), labelmap))
    add(study, "unlabelled grey", lambda image, labelmap: (np.full_like(image, 3), labelmap), label=False)
    assert {f.case: f.severity for f in found(study, "scan.constant")} == {
        "grey": Severity.ERROR,
        "unlabelled grey": Severity.WARNING,  # training passes it over
    }
    path = study.cases[0].images[0].path
    path.write_bytes(path.read_bytes()[:3000])
    assert one(study, "scan.unreadable", Severity.ERROR).case == "case-0"
    path.unlink()
    assert one(study, "file.missing", Severity.ERROR).case == "case-0"


@pytest.mark.parametrize("suffix", ["nii.gz", "nii", "nrrd"])
def test_no_numbers_are_found_whatever_the_format(study, suffix):
    image, _, grid = ball_scan(20)
    image[3, 4, 5:8] = np.nan, np.inf, np.nan
    study.add_case(write(study.folder.parent / f"nan.{suffix}", image, grid))
    assert one(study, "scan.not_numbers").parameters["count"] == 3


@pytest.mark.parametrize(
    ("key", "factor", "shift", "spacing"),
    [
        ("check.intensity", 1000.0, 0.0, (2.0, 1.0, 1.0)),
        ("check.intensity", 1.0, 9000.0, (2.0, 1.0, 1.0)),
        ("check.spacing", 1.0, 0.0, (12.0, 6.0, 6.0)),
        ("check.field_of_view", 1.0, 0.0, (0.5, 0.25, 0.25)),
    ],
)
def test_scans_unlike_all_others(study, key, factor, shift, spacing):
    image, _, _ = ball_scan(20)
    path = study.folder.parent / "odd.nii.gz"
    study.add_case(write(path, image * factor + shift, Grid(SIZE, spacing, (0.0, 0.0, 0.0))))
    assert one(study, key).case == "odd"


def test_other_channels(study):
    image, _, grid = ball_scan(20)
    study.add_case(write(study.folder.parent / "two.nrrd", np.stack([image, image]), grid))
    assert one(study, "scan.other_channels", Severity.ERROR).case == "two"


def test_labels_added_as_scans(study):
    add(study, "really a label", lambda image, labelmap: (labelmap, labelmap), label=False)
    assert one(study, "check.looks_like_label").parameters["count"] == 3
    add(study, "eight bits", lambda image, labelmap: ((image / 4).clip(0, 40).astype(np.uint8), labelmap), label=False)
    assert [f.case for f in found(study, "check.looks_like_label")] == ["really a label"]


# Labels


def test_another_grid_is_told(study):
    _, _labelmap, grid = ball_scan(20)
    cropped = Grid((16, 30, 26), grid.spacing, tuple(float(v) for v in grid.position((0, 5, 5))))
    add(study, "cropped", lambda image, labels: (image, labels[:, 5:35, 5:31]), grid=cropped)
    assert "26 x 30 x 16" in one(study, "check.other_grid", Severity.NOTE).words
    assert not found(study, "check.label_cut")


def test_a_label_that_is_half_outside(study):
    _, _, grid = ball_scan(20)
    moved = Grid(SIZE, grid.spacing, (grid.origin[0], grid.origin[1], grid.origin[2] + 18.0))
    add(study, "moved", grid=moved)
    assert one(study, "check.label_cut").case == "moved"


def test_a_label_that_was_moved_away_or_emptied_after_it_was_added(study):
    path = study.cases[0].label.path
    _image, labelmap, grid = ball_scan(0)
    write(path, labelmap, Grid(SIZE, grid.spacing, (900.0, 0.0, 0.0)))
    assert one(study, "label.outside", Severity.ERROR).case == "case-0"
    write(path, np.zeros_like(labelmap), grid)
    assert one(study, "label.empty", Severity.ERROR).case == "case-0"
    write(path, labelmap + 3 * (labelmap > 0), grid)
    assert one(study, "label.unnamed_values", Severity.ERROR).case == "case-0"
    path.unlink()
    assert one(study, "file.missing", Severity.ERROR).case == "case-0"


def test_one_structure_in_one_case_only_and_one_in_none(study):
    add(study, "vessel", lambda image, labelmap: (image, labelmap))
    array = ball_scan(20)[1].copy()
    array[:, 2:5, 2:5] = 3
    write(study.case("vessel").label.path, array, ball_scan(20)[2])
    study.set_label("vessel", study.case("vessel").label.path, {"3": "Vessel"})
    study.add_structure("Never painted")
    assert one(study, "check.only_once").parameters["structure"] == "Vessel"
    assert one(study, "check.never").parameters["structure"] == "Never painted"


def two_balls(image, labelmap, swapped=False):
    """Paint a small ball left and one right of the middle instead of shell and core."""
    labelmap = np.zeros_like(labelmap)
    labelmap[5:11, 10:20, 6:12], labelmap[5:11, 10:20, 24:30] = (2, 1) if swapped else (1, 2)
    return image, labelmap


@pytest.mark.parametrize(("right", "wrong", "key"), [(4, 1, "check.swapped"), (3, 3, "check.swapped_some")])
def test_names_of_two_sides_swapped(tmp_path, right, wrong, key):
    study = Study.create(tmp_path / "study")
    for number in range(right + wrong):
        swapped = number >= right
        add(study, f"c{number}", lambda *both, swapped=swapped: two_balls(*both, swapped), seed=number)
    finding = one(study, key)
    assert (finding.parameters["first"], finding.parameters["second"]) == ("Shell", "Core")
    assert key == "check.swapped_some" or finding.case == f"c{right}"


def test_structures_without_a_side_are_not_called_swapped(study):
    for seed in range(30, 36):
        add(study, f"more {seed}", seed=seed)
    assert not found(study, "check.swapped")
    assert not found(study, "check.swapped_some")


def test_overlapping_segments_are_told_with_the_rule(study):
    _, labelmap, grid = ball_scan(20)
    both = image_of(np.stack([labelmap > 0, labelmap > 1]).astype(np.uint8), grid)
    for i, name in enumerate(("Core", "Shell")):
        for key, text in (("Name", name), ("LabelValue", "1"), ("Layer", str(i)), ("ID", name)):
            both.SetMetaData(f"Segment{i}_{key}", text)
    sitk.WriteImage(both, str(study.folder.parent / "both.seg.nrrd"))
    case = add(study, "overlap", label=False)
    study.set_label("overlap", study.folder.parent / "both.seg.nrrd")
    finding = one(study, "check.overlap")
    assert finding.words.startswith(f"Core and Shell overlap in overlap ({np.count_nonzero(labelmap > 1):,} voxels)")
    kept = study.read_labelmap(study.case(case.name))
    assert (kept == 2).sum() == np.count_nonzero(labelmap)  # the upper one in the list wins


def test_names_that_slicer_gives(study):
    study.add_structure("Segment_1")
    assert one(study, "check.default_name").parameters["structure"] == "Segment_1"
    assert main(["study", "rename", str(_saved(study)), "Segment_1", "Aorta"]) == 0
    assert not found(Study.open(study.folder), "check.default_name")


def _saved(study):
    study.save()
    return study.folder


# Questions


def sparse(image, labelmap):
    labelmap = labelmap.copy()
    labelmap[np.arange(16) % 3 != 0] = 0
    return image, labelmap


def test_gaps_are_asked_once(study, capsys):
    add(study, "sparse", sparse)
    question = one(study, "check.gaps", Severity.QUESTION)
    assert "(Shell on 4 of 16 axial slices; Core on 2 of 16 axial slices)" in question.words
    assert [choice.value for choice in question.choices] == ["slices", "everywhere"]
    assert study.read_labelmap(study.case("sparse")).min() == -1  # the default holds until it is answered
    folder = str(_saved(study))
    assert main(["study", "check", folder]) == 0
    assert "mmgl study answer STUDY check.gaps ANSWER" in capsys.readouterr().out
    assert main(["study", "answer", folder, "check.gaps", "everywhere", "sparse"]) == 0
    study = Study.open(folder)
    assert not found(study, "check.gaps")
    assert one(study, "check.gaps_as_background").case == "sparse"
    assert study.read_labelmap(study.case("sparse")).min() == 0
    assert main(["study", "answer", folder, "check.gaps", "slices"]) == 1
    assert "No question check.gaps is open." in capsys.readouterr().err
    with pytest.raises(MMGLError, match="Choose one of: slices, everywhere"):
        study.answer(question, "perhaps")


def test_a_missing_structure_is_asked_once(study):
    add(study, "no core", lambda image, labelmap: (image, np.minimum(labelmap, 1)))
    question = one(study, "check.missing", Severity.QUESTION)
    assert question.default == "not labelled"
    assert set(np.unique(study.read_labelmap(study.case("no core")))) == {-2, 1}
    study.answer(question, "absent")
    assert not found(study, "check.missing")
    assert set(np.unique(study.read_labelmap(study.case("no core")))) == {0, 1}
    assert Study.open(_saved(study)) == study


def test_scribbles_without_background_are_asked_about(study):
    def strokes(image, labelmap):
        thin = np.zeros_like(labelmap)
        for k in range(4, 12):
            thin[k, 8 + k, 8:28], thin[k, 12 + k, 8:28] = 1, 2
        return image, thin

    add(study, "scribbles", strokes)
    question = one(study, "check.strokes", Severity.QUESTION)
    study.answer(question, "painted")
    assert not found(study, "check.strokes")
    assert (study.read_labelmap(study.case("scribbles")) == -1).sum() == np.prod(SIZE) - 8 * 40


def test_segments_of_a_label_are_asked_with_the_best_guess_first(study):
    path = study.cases[0].label.path
    values = label_questions(study, path)
    counts = np.bincount(ball_scan(0)[1].ravel())[1:]
    assert [q.parameters["voxels"] for q in values] == [f"{count:,}" for count in counts]
    assert [c.value for c in values[0].choices] == ["Shell", "Core", "Structure 1", ""]
    assert values[0].default == "Structure 1"  # neither order nor value says anything
    image = sitk.ReadImage(str(path))
    for i, name in enumerate(("Shel", "Segment_2")):
        image.SetMetaData(f"Segment{i}_Name", name)
        image.SetMetaData(f"Segment{i}_LabelValue", str(i + 1))
    named = study.folder.parent / "named.seg.nrrd"
    sitk.WriteImage(image, str(named))
    first, second = label_questions(study, named)
    assert (first.default, second.default) == ("Shell", "Segment_2")
    assert "'Shel'" in first.words
    answers = {q.parameters["name"]: c for q, c in zip((first, second), (first.default, ""), strict=True)}
    assert label_questions(study, named, answers) == []
    assert study.set_label("case-4", named, answers).label.meanings == {"Shel": 1, "Segment_2": 0}


# Patients


def cases_of(*patients, use=Use.TRAIN, suffix=".dcm"):
    return [Case(f"c{i}", p, (Image(study_file(i, suffix)),), None, use) for i, p in enumerate(patients)]


def study_file(number, suffix):
    from pathlib import Path

    return Path(f"/scans/{number}{suffix}")


def test_one_patient_on_both_sides(study):
    study.set_patient("case-0", "somebody")
    study.set_patient("case-6", "somebody")
    finding = one(study, "check.straddles", Severity.ERROR)
    assert "somebody is trained on (case-0) and held out (case-6)" in finding.words


def test_anonymised_dicom(study):
    keys = [f.key for f in check_patients(cases_of("patient-1", "patient-1", "patient-1"), ())]
    assert keys == ["check.one_patient"]
    assert not list(check_patients(cases_of("patient-1", "patient-1", "patient-2"), ()))
    assert not list(check_patients(cases_of("patient-1", "patient-1", "patient-1", suffix=".nii"), ()))
    study.cases = tuple(cases_of("patient-1", "patient-1", "patient-1"))
    (question,) = check_patients(study.cases, study.answered)
    study.answer(question, "one")
    assert not list(check_patients(study.cases, study.answered))
    study.answer(question, "different")
    assert [case.patient for case in study.cases] == ["c0", "c1", "c2"]
    assert Study.open(_saved(study)).answered == study.answered


def test_nobody_held_out(tmp_path):
    study = ball_study(tmp_path, labelled=2, checks=0)
    assert one(study, "check.few_patients", Severity.NOTE).parameters["missing"] == 2
    for number in range(2):
        add(study, f"more {number}", seed=40 + number)
    assert one(study, "check.none_held_out", Severity.NOTE)
    study.split_checks()
    assert study.check() == []
    empty = Study.create(tmp_path / "empty")
    assert one(empty, "study.no_labels", Severity.ERROR)


# All together


def test_a_second_check_reads_no_voxels(study, monkeypatch):
    first = study.check()
    monkeypatch.setattr("mmgl.study.statistics.scan_statistics", None)
    monkeypatch.setattr("mmgl.study.statistics.label_statistics", None)
    told = []
    assert study.check(lambda done, of: told.append((done, of))) == first
    assert told == [(i, 7) for i in range(1, 8)]


def test_statistics_are_the_same_from_the_cache(study, tmp_path):
    fresh = statistics(study.cases[0], study.structures, tmp_path / "new")
    again = statistics(study.cases[0], study.structures, tmp_path / "new")
    assert json.dumps(vars(fresh.label)) == json.dumps(vars(again.label))
    assert json.dumps(vars(fresh.scan)) == json.dumps(vars(again.scan))


def test_cases_that_are_left_out_are_not_looked_at(study):
    add(study, "grey", lambda image, labelmap: (np.full_like(image, 3), labelmap), use=Use.LEAVE_OUT)
    assert study.check() == []


def test_training_refuses_errors_and_tells_the_rest(study):
    from mmgl.training.budget import Budget
    from mmgl.training.train import train

    add(study, "sparse", sparse)
    events = []
    train(study, method="supervised", budget=Budget(steps=1), device="cpu", on_event=events.append)
    assert [e["key"] for e in events if e["event"] == "finding"] == ["check.gaps"]
    study.set_patient("case-0", "case-6")
    with pytest.raises(MMGLError, match="Patient case-6 is trained on") as caught:
        train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="refused")
    assert caught.value.key == "check.failed"
    assert not (study.folder / "runs" / "refused").exists()


def test_the_list_says_the_same_only_once(study, capsys):
    for number in range(5):
        add(study, f"sparse {number}", sparse, seed=50 + number)
    write(study.cases[0].label.path, np.zeros(SIZE, np.uint8), ball_scan(0)[2])
    assert main(["study", "check", str(_saved(study))]) == 1
    text = capsys.readouterr().out
    assert text.count("only some slices are painted") == 2
    add(study, "no core", lambda image, labelmap: (image, np.minimum(labelmap, 1)))
    add(study, "no shell", lambda image, labelmap: (image, np.where(labelmap == 1, 0, labelmap)))
    lines = as_text(found(study, "check.missing")).splitlines()
    assert [line.strip()[:20] for line in lines if "not painted" in line] == [
        "- In no core Core is",
        "- In no shell Shell ",
    ]
    assert "The same in 3 more: sparse 2, sparse 3, sparse 4" in text
    assert text.index("Must be put right") < text.index("Please answer")


def test_progress_tells_one_finding_of_each_kind():
    stream = io.StringIO()
    with ProgressLine(stream) as progress:
        for key, words in (("a", "first"), ("b", "second"), ("a", "third")):
            progress.show({"event": "finding", "key": key, "words": words})
    assert stream.getvalue() == "first\nsecond\n"
