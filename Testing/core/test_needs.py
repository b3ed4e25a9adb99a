"""What clinicians need of labels, tried as the needs are written: one structure is the same in every case, and what is
not labelled is never background."""

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import ball_scan, write

from mmgl.imaging.conversion import image_of
from mmgl.messages import MMGLError
from mmgl.study import Study, Use, add_folder, label_questions
from mmgl.study.extents import Extent

NAMES = ("Left Ventricle", "Myocardium", "Aorta")
TISSUE = "Segmentation category~SCT^85756007^Tissue~SCT^85756007^Tissue~^^~Anatomic codes~^^~^^"
SIZE = (24, 40, 36)


def heart(seed=0):
    """Image, labelmap of three structures that never touch the border of the scan, and grid."""
    image, labelmap, grid = ball_scan(seed, SIZE)
    labelmap = labelmap.copy()
    labelmap[4:20, 4:9, 4:9] = 3
    return image + 60 * (labelmap == 3), labelmap, grid


def segments(path, labelmap, grid, names, values=None, terminology=TISSUE):
    """Write a ``.seg.nrrd`` as Slicer does; ``names`` in the order of the file, ``values`` their values in it."""
    values = values or range(1, len(names) + 1)
    image = image_of(labelmap.astype(np.uint8), grid)
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        texts = {
            "ID": f"Segment_{i + 1}",
            "Name": name,
            "LabelValue": str(value),
            "Layer": "0",
            "Tags": f"TerminologyEntry:{terminology}|",
        }
        for key, text in texts.items():
            image.SetMetaData(f"Segment{i}_{key}", text)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def study(tmp_path):
    """A study whose first case has the three structures."""
    study = Study.create(tmp_path / "study")
    image, labelmap, grid = heart()
    label = segments(tmp_path / "first.seg.nrrd", labelmap, grid, NAMES)
    study.add_case(write(tmp_path / "first.nii.gz", image, grid), label=label)
    assert [s.name for s in study.structures] == list(NAMES)
    return study


def copy(study, name, names, values, labelmap=None, meanings=None, **segment):
    """Add another copy of the first case, whose structure ``i + 1`` has the value ``values[i]`` in its file."""
    image, original, grid = heart()
    array = np.zeros_like(original)
    for i, value in enumerate(values[: len(NAMES)], start=1):
        array[original == i] = value
    array = array if labelmap is None else labelmap
    folder = study.folder.parent
    order = np.argsort(values)
    label = segments(
        folder / f"{name}.seg.nrrd", array, grid, [names[i] for i in order], [values[i] for i in order], **segment
    )
    return study.add_case(write(folder / f"{name}.nii.gz", image, grid), label=label, meanings=meanings)


def counts(study, case):
    """Voxels of each structure as they are imported, by its name."""
    found = study.read_labelmap(case)
    return {s.name: int((found == i).sum()) for i, s in enumerate(study.structures, start=1)}


ORIGINAL = dict(zip(NAMES, np.bincount(heart()[1].ravel())[1:].tolist(), strict=True))


# Need 4: the same structure is the same structure in every case


def test_reordered_segments(study):
    case = copy(study, "reordered", NAMES, (3, 1, 2))
    assert counts(study, case) == counts(study, study.case("first")) == ORIGINAL


@pytest.mark.parametrize("name", ["Left Ventricle", "left_ventricle "])
def test_names_written_in_another_way(study, name):
    assert counts(study, copy(study, "renamed", (name, *NAMES[1:]), (2, 3, 1))) == ORIGINAL


def test_another_name_is_asked_once_and_remembered(study, tmp_path):
    names = ("LV cavity", *NAMES[1:])
    with pytest.raises(MMGLError) as caught:
        copy(study, "renamed", names, (2, 3, 1))
    assert (caught.value.key, caught.value.parameters["keys"]) == ("label.unknown_structure", ("LV cavity",))
    assert [case.name for case in study.cases] == ["first"]
    (question,) = label_questions(study, tmp_path / "renamed.seg.nrrd")
    assert question.choices[-1].value == ""
    assert {choice.value for choice in question.choices} == {*NAMES, "LV cavity", ""}
    case = copy(study, "renamed", names, (2, 3, 1), meanings={"LV cavity": "Left Ventricle"})
    assert counts(study, case) == ORIGINAL
    study.save()
    again = Study.open(study.folder)
    assert counts(again, copy(again, "third", names, (1, 3, 2))) == ORIGINAL  # not asked again


def test_an_extra_scratch_segment_is_asked(study):
    _image, labelmap, _grid = heart()
    labelmap[0, 0, :5] = 4
    names = (*NAMES, "scratch")
    with pytest.raises(MMGLError) as caught:
        copy(study, "extra", names, (1, 2, 3, 4), labelmap)
    assert caught.value.parameters["keys"] == ("scratch",)
    assert counts(study, copy(study, "extra", names, (1, 2, 3, 4), labelmap, {"scratch": ""})) == ORIGINAL
    new = copy(study, "new", names, (1, 2, 3, 4), labelmap, {"scratch": "Thrombus"})
    assert counts(study, new) == {**ORIGINAL, "Thrombus": 5}


def test_segments_of_the_same_default_code_stay_apart(study):
    """All segments of these tests are coded "Tissue", as Slicer does unless it is told otherwise."""
    assert all(s.terminology == TISSUE and not s.code for s in study.structures)
    assert counts(study, copy(study, "coded", NAMES[::-1], (1, 2, 3), heart()[1])) == {
        NAMES[0]: ORIGINAL[NAMES[2]], NAMES[1]: ORIGINAL[NAMES[1]], NAMES[2]: ORIGINAL[NAMES[0]]
    }  # fmt: skip


def test_labelmaps_without_names_ask_with_their_values_and_voxels(study, tmp_path):
    image, labelmap, grid = heart()
    label = write(tmp_path / "plain.nii.gz", labelmap.astype(np.uint8), grid)
    with pytest.raises(MMGLError) as caught:
        study.add_case(write(tmp_path / "x.nii.gz", image, grid), label=label)
    assert all(f"{v} ({n:,} voxels)" in str(caught.value) for v, n in enumerate(ORIGINAL.values(), start=1))
    asked = label_questions(study, label)
    assert [(q.parameters["value"], q.parameters["voxels"]) for q in asked] == [
        (i, f"{n:,}") for i, n in enumerate(ORIGINAL.values(), start=1)
    ]


# Need 8: partly labelled scans count as partly labelled


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_painted_in_any_direction(tmp_path, axis):
    """Every fourth slice: asked once, what lies between is not labelled, and the counts are those of the file."""
    study = Study.create(tmp_path / "study")
    image, labelmap, grid = heart()
    shown = np.arange(SIZE[axis]) % 4 == 2
    sparse = np.where(np.expand_dims(shown, [a for a in range(3) if a != axis]), labelmap, 0)
    label = segments(tmp_path / "sparse.seg.nrrd", sparse, grid, NAMES)
    case = study.add_case(write(tmp_path / "a.nii.gz", image, grid), label=label)
    (question,) = [f for f in study.check() if f.key == "check.gaps"]
    assert question.default == "slices"
    assert f"of {SIZE[axis]} {('axial', 'coronal', 'sagittal')[axis]} slices" in question.words
    assert list(counts(study, case).values()) == np.bincount(sparse.ravel(), minlength=4)[1:].tolist()
    found = np.moveaxis(study.read_labelmap(case), axis, 0)
    painted = np.moveaxis(sparse, axis, 0)
    assert (found[~shown] < 0).all()
    assert (found[shown] >= 0)[painted[shown] > 0].all()
    middle = SIZE[axis] // 2 // 4 * 4 + 2
    assert set(np.unique(found[middle])) >= {0, 1, 2}  # background is known on a slice that was painted
    study.answer(question, "everywhere")
    assert (study.read_labelmap(study.case("a")) >= 0).all()
    (warning,) = [f for f in study.check() if f.key == "check.gaps_as_background"]
    assert warning.severity.value == "warning"


# Need 16: missing in one case is not background


def test_a_structure_missing_in_half_of_the_cases(tmp_path):
    study = Study.create(tmp_path / "study")
    for number in range(6):
        image, labelmap, grid = heart(number)
        kept = 3 if number < 3 else 2
        labelmap = np.where(labelmap > kept, 0, labelmap)
        label = segments(tmp_path / f"{number}.seg.nrrd", labelmap, grid, NAMES[:kept])
        study.add_case(write(tmp_path / f"{number}.nii.gz", image, grid), label=label)
    asked = [f for f in study.check() if f.key == "check.missing"]
    assert [f.case for f in asked] == ["3", "4", "5"]
    assert {f.default for f in asked} == {"not labelled"}
    for case in study.cases:
        label = study.read_label(case)
        whole = np.bincount(heart(int(case.name))[1].ravel())[1:]
        expected = whole if int(case.name) < 3 else [*whole[:2], 0]
        assert list(counts(study, case).values()) == list(expected)
        assert (label.labelmap == 0).any() == (int(case.name) < 3)  # nothing is known to be background of the others
        assert label.sets == (() if int(case.name) < 3 else ((3,),))
    for finding in asked:
        study.answer(finding, "absent")
    study.save()
    again = Study.open(study.folder)
    assert not [f for f in again.check() if f.key == "check.missing"]  # asked once
    assert (again.read_labelmap(again.case("3")) >= 0).all()
    assert again.read_label(again.case("3")).extents[3] is Extent.ABSENT


# Need 17: whatever the scans are like, they are told of and used


def test_very_different_scans_in_one_study(tmp_path):
    study = Study.create(tmp_path / "study")
    kinds = {"cbct": ((20, 40, 40), (0.3, 0.3, 0.3)), "thick": ((6, 40, 40), (5.0, 0.8, 0.8)),
             "cropped": ((12, 20, 20), (1.0, 1.0, 1.0)), "large": ((10, 64, 64), (1.5, 0.9, 0.9))}  # fmt: skip
    for name, (size, spacing) in kinds.items():
        image, labelmap, grid = ball_scan(1, size, spacing)
        label = write(tmp_path / "labels" / f"{name}.nii.gz", np.minimum(labelmap, 1), grid)
        study.add_case(write(tmp_path / f"{name}.nii.gz", image, grid), label=label, meanings={"1": "Ball"})
    findings = study.check()
    assert not [f for f in findings if f.severity.value == "error"]
    assert {f.key for f in findings} <= {"check.none_held_out", "check.spacing", "check.field_of_view", "check.gaps"}


# Need 20: files of every kind find their labels by name


def test_labels_by_name_whatever_the_format(tmp_path):
    image, labelmap, grid = heart()
    for i, ending in enumerate((".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha")):
        write(tmp_path / "scans" / f"c{i}{ending}", image, grid)
        segments(tmp_path / "labels" / f"c{i}.seg.nrrd", labelmap, grid, NAMES)
    study = Study.create(tmp_path / "study")
    cases = add_folder(study, tmp_path / "scans", tmp_path / "labels")
    assert [case.name for case in cases] == [f"c{i}" for i in range(5)]
    assert all(counts(study, case) == ORIGINAL for case in cases)


# Need 28: who is held out is shown, can be changed, and is remembered


def test_the_split_can_be_seen_changed_and_is_kept(tmp_path):
    study = Study.create(tmp_path / "study")
    for patient in range(7):
        for series in "ab":
            image, labelmap, grid = heart(10 * patient + (series == "b"))
            label = segments(tmp_path / f"p{patient}{series}.seg.nrrd", labelmap, grid, NAMES)
            path = write(tmp_path / f"p{patient}{series}.nii.gz", image, grid)
            study.add_case(path, label=label, patient=f"p{patient}")
    held_out = study.split_checks()
    assert len(held_out) >= 3
    assert {name[:2] + series for name in held_out for series in "ab"} == set(held_out)
    other = next(case.name for case in study.cases if case.use is Use.TRAIN)
    study.set_use(other, Use.CHECK)
    assert [f.key for f in study.check()] == ["check.straddles"]  # its other series is trained on
    study.set_use(other, Use.LEAVE_OUT)
    study.save()
    again = Study.open(study.folder)
    assert [case.use for case in again.cases] == [case.use for case in study.cases]
    assert not again.check()
