"""A study on disk: round trips, damage, identity of structures, splits, voxels."""

import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study import Case, Image, Label, Study, Use
from mmgl.study.splits import choose_patients, pseudonym

SIZE = (4, 6, 8)


def write_image(path: Path, array=None, spacing=(1.5, 2.0, 3.0)) -> Path:
    """Write (z, y, x) numbers as an image; a ramp where none are given."""
    array = np.arange(np.prod(SIZE), dtype=np.int16).reshape(SIZE) if array is None else array
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing[: image.GetDimension()])
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def painted(*values: int, size=SIZE) -> np.ndarray:
    """Return a labelmap in which value i fills a box of i + 1 voxels in slice i."""
    array = np.zeros(size, dtype=np.uint8)
    for i, value in enumerate(values):
        array[i, 0, : i + 1] = value
    return array


def write_segments(path: Path, names: dict[int, str], array=None, terminology: str = "") -> Path:
    """Write a segmentation as Slicer does, with a name for each value."""
    image = sitk.GetImageFromArray(painted(*names) if array is None else array)
    image.SetSpacing((1.5, 2.0, 3.0))
    for i, (value, name) in enumerate(names.items()):
        image.SetMetaData(f"Segment{i}_ID", f"Segment_{i}")
        image.SetMetaData(f"Segment{i}_Name", name)
        image.SetMetaData(f"Segment{i}_LabelValue", str(value))
        image.SetMetaData(f"Segment{i}_Layer", "0")
        image.SetMetaData(f"Segment{i}_Color", "1 0 0.2")
        image.SetMetaData(f"Segment{i}_Tags", f"TerminologyEntry:{terminology}|")
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.create(tmp_path / "study")


@pytest.fixture
def labelled(study) -> Study:
    """A study with one labelled case called first, of the structures Heart (1 voxel) and Aorta (2 voxels)."""
    inside = study.folder / "scans"
    label = write_segments(inside / "first.seg.nrrd", {1: "Heart", 2: "Aorta"})
    study.add_case(write_image(inside / "first.nii.gz"), label=label)
    return study


def key_of(call, *arguments, **keywords) -> MMGLError:
    with pytest.raises(MMGLError) as caught:
        call(*arguments, **keywords)
    return caught.value


# On disk


def test_round_trip(labelled, tmp_path):
    outside = write_image(tmp_path / "elsewhere" / "second.nrrd")
    labelled.add_case([outside, outside], name="zwei ü", patient="p", use=Use.LEAVE_OUT)
    labelled.save()
    again = Study.open(labelled.folder)
    assert again == labelled
    assert Study.open(labelled.folder / "study.json") == labelled
    assert again.case("first") == Case(
        "first",
        "first",
        (Image(labelled.folder / "scans" / "first.nii.gz"),),
        Label(labelled.folder / "scans" / "first.seg.nrrd", {"Heart": 1, "Aorta": 2}),
        Use.TRAIN,
    )
    assert again.structures[0] == Structure(1, "Heart", (255, 0, 51))


def test_moving_the_folder_keeps_it_working(labelled, tmp_path):
    outside = write_image(tmp_path / "elsewhere" / "second.nrrd")
    labelled.add_case(outside)
    labelled.save()
    stored = json.loads((labelled.folder / "study.json").read_text(encoding="utf-8"))["cases"]
    assert stored[0]["images"][0]["path"] == "scans/first.nii.gz"
    assert stored[0]["label"]["path"] == "scans/first.seg.nrrd"
    assert stored[1]["images"][0]["path"] == outside.as_posix()
    shutil.move(labelled.folder, tmp_path / "moved")
    moved = Study.open(tmp_path / "moved")
    assert moved.read_labelmap(moved.case("first")).max() == 2
    assert moved.read_scan(moved.case("second")).array.shape == (1, *SIZE)


def test_relative_paths_are_taken_from_where_one_is(study, tmp_path, monkeypatch):
    write_image(tmp_path / "a" / "x.nii")
    monkeypatch.chdir(tmp_path / "a")
    assert study.add_case("../a/x.nii").images[0].path == tmp_path / "a" / "x.nii"


def test_missing_and_existing(study, tmp_path):
    assert key_of(Study.open, tmp_path).key == "study.missing"
    assert key_of(Study.open, tmp_path / "nowhere" / "study.json").key == "study.missing"
    assert key_of(Study.create, study.folder).key == "study.exists"


def test_newer_version(study):
    path = study.folder / "study.json"
    path.write_text(json.dumps({"format": "mmgl study", "version": 2, "surprise": []}))
    error = key_of(Study.open, study.folder)
    assert (error.key, error.parameters["found"], error.parameters["known"]) == ("file.newer", 2, 1)


def test_keys_nobody_knows_are_ignored(labelled):
    labelled.save()
    path = labelled.folder / "study.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["extra"] = document["cases"][0]["extra"] = 1
    path.write_text(json.dumps(document))
    assert Study.open(labelled.folder) == labelled


DAMAGE = [
    (["format"], "else", "format"),
    (["version"], True, "version"),
    (["version"], 0, "version"),
    (["structures"], {}, "structures"),
    (["structures", 1], [], "structures[1]"),
    (["structures", 1, "id"], 1, "structures"),
    (["structures", 1, "id"], True, "structures[1]"),
    (["structures", 1, "name"], "Heart", "structures"),
    (["structures", 1, "colour"], "red", "structures[1]"),
    (["next_id"], 2, "next_id"),
    (["next_id"], None, "next_id"),
    (["cases"], None, "cases"),
    (["cases", 0], 3, "cases[0]"),
    (["cases", 0, "name"], "", "cases[0].name"),
    (["cases", 0, "name"], "../x", "cases[0].name"),
    (["cases", 0, "patient"], 5, "cases[0].patient"),
    (["cases", 0, "images"], [], "cases[0].images"),
    (["cases", 0, "images", 0], "x", "cases[0].images[0]"),
    (["cases", 0, "images", 0, "path"], "a\0b", "cases[0].images[0].path"),
    (["cases", 0, "images", 0, "path"], "x" * 5000, "cases[0].images[0].path"),
    (["cases", 0, "images", 0, "series"], None, "cases[0].images[0].series"),
    (["cases", 0, "label"], "x", "cases[0].label"),
    (["cases", 0, "label", "path"], None, "cases[0].label.path"),
    (["cases", 0, "label", "meanings"], {"Heart": True}, "cases[0].label.meanings"),
    (["cases", 0, "label", "meanings"], {"Heart": -3}, "cases[0].label.meanings"),
    (["cases", 0, "label", "extents"], {"1": "somewhere"}, "cases[0].label.extents"),
    (["cases", 0, "label", "extents"], {"one": "absent"}, "cases[0].label.extents"),
    (["cases", 0, "label", "extents"], {"9": "absent"}, "cases[0].label.extents"),
    (["cases", 0, "label", "extents"], [], "cases[0].label.extents"),
    (["cases", 0, "label", "meanings"], {"Heart": 9}, "cases[0].label.meanings"),
    (["cases", 0, "use"], "test", "cases[0].use"),
    (["cases", 0, "use"], ["train"], "cases[0].use"),
]


@pytest.mark.parametrize(("place", "value", "where"), DAMAGE)
def test_damage_is_found_and_named(labelled, place, value, where):
    labelled.save()
    path = labelled.folder / "study.json"
    document = inner = json.loads(path.read_text(encoding="utf-8"))
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    path.write_text(json.dumps(document))
    error = key_of(Study.open, labelled.folder)
    assert (error.key, error.parameters["where"]) == ("study.invalid", where)
    assert error.parameters["problem"].startswith("must")


def test_two_cases_of_one_name_in_the_file(labelled):
    labelled.cases *= 2
    labelled.save()
    assert key_of(Study.open, labelled.folder).parameters["where"] == "cases"


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"format": "mmgl study", "version": 1'])
def test_what_is_no_study(study, text):
    (study.folder / "study.json").write_text(text)
    assert key_of(Study.open, study.folder).key in ("file.damaged", "study.invalid")


def test_a_crash_while_saving_leaves_the_old_study(labelled, monkeypatch):
    labelled.save()
    before = (labelled.folder / "study.json").read_bytes()

    def crash(*_):
        raise OSError("power lost")

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="power lost"):
        Study(labelled.folder).save()
    assert (labelled.folder / "study.json").read_bytes() == before
    assert not list(labelled.folder.glob(".writing-*"))


# Cases


def test_names_and_patients(study, tmp_path):
    assert study.add_case(write_image(tmp_path / "a.1.nii.gz")).name == "a.1"
    assert study.add_case(write_image(tmp_path / "b.nii.gz"), name="c", patient="p").patient == "p"
    assert study.case("a.1").patient == "a.1"
    assert key_of(study.add_case, tmp_path / "a.1.nii.gz").key == "study.duplicate_case"
    assert key_of(study.add_case, tmp_path / "a.1.nii.gz", name="a/b").key == "study.case_name"
    assert key_of(study.case, "nobody").key == "study.unknown_case"
    assert len(study.cases) == 2


def test_dicom_patients_become_pseudonyms(study, tmp_path, monkeypatch):
    from mmgl.study import study as module

    real = module.read_common_header
    monkeypatch.setattr(
        module, "read_common_header", lambda *arguments: type(real(*arguments))(*_with_patient(real(*arguments)))
    )
    case = study.add_case(write_image(tmp_path / "a.nii"))
    assert (
        case.patient == pseudonym("Müller^Anna") == f"patient-{hashlib.sha256('Müller^Anna'.encode()).hexdigest()[:8]}"
    )


def _with_patient(header):
    return header.grid, header.channels, header.modality, "Müller^Anna"


def test_an_image_that_is_missing_or_none(study, tmp_path):
    assert key_of(study.add_case, tmp_path / "none.nii.gz").key == "file.missing"
    with pytest.raises(ValueError, match="at least one image"):
        study.add_case([])


def test_several_channels(study, tmp_path):
    flair = write_image(tmp_path / "flair.nii.gz")
    t1 = write_image(tmp_path / "t1.nii.gz", np.arange(192, dtype=np.int16).reshape(SIZE) + 5)
    case = study.add_case([flair, str(t1)], name="brain")
    scan = study.read_scan(case)
    assert scan.array.shape == (2, *SIZE)
    assert (scan.array[1] == scan.array[0] + 5).all()
    other = write_image(tmp_path / "other.nii.gz", spacing=(1, 1, 1))
    assert key_of(study.add_case, [flair, other]).key == "scan.channels_differ"


def test_a_picture_with_a_painted_picture(study, tmp_path):
    colours = sitk.GetImageFromArray(np.arange(144, dtype=np.uint8).reshape(6, 8, 3), isVector=True)
    sitk.WriteImage(colours, str(tmp_path / "polyp.png"))
    mask = np.zeros((6, 8), np.uint8)
    mask[2:4, 2:5] = 255
    label = write_image(tmp_path / "polyp_mask.png", mask)
    case = study.add_case(tmp_path / "polyp.png", label=label, meanings={"255": "Polyp"})
    assert study.read_scan(case).array.shape == (3, 1, 6, 8)
    labelmap = study.read_labelmap(case)
    assert labelmap.shape == (1, 6, 8)
    assert (labelmap[0] == mask // 255).all()


def test_uses(labelled, tmp_path):
    labelled.add_case(write_image(tmp_path / "plain.nii.gz"))
    assert [case.name for case in labelled.labelled] == ["first"]
    assert [case.name for case in labelled.unlabelled] == ["plain"]
    assert labelled.checks == ()
    labelled.set_use("first", Use.CHECK)
    labelled.set_use("plain", Use.CHECK)
    assert labelled.labelled == labelled.unlabelled == ()
    assert [case.name for case in labelled.checks] == ["first"]
    labelled.remove_case("first")
    assert [case.name for case in labelled.cases] == ["plain"]
    assert key_of(labelled.remove_case, "first").key == "study.unknown_case"


# Labels


def test_reordered_renamed_and_extra_segments(labelled, tmp_path):
    image = write_image(tmp_path / "second.nii.gz")
    label = write_segments(tmp_path / "l.seg.nrrd", {1: "aorta", 2: "HEA-RT", 3: "Scratch"})
    error = key_of(labelled.add_case, image, label=label)
    assert (error.key, error.parameters["keys"]) == ("label.unknown_structure", ("Scratch",))
    assert len(labelled.cases) == 1
    case = labelled.add_case(image, label=label, meanings={"Scratch": ""})
    assert case.label.meanings == {"aorta": 2, "HEA-RT": 1, "Scratch": 0}
    assert Counter(labelled.read_labelmap(case).ravel().tolist()) == {0: 4 * 6 * 8 - 3, 2: 1, 1: 2}


def test_answers_are_remembered(labelled, tmp_path):
    label = write_segments(tmp_path / "l.seg.nrrd", {1: "Cor", 2: "Scratch"})
    meanings = {"Cor": "Heart", "Scratch": ""}
    labelled.add_case(write_image(tmp_path / "2.nii.gz"), label=label, meanings=meanings)
    assert labelled.add_case(write_image(tmp_path / "3.nii.gz"), label=label).label.meanings == {"Cor": 1, "Scratch": 0}


def test_same_tissue_code_stays_two_structures(study, tmp_path):
    tissue = "Segmentation category~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes~^^~^^"
    label = write_segments(tmp_path / "l.seg.nrrd", {1: "Heart", 2: "Aorta"}, terminology=tissue)
    study.add_case(write_image(tmp_path / "a.nii.gz"), label=label)
    other = write_segments(tmp_path / "m.seg.nrrd", {2: "Heart", 1: "Aorta"}, terminology=tissue)
    case = study.add_case(write_image(tmp_path / "b.nii.gz"), label=other)
    assert [s.name for s in study.structures] == ["Heart", "Aorta"]
    assert case.label.meanings == {"Heart": 1, "Aorta": 2}


def test_values_without_names_must_be_named_each_time(labelled, tmp_path):
    image, label = write_image(tmp_path / "a.nii.gz"), write_image(tmp_path / "l.nii.gz", painted(1, 7))
    error = key_of(labelled.add_case, image, label=label)
    assert (error.key, error.parameters["keys"]) == ("label.unnamed_values", ("1", "7"))
    assert key_of(labelled.add_case, image, label=label, meanings={"1": "Aorta"}).parameters["keys"] == ("7",)
    case = labelled.add_case(image, label=label, meanings={"1": "aorta", "7": "Bone"})
    assert case.label.meanings == {"1": 2, "7": 3}
    assert labelled.structures[2].name == "Bone"
    again = write_image(tmp_path / "b.nii.gz")
    assert key_of(labelled.add_case, again, label=label).key == "label.unnamed_values"


def test_set_label(labelled, tmp_path):
    labelled.add_case(write_image(tmp_path / "a.nii.gz"))
    label = write_image(tmp_path / "l.nii.gz", painted(7))
    assert key_of(labelled.set_label, "a", label).key == "label.unnamed_values"
    labelled.set_label("a", label, {"7": "Heart"})
    assert labelled.set_label("a", label).label.meanings == {"7": 1}
    write_image(label, painted(7, 8))
    assert key_of(labelled.read_labelmap, labelled.case("a")).key == "label.unnamed_values"
    labelled.set_label("a", label, {"8": "Aorta"})
    assert labelled.read_labelmap(labelled.case("a")).max() == 2
    assert labelled.set_label("a", None).label is None
    assert key_of(labelled.read_labelmap, labelled.case("a")).key == "study.unlabelled_case"
    assert [case.name for case in labelled.cases] == ["first", "a"]


def test_what_is_said_of_a_name_wins_over_what_was_said_of_its_segments_before(labelled, tmp_path):
    array = painted(1, 2)
    label = write_segments(tmp_path / "l.seg.nrrd", {1: "X", 2: "X"}, array)
    said = {"X (value 1)": "Heart", "X (value 2)": ""}
    labelled.add_case(write_image(tmp_path / "a.nii.gz"), label=label, meanings=said)
    assert labelled.set_label("a", label).label.meanings == {"X (value 1)": 1, "X (value 2)": 0}
    assert labelled.set_label("a", label, {"X": "Aorta"}).label.meanings == {"X (value 1)": 2, "X (value 2)": 2}


def test_a_label_without_structures_of_the_study(labelled, tmp_path):
    label = write_segments(tmp_path / "l.seg.nrrd", {1: "Scratch"})
    case = labelled.add_case(write_image(tmp_path / "a.nii.gz"), label=label, meanings={"Scratch": ""})
    assert key_of(labelled.read_labelmap, case).key == "label.empty"


def test_originals_are_not_changed(labelled):
    files = [path for path in (labelled.folder / "scans").rglob("*") if path.is_file()]
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    case = labelled.case("first")
    labelled.read_scan(case)
    labelled.read_labelmap(case)
    labelled.set_label("first", case.label.path)
    labelled.save()
    labelled.remove_case("first")
    labelled.save()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files} == before


# Structures


def test_ids_are_never_used_again(labelled):
    labelled.remove_structure("Aorta")
    labelled.save()
    again = Study.open(labelled.folder)
    assert again.add_structure("Aorta").id == 3
    assert again.case("first").label.meanings == {"Heart": 1, "Aorta": 0}
    assert again.read_labelmap(again.case("first")).max() == 1


def test_changing_structures(labelled):
    heart = labelled.structures[0]
    labelled.change_structure(Structure(heart.id, "Cor", (1, 2, 3)))
    assert [s.name for s in labelled.structures] == ["Cor", "Aorta"]
    assert labelled.read_labelmap(labelled.case("first")).max() == 2
    assert key_of(labelled.change_structure, Structure(1, "Aorta", (1, 2, 3))).key == "study.duplicate_structure"
    assert key_of(labelled.change_structure, Structure(8, "New", (1, 2, 3))).key == "study.unknown_structure"
    assert key_of(labelled.remove_structure, "Heart").key == "study.unknown_structure"
    assert key_of(labelled.add_structure, "Aorta").key == "study.duplicate_structure"
    with pytest.raises(ValueError, match="name"):
        labelled.add_structure(" ")


# Splits


def made_up(patients: list[tuple[str, bool, Use]]) -> Study:
    """Return a study in memory of cases with these patients, labels and uses."""
    cases = [
        Case(f"case {i}", patient, (Image(Path("/x")),), Label(Path("/y")) if label else None, use)
        for i, (patient, label, use) in enumerate(patients)
    ]
    return Study(Path("/"), cases=tuple(cases))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefghijk"), st.booleans(), st.sampled_from(list(Use))), max_size=30),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
def test_split(patients, fraction, seed):
    study = made_up(patients)
    names = study.split_checks(fraction, seed)
    active = [case for case in study.cases if case.use is not Use.LEAVE_OUT]
    held_out = {case.patient for case in active if case.use is Use.CHECK}
    assert held_out.isdisjoint(case.patient for case in active if case.use is Use.TRAIN)
    assert names == [case.name for case in study.checks]
    assert {case.patient for case in study.checks} == held_out
    of_labels = {patient for patient, label, use in patients if label and use is not Use.LEAVE_OUT}
    if len(of_labels) < 4:
        assert names == []
    else:
        assert 1 <= len(held_out) < len(of_labels)
        assert len(held_out) - fraction * len(of_labels) >= -1
        assert len(held_out) - max(3, fraction * len(of_labels)) <= 1
    assert len(of_labels) < 6 or len(names) >= 3  # fewer scans tell nothing that anybody should trust
    assert [case.use is Use.LEAVE_OUT for case in study.cases] == [use is Use.LEAVE_OUT for _, _, use in patients]
    shuffled = Study(study.folder, cases=tuple(random.Random(seed).sample(study.cases, len(study.cases))))
    assert sorted(shuffled.split_checks(fraction, seed)) == sorted(names)


def test_split_differs_by_seed_and_refuses_what_is_no_fraction():
    patients = [str(i) for i in range(20)]
    assert len({frozenset(choose_patients(patients, 0.2, seed)) for seed in range(5)}) > 1
    assert all(len(choose_patients(patients, 0.2, seed)) == 4 for seed in range(5))
    assert [len(choose_patients(patients[:n])) for n in (3, 4, 5, 6, 10, 15, 20)] == [0, 1, 1, 3, 3, 3, 4]
    assert len(choose_patients([*patients[:7]] * 2)) == 2  # two scans of each patient
    for fraction in (0, 1, -1, float("nan")):
        with pytest.raises(ValueError, match="fraction"):
            choose_patients(patients, fraction)


# Elsewhere


def test_a_study_needs_no_torch():
    code = "import sys, mmgl.study; sys.exit(any(name in sys.modules for name in ('torch', 'monai')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
