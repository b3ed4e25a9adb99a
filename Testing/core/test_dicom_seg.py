"""DICOM SEG: read back with highdicom, its voxels, place, codes and patient are what they should be."""

import shutil
from importlib import util

import numpy as np
import pytest
import SimpleITK as sitk
from models import STRUCTURES, random_model
from phantoms import ball_scan

from mmgl.cli import main
from mmgl.imaging import dicom_seg
from mmgl.imaging.dicom import files_of
from mmgl.imaging.dicom_seg import write_dicom_seg
from mmgl.imaging.reading import read_scan
from mmgl.inference.finer import finer
from mmgl.inference.predictor import Predictor
from mmgl.messages import MMGLError
from mmgl.structures import Structure

LEFT_KIDNEY = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^123037004^Anatomical Structure"
    "~SCT^64033007^Kidney~SCT^7771000^Left~Anatomic codes - DICOM master list~SCT^818983003^Abdomen~^^"
)
CODED = (Structure(4, "Left kidney", (200, 30, 0), LEFT_KIDNEY), Structure(9, "Bare", (0, 200, 0)))


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A series of oblique slices, stored from the head down, as a scanner writes it."""
    folder = tmp_path_factory.mktemp("series")
    image, _, _ = ball_scan(0, size=(6, 40, 36), spacing=(4.0, 0.9, 0.7))
    across, down = np.array([1.0, 0, 0]), np.array([0, 0.8, 0.6])
    normal = np.cross(across, down)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, slice_ in enumerate(image):
        part = sitk.GetImageFromArray(slice_[None].astype(np.int16))
        part.SetSpacing((0.7, 0.9, 1.0))
        place = np.array([-20.0, 5.0, 100.0]) + 4.0 * number * normal
        keys = {
            "0008|0060": "MR", "0008|0018": f"1.2.826.0.1.9.{number}", "0020|000e": "1.2.826.0.1.5",
            "0020|000d": "1.2.826.0.1.4", "0020|0052": "1.2.826.0.1.6", "0010|0020": "P7", "0010|0010": "Doe^Jo",
            "0020|0032": "\\".join(f"{v:.6f}" for v in place), "0020|0013": str(9 - number),
            "0020|0037": "\\".join(f"{v:.6f}" for v in (*across, *down)),
        }  # fmt: skip
        for key, value in keys.items():
            part.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{9 - number}.dcm"))
        writer.Execute(part)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("model") / "coded.mmgl", structures=CODED)


def read_back(path):
    """Return the dataset, the labelmap, and the place of its voxels (z, y, x) in mm (x, y, z)."""
    import highdicom as hd

    found = hd.seg.segread(path)
    volume = found.get_volume(combine_segments=True)
    return found, volume.array, volume.affine


def placed_alike(labelmap, grid, found, affine):
    """Return whether every painted voxel has the same value and place."""
    ours = {tuple(np.round(p[::-1], 3)): int(v) for p, v in points(labelmap, grid.position)}
    theirs = {tuple(np.round(p, 3)): int(v) for p, v in points(found, lambda i: i @ affine[:3, :3].T + affine[:3, 3])}
    return len(ours) == np.count_nonzero(labelmap) and ours == theirs


def points(labelmap, position):
    where = np.argwhere(labelmap)
    return zip(position(where) + 0.0, labelmap[tuple(where.T)], strict=True)


def test_read_back_it_is_the_result(series, model, tmp_path):
    pytest.importorskip("highdicom")
    assert main(["segment", str(model), str(series), "--output", str(tmp_path), "--format", "seg.dcm"]) == 0
    scan = read_scan(series)
    labelmap = Predictor(model, "cpu").segment(scan)
    assert set(np.unique(labelmap)) == {0, 1, 2}
    found, painted, affine = read_back(tmp_path / f"{series.name}.seg.dcm")
    assert placed_alike(labelmap, scan.grid, painted, affine)
    assert (found.PatientID, found.PatientName, found.Modality) == ("P7", "Doe^Jo", "SEG")
    assert (found.StudyInstanceUID, found.FrameOfReferenceUID) == ("1.2.826.0.1.4", "1.2.826.0.1.6")
    assert found.SeriesInstanceUID != "1.2.826.0.1.5"
    referred = {item.ReferencedSOPInstanceUID for item in found.ReferencedSeriesSequence[0].ReferencedInstanceSequence}
    assert referred == {f"1.2.826.0.1.9.{number}" for number in range(6)}


def test_codes_names_and_colours_are_those_of_the_structures(series, model, tmp_path):
    hd = pytest.importorskip("highdicom")
    main(["segment", str(model), str(series), "--output", str(tmp_path), "--format", "seg.dcm"])
    kidney, bare = read_back(tmp_path / f"{series.name}.seg.dcm")[0].SegmentSequence
    assert (kidney.SegmentLabel, bare.SegmentLabel) == ("Left kidney", "Bare")
    kind = kidney.SegmentedPropertyTypeCodeSequence[0]
    told = [
        kidney.SegmentedPropertyCategoryCodeSequence[0],
        kind,
        kind.SegmentedPropertyTypeModifierCodeSequence[0],
        kidney.AnatomicRegionSequence[0],
        bare.SegmentedPropertyTypeCodeSequence[0],
    ]
    assert [(code.CodingSchemeDesignator, code.CodeValue, code.CodeMeaning) for code in told] == [
        ("SCT", "123037004", "Anatomical Structure"),
        ("SCT", "64033007", "Kidney"),
        ("SCT", "7771000", "Left"),
        ("SCT", "818983003", "Abdomen"),
        ("SCT", "85756007", "Tissue"),
    ]
    colour = hd.color.CIELabColor.from_dicom_value(kidney.RecommendedDisplayCIELabValue).to_rgb()
    assert np.allclose(colour, CODED[0].colour, atol=3)


def test_chosen_structures_are_the_only_segments(series, model, tmp_path):
    pytest.importorskip("highdicom")
    main(["segment", str(model), str(series), "--output", str(tmp_path), "--format", "seg.dcm", "--structures", "Bare"])
    found, painted, _ = read_back(tmp_path / f"{series.name}.seg.dcm")
    assert [segment.SegmentLabel for segment in found.SegmentSequence] == ["Bare"]
    assert painted.max() == 1


def test_a_finer_grid_has_its_own_place(series, tmp_path):
    pytest.importorskip("highdicom")
    scan = read_scan(series)
    labelmap = np.zeros(scan.grid.size, np.uint8)
    labelmap[1:4, 10:20, 5:30] = 1
    fine, grid = finer(labelmap, scan.grid)
    assert grid.size[0] > scan.grid.size[0]
    write_dicom_seg(tmp_path / "fine.seg.dcm", fine, grid, (CODED[0],), files_of(series))
    _, painted, affine = read_back(tmp_path / "fine.seg.dcm")
    assert placed_alike(fine, grid, painted, affine)


def test_nothing_found_is_written_too(series, tmp_path):
    pytest.importorskip("highdicom")
    scan = read_scan(series)
    write_dicom_seg(
        tmp_path / "none.seg.dcm", np.zeros(scan.grid.size, np.uint8), scan.grid, STRUCTURES, files_of(series)
    )
    found, painted, _ = read_back(tmp_path / "none.seg.dcm")
    assert not painted.any()
    assert len(found.SegmentSequence) == 2


def test_without_highdicom_it_is_told_before_the_work(series, model, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dicom_seg, "find_spec", lambda name: None if name == "highdicom" else util.find_spec(name))
    monkeypatch.setattr("mmgl.inference.predictor.fuse", None)
    for scans in (series, series.parent):  # one scan, and a folder of scans
        assert main(["segment", str(model), str(scans), "--output", str(tmp_path), "--format", "seg.dcm"]) == 1
        assert capsys.readouterr().err.count("pip install highdicom") == 1
        assert not list(tmp_path.iterdir())


def test_a_scan_that_is_no_dicom_is_refused(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(b"0" * 200)
    with pytest.raises(MMGLError) as error:
        dicom_seg.check_source([tmp_path / "a.nii.gz"])
    assert error.value.key == "dicom.no_series"


def test_it_names_the_patient_as_the_standard_asks_and_nobody_else(series, model, tmp_path, monkeypatch):
    """Patient and study are those of the scan; no user, computer, path, case or file gets in."""
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("highdicom")
    user, computer = "drschmidt", "ward-seven"
    for variable in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(variable, user)
    monkeypatch.setattr("platform.node", lambda: computer)
    monkeypatch.setattr("socket.gethostname", lambda: computer)
    home = tmp_path / user / "Mustermann folder"
    shutil.copytree(series, home / "Erika case")
    for file in (home / "Erika case").iterdir():  # what a hospital writes besides, none of which a SEG has to repeat
        scan = pydicom.dcmread(file)
        scan.PatientAddress, scan.PatientComments, scan.OtherPatientNames = "Planted 5", "Planted", "Planted^Name"
        scan.OperatorsName = scan.PhysiciansOfRecord = scan.NameOfPhysiciansReadingStudy = "Planted^Doctor"
        scan.InstitutionName, scan.StationName = "Planted Clinic", "Planted room"
        scan.AdmittingDiagnosesDescription, scan.IssuerOfPatientID = "Planted illness", "Hospital 1"
        scan.add_new((0x0009, 0x0010), "LO", "Planted private")
        scan.save_as(file)
    assert main(["segment", str(model), str(home / "Erika case"), "--output", str(home), "--format", "seg.dcm"]) == 0
    written = home / "Erika case.seg.dcm"
    found = pydicom.dcmread(written)
    assert (found.PatientID, found.IssuerOfPatientID, str(found.PatientName)) == ("P7", "Hospital 1", "Doe^Jo")
    data = written.read_bytes().lower()
    planted = [user, computer, "mustermann", "erika", "planted", model.stem, str(tmp_path), tmp_path.name, model.name]
    assert [name for name in planted if name.lower().encode() in data] == []
    names = {str(e.value) for e in found.iterall() if e.VR == "PN"}
    assert names <= {"Doe^Jo", ""}
