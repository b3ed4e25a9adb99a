"""A folder of scans becomes cases: names, labels by name, patients, and what is passed over."""

import numpy as np
import pytest
import SimpleITK as sitk
from test_study import key_of, painted, write_image, write_segments

from mmgl.imaging.reading import find_series
from mmgl.messages import MMGLError
from mmgl.study import Study, Use, add_folder


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.create(tmp_path / "study")


def names(cases) -> list[str]:
    return [case.name for case in cases]


def write_series(folder, number: int, description: str, patient: str = "Anna", files: int = 3) -> None:
    """Write one DICOM series of a few slices."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(files):
        image = sitk.GetImageFromArray(np.full((1, 6, 8), i, np.int16))
        image.SetSpacing((1, 1, 2))
        image.SetOrigin((0, 0, 2.0 * i))
        keys = {
            "0008|0060": "CT",
            "0010|0020": patient,
            "0020|000d": "1.2.3",
            "0020|000e": f"1.2.3.{number}",
            "0008|103e": description,
            "0020|0013": str(i + 1),
            "0020|0032": f"0\\0\\{2 * i}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
            "0008|0018": f"1.2.3.{number}.{i + 1}",
        }
        for key, value in keys.items():
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{number}-{i}.dcm"))
        writer.Execute(image)


def test_volumes_and_pictures_in_nested_folders(study, tmp_path):
    folder = tmp_path / "scans"
    write_image(folder / "b.nii.gz")
    write_image(folder / "a.nrrd")
    write_image(folder / "deep" / "er" / "c.mha")
    write_image(folder / "d.png", np.zeros((6, 8), np.uint8))
    write_image(folder / ".hidden.nii.gz")
    write_image(folder / ".git" / "e.nii.gz")
    (folder / "notes.txt").write_text("no image")
    assert names(add_folder(study, folder)) == ["a", "b", "d", "deep-er-c"]
    assert len(study.unlabelled) == 4


@pytest.mark.parametrize("label", ["x.nii.gz", "x.nrrd", "x_seg.nii.gz", "x-label.nii", "x_gt.nii.gz", "x_Mask.nrrd"])
def test_labels_by_name(study, tmp_path, label):
    write_image(tmp_path / "scans" / "x.nii.gz")
    write_image(tmp_path / "scans" / "y.nii.gz")
    write_image(tmp_path / "labels" / label, painted(1, 2))
    x, y = add_folder(study, tmp_path / "scans", tmp_path / "labels", meanings={"1": "A", "2": "B"}, use=Use.CHECK)
    assert x.label.path.name == label
    assert y.label is None
    assert study.read_labelmap(x).max() == 2
    assert x.use is y.use is Use.CHECK


def test_slicer_segmentations_and_labels_beside_the_images(study, tmp_path):
    for name in "ab":
        write_image(tmp_path / "scans" / f"{name}.nii.gz")
        write_segments(tmp_path / "scans" / f"{name}.seg.nrrd", {1: "Heart"})
    write_image(tmp_path / "scans" / "c.nii.gz")
    write_image(tmp_path / "scans" / "c_seg.nii.gz", painted(1))
    write_image(tmp_path / "scans" / "gone_seg.nii.gz", painted(1))
    cases = add_folder(study, tmp_path / "scans", tmp_path / "scans", meanings={"1": "Heart"})
    assert names(cases) == ["a", "b", "c"]
    assert [case.label.path.name for case in cases] == ["a.seg.nrrd", "b.seg.nrrd", "c_seg.nii.gz"]


def test_labels_beside_the_images_are_no_images_even_when_not_asked_for(study, tmp_path):
    write_image(tmp_path / "scans" / "c.nii.gz")
    write_image(tmp_path / "scans" / "c_seg.nii.gz", painted(1))
    write_segments(tmp_path / "scans" / "d.seg.nrrd", {1: "Heart"})
    assert names(add_folder(study, tmp_path / "scans")) == ["c"]


def test_labels_in_a_folder_inside_and_in_the_same_nesting(study, tmp_path):
    write_image(tmp_path / "scans" / "p1" / "x.nii.gz")
    write_image(tmp_path / "scans" / "labels" / "p1" / "x.nii.gz", painted(1))
    cases = add_folder(study, tmp_path / "scans", tmp_path / "scans" / "labels", meanings={"1": "Heart"})
    assert names(cases) == ["p1-x"]
    assert cases[0].label.path.parts[-3:] == ("labels", "p1", "x.nii.gz")


def test_labels_that_do_not_fit(study, tmp_path):
    write_image(tmp_path / "scans" / "x.nii.gz")
    write_image(tmp_path / "labels" / "y.nii.gz", painted(1))
    assert key_of(add_folder, study, tmp_path / "scans", tmp_path / "labels").key == "study.no_label_fits"
    write_image(tmp_path / "labels" / "x.nii.gz", painted(1))
    write_image(tmp_path / "labels" / "x_seg.nii.gz", painted(1))
    assert key_of(add_folder, study, tmp_path / "scans", tmp_path / "labels").key == "study.several_labels"


def test_a_failure_adds_nothing(study, tmp_path):
    for name in "ab":
        write_image(tmp_path / "scans" / f"{name}.nii.gz")
    write_segments(tmp_path / "labels" / "a.seg.nrrd", {1: "Heart"})
    write_segments(tmp_path / "labels" / "b.seg.nrrd", {1: "Cor"})
    error = key_of(add_folder, study, tmp_path / "scans", tmp_path / "labels")
    assert (error.key, error.parameters["case"]) == ("label.unknown_structure", "b")
    assert (study.cases, study.structures, study.next_id) == ((), (), 1)
    assert len(add_folder(study, tmp_path / "scans", tmp_path / "labels", meanings={"Cor": "Heart"})) == 2


def test_images_that_cannot_be_used_are_told_of(study, tmp_path, caplog):
    write_image(tmp_path / "scans" / "good.nii.gz")
    (tmp_path / "scans" / "bad.nii.gz").write_bytes(b"nonsense")
    told = []
    cases = add_folder(study, tmp_path / "scans", on_skipped=lambda path, error: told.append((path.name, error.key)))
    assert names(cases) == ["good"]
    assert told == [("bad.nii.gz", "scan.unreadable")]
    add_folder(study, tmp_path / "scans")
    assert "bad.nii.gz" in caplog.text


def test_images_that_are_there_already_are_passed_over(study, tmp_path):
    write_image(tmp_path / "scans" / "a.nii.gz")
    add_folder(study, tmp_path / "scans")
    assert add_folder(study, tmp_path / "scans") == []
    write_image(tmp_path / "scans" / "b.nii.gz")
    assert names(add_folder(study, tmp_path / "scans")) == ["b"]
    assert names(study.cases) == ["a", "b"]


def test_only_some(study, tmp_path):
    for name in "abc":
        write_image(tmp_path / "scans" / f"{name}.nii.gz")
    assert names(add_folder(study, tmp_path / "scans", only=["c", "a"])) == ["a", "c"]
    assert names(add_folder(study, tmp_path / "scans")) == ["b"]
    error = key_of(add_folder, study, tmp_path / "scans", only=["a", "z"])
    assert (error.key, error.parameters["names"]) == ("study.unknown_images", "z")


def test_no_image_and_no_folder(study, tmp_path):
    (tmp_path / "empty").mkdir()
    assert key_of(add_folder, study, tmp_path / "empty").key == "scan.no_image_in_folder"
    (tmp_path / "empty" / "notes.pdf").write_bytes(b"%PDF")
    assert key_of(add_folder, study, tmp_path / "empty").key == "scan.no_image_in_folder"
    assert key_of(add_folder, study, tmp_path / "nowhere").key == "file.missing"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [(r"patient\d+", ["patient01", "patient01", "other"]), (r"patient(\d+)", ["01", "01", "other"])],
)
def test_patients(study, tmp_path, pattern, expected):
    for name in ("patient01_ed", "patient01_es", "x"):
        write_image(tmp_path / "scans" / f"{name}.nii.gz")
    cases = add_folder(study, tmp_path / "scans", patient_pattern=pattern)
    assert [case.patient for case in cases] == [*expected[:2], "x"]
    assert key_of(add_folder, study, tmp_path / "scans", patient_pattern="(").key == "study.bad_pattern"


def test_two_files_that_would_be_one_case(study, tmp_path):
    write_image(tmp_path / "scans" / "a.nii.gz")
    write_image(tmp_path / "scans" / "a.nrrd")
    assert key_of(add_folder, study, tmp_path / "scans").key == "study.duplicate_case"


def test_dicom(study, tmp_path):
    folder = tmp_path / "scans"
    write_series(folder / "one", 1, "Thorax")
    write_series(folder / "two", 2, "Thorax 1/5")
    write_series(folder / "two", 3, "Thorax 1/5", patient="Berta")
    write_segments(tmp_path / "labels" / "one.seg.nrrd", {1: "Heart"})
    cases = add_folder(study, folder, tmp_path / "labels")
    assert names(cases) == ["one", "two-CT, Thorax 1_5", "two-CT, Thorax 1_5-2"]
    assert cases[0].patient == cases[1].patient != cases[2].patient
    assert cases[0].patient.startswith("patient-")
    assert cases[0].label is not None
    assert cases[2].images[0].series
    assert study.read_scan(cases[2]).array.shape == (1, 3, 6, 8)


def test_a_dicom_folder_that_cannot_be_read_does_not_stop_the_others(study, tmp_path, monkeypatch):
    write_series(tmp_path / "scans" / "one", 1, "Thorax")
    write_series(tmp_path / "scans" / "two", 2, "Thorax")

    def find(folder):
        if folder.name == "one":
            raise MMGLError("scan.unreadable", path=folder, reason="it is cut short")
        return find_series(folder)

    monkeypatch.setattr("mmgl.study.folders.find_series", find)
    told = []
    cases = add_folder(study, tmp_path / "scans", on_skipped=lambda path, error: told.append((path.name, error.key)))
    assert names(cases) == ["two"]
    assert told == [("one", "scan.unreadable")]


def test_links_to_nowhere_are_told_of(study, tmp_path, caplog):
    write_image(tmp_path / "scans" / "a.nii.gz")
    (tmp_path / "scans" / "b.nii.gz").symlink_to(tmp_path / "nowhere.nii.gz")
    assert names(add_folder(study, tmp_path / "scans")) == ["a"]
    assert "b.nii.gz" in caplog.text


@pytest.mark.data
def test_hippocampus(study, data, tmp_path):
    folder = data / "hippocampus"
    some = sorted((folder / "images").iterdir())[:6]
    (tmp_path / "scans").mkdir()
    for path in some:
        (tmp_path / "scans" / path.name).symlink_to(path)
    meanings = {"1": "Anterior", "2": "Posterior"}
    cases = add_folder(study, tmp_path / "scans", folder / "labels", meanings=meanings)
    study.save()
    assert len(cases) == 6
    assert [structure.name for structure in study.structures] == ["Anterior", "Posterior"]
    for case in Study.open(study.folder).cases:
        original = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "labels" / f"{case.name}.nii.gz")))
        labelmap = study.read_labelmap(case)
        assert labelmap.shape == study.read_scan(case).array.shape[1:]
        assert np.bincount(labelmap.ravel()).tolist() == np.bincount(original.ravel().astype(int)).tolist()
    assert len(study.split_checks()) == 3
