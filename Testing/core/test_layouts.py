"""Published data sets: tiny files that lie as the real ones do become the right cases, labels and structures."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
from test_study import key_of
from test_study import write_image as write

from mmgl.cli import main
from mmgl.layouts import LAYOUTS
from mmgl.study import Study, Use
from mmgl.study.published import add_published, find_published, read_split

SIZE = (3, 12, 10)


def write_image(path, array=None) -> None:
    """Write a labelmap, or a ramp as a scan."""
    write(path, np.arange(np.prod(SIZE), dtype=np.int16).reshape(SIZE) if array is None else array)


def painted(*values) -> np.ndarray:
    """Return a labelmap with one row of each value."""
    labelmap = np.zeros(SIZE, np.int16)
    for row, value in enumerate(values):
        labelmap[:, row] = value
    return labelmap


def picture(path, array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.repeat(array[..., None], 3, -1) if path.suffix == ".jpg" else array
    sitk.WriteImage(sitk.GetImageFromArray(colours.astype(np.uint8), isVector=path.suffix == ".jpg"), str(path))


def acdc(root):
    for number, frames in ((1, ("01", "12")), (2, ("01", "09")), (3, ("01", "10"))):
        folder = root / "training" / f"patient{number:03d}"
        for frame in frames:
            write_image(folder / f"{folder.name}_frame{frame}.nii.gz")
            write_image(folder / f"{folder.name}_frame{frame}_gt.nii.gz", painted(1, 2, 3))
        write_image(folder / f"{folder.name}_4d.nii.gz")
        (folder / "Info.cfg").write_text("ED: 1\nES: 12\nGroup: DCM\n")
    write_image(root / "testing" / "patient101" / "patient101_frame01.nii.gz")
    return ["patient001_frame01", "patient001_frame12", "patient002_frame01"]


def whole_heart(root, kind):
    for number in (1001, 1002):
        write_image(root / f"{kind}_train" / f"{kind}_train_{number}_image.nii.gz")
        left_atrium = 421 if kind == "mr" and number == 1001 else 420
        values = painted(205, left_atrium, 500, 550, 600, 820, 850)
        write_image(root / f"{kind}_train" / f"{kind}_train_{number}_label.nii.gz", values)
    write_image(root / f"{kind}_test" / f"{kind}_test_2001_image.nii.gz")
    return [f"{kind}_train_1001", f"{kind}_train_1002"]


def synapse(root):
    for number in (1, 2):
        write_image(root / "RawData" / "Training" / "img" / f"img000{number}.nii.gz")
        write_image(root / "RawData" / "Training" / "label" / f"label000{number}.nii.gz", painted(1, 6, 11))
    write_image(root / "RawData" / "Testing" / "img" / "img0061.nii.gz")
    return ["img0001", "img0002"]


def left_atrium(root):
    for name in ("0RZDK210BSMWAA6467LU", "06SR5RBREL16DQ6M8LWS"):
        write_image(root / "Training Set" / name / "lgemri.nrrd")
        write_image(root / "Training Set" / name / "laendo.nrrd", painted(255))
        (root / "Training Set" / name / "desktop.ini").write_text("")
    return ["06SR5RBREL16DQ6M8LWS", "0RZDK210BSMWAA6467LU"]


def kvasir(root):
    noise = np.random.default_rng(0).integers(0, 255, (24, 32))
    mask = np.zeros((24, 32))
    mask[6:17, 8:20] = 255
    for name in ("cju0qkwl35piu0993l0dewei2", "cju0qoxqj9q6s0835b43399p4"):
        picture(root / "Kvasir-SEG" / "images" / f"{name}.jpg", noise)
        picture(root / "Kvasir-SEG" / "masks" / f"{name}.jpg", mask)
    (root / "Kvasir-SEG" / "kavsir_bboxes.json").write_text("{}")
    return ["cju0qkwl35piu0993l0dewei2", "cju0qoxqj9q6s0835b43399p4"]


def isic(root):
    noise = np.random.default_rng(0).integers(0, 255, (24, 32))
    mask = np.zeros((24, 32))
    mask[6:17, 8:20] = 255
    for name in ("ISIC_0000000", "ISIC_0000001"):
        picture(root / "ISIC2018_Task1-2_Training_Input" / f"{name}.jpg", noise)
        picture(root / "ISIC2018_Task1_Training_GroundTruth" / f"{name}_segmentation.png", mask)
    (root / "ISIC2018_Task1-2_Training_Input" / "ATTRIBUTION.txt").write_text("")
    return ["ISIC_0000000", "ISIC_0000001"]


MAKE = {
    "acdc": acdc,
    "mm-whs-ct": lambda root: whole_heart(root, "ct"),
    "mm-whs-mr": lambda root: whole_heart(root, "mr"),
    "synapse": synapse,
    "la": left_atrium,
    "kvasir": kvasir,
    "isic": isic,
}


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.create(tmp_path / "study")


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_layout_from_its_top_folder(study, tmp_path, name):
    layout = LAYOUTS[name]
    names = MAKE[name](tmp_path / "data")
    cases = add_published(study, tmp_path / "data", layout, labelled=1)
    assert [case.name for case in cases][: len(names)] == names
    first = [case for case in cases if case.patient == cases[0].patient]
    assert all(case.label for case in first)
    assert not any(case.label for case in cases if case.patient != cases[0].patient)
    assert [s.name for s in study.structures] == list(dict.fromkeys(layout.structures.values()))
    seen = np.unique(study.read_labelmap(cases[0]))
    expected = {"synapse": [0, 1, 6, 11], "acdc": [0, 1, 2, 3]}.get(name, list(range(len(study.structures) + 1)))
    assert seen.tolist() == expected


@pytest.mark.parametrize(("name", "below"), [("acdc", "training"), ("la", "Training Set"), ("kvasir", "Kvasir-SEG")])
def test_the_inner_folder_will_do_as_well(tmp_path, name, below):
    MAKE[name](tmp_path)
    assert find_published(tmp_path / below, LAYOUTS[name]) == find_published(tmp_path, LAYOUTS[name])


def test_each_whole_heart_value_is_its_structure(study, tmp_path):
    whole_heart(tmp_path / "data", "mr")
    case, other = add_published(study, tmp_path / "data", LAYOUTS["mm-whs-mr"])
    numbers = {s.name: number for number, s in enumerate(study.structures, start=1)}
    rows = ("Myocardium", "Left atrium", "Left ventricle", "Right atrium", "Right ventricle", "Ascending aorta")
    for row, structure in enumerate((*rows, "Pulmonary artery")):
        assert (study.read_labelmap(case)[:, row] == numbers[structure]).all()
    assert np.array_equal(study.read_labelmap(case), study.read_labelmap(other))


def test_masks_that_jpeg_has_blurred_have_two_values_again(study, tmp_path):
    kvasir(tmp_path / "data")
    mask = tmp_path / "data" / "Kvasir-SEG" / "masks" / "cju0qkwl35piu0993l0dewei2.jpg"
    before = mask.read_bytes()
    assert len(np.unique(sitk.GetArrayFromImage(sitk.ReadImage(str(mask))))) > 2
    first, _ = add_published(study, tmp_path / "data", LAYOUTS["kvasir"])
    expected = np.zeros((1, 24, 32))
    expected[:, 6:17, 8:20] = 1
    assert np.array_equal(study.read_labelmap(first), expected)
    assert first.label.path.is_relative_to(study.folder)
    assert mask.read_bytes() == before
    picture(first.label.path, np.zeros((24, 32)))
    study.remove_case(first.name)
    assert key_of(add_published, study, tmp_path / "data", LAYOUTS["kvasir"]).key == "file.exists"


def test_a_split_says_order_and_use(study, tmp_path):
    acdc(tmp_path / "data")
    split = {"train": ["patient003", "patient001"], "val": ["patient002"]}
    cases = add_published(study, tmp_path / "data", LAYOUTS["acdc"], labelled=1, split=split)
    assert [case.patient for case in cases] == ["patient003"] * 2 + ["patient001"] * 2 + ["patient002"] * 2
    assert {case.patient for case in study.labelled} == {"patient003"}
    assert {case.patient for case in study.unlabelled} == {"patient001"}
    assert {case.patient for case in study.checks} == {"patient002"}
    assert add_published(study, tmp_path / "data", LAYOUTS["acdc"], split=split) == []
    other = Study(tmp_path / "other")
    add_published(other, tmp_path / "data", LAYOUTS["acdc"], split={"train": ["patient001"], "test": ["patient003"]})
    assert [case.use for case in other.cases] == [Use.TRAIN, Use.TRAIN, Use.LEAVE_OUT, Use.LEAVE_OUT]


def test_what_can_be_wrong(study, tmp_path):
    acdc(tmp_path / "data")
    layout = LAYOUTS["acdc"]
    assert key_of(add_published, study, tmp_path / "none", layout).key == "file.missing"
    assert key_of(add_published, study, tmp_path / "data", LAYOUTS["la"]).key == "layout.nothing"
    error = key_of(add_published, study, tmp_path / "data", layout, labelled=4)
    assert (error.key, error.parameters["found"]) == ("layout.few_labels", 3)
    unknown = {"train": ["patient001", "patient777"]}
    assert key_of(add_published, study, tmp_path / "data", layout, split=unknown).key == "layout.unknown_patients"
    assert (study.cases, study.structures) == ((), ())


@pytest.mark.parametrize("value", [[], {}, {"train": "patient001"}, {"train": [1]}, {"train": ["a"], "val": ["a"]}])
def test_what_is_no_split(tmp_path, value):
    (tmp_path / "split.json").write_text(json.dumps(value))
    assert key_of(read_split, tmp_path / "split.json").key == "layout.split"


def test_on_the_command_line(tmp_path, capsys):
    acdc(tmp_path / "data")
    (tmp_path / "split.json").write_text('{"train": ["patient002", "patient001"], "val": ["patient003"]}')
    study, data = str(tmp_path / "heart"), str(tmp_path / "data")
    assert main(["study", "new", study]) == 0
    arguments = ["--layout", "acdc", "--labelled", "1", "--split", str(tmp_path / "split.json")]
    assert main(["study", "add", study, data, *arguments]) == 0
    said = capsys.readouterr().out
    assert "Added 6 scans, 4 of them labelled" in said
    assert "Right ventricle, Myocardium, Left ventricle" in said
    assert main(["study", "add", study, data, "--labelled", "1"]) == 1
    assert "Add --layout" in capsys.readouterr().err
    assert main(["study", "add", study, data, "--layout", "acdc", "--labels", data]) == 1
    assert "Leave --labels out" in capsys.readouterr().err


def test_one_structure_of_many(study, tmp_path):
    synapse(tmp_path / "data")
    rest = {value: "" for value in LAYOUTS["synapse"].structures if value != "6"}
    case, _ = add_published(study, tmp_path / "data", LAYOUTS["synapse"], meanings=rest)
    assert [s.name for s in study.structures] == ["Liver"]
    assert (study.read_labelmap(case)[:, 1] == 1).all()
    assert study.read_labelmap(case).sum() == SIZE[0] * SIZE[2]
