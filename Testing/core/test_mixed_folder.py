"""A folder as it is found on a disk: 50 mixed scans, some of them broken or of another kind, segmented overnight."""

import csv
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
from models import random_model
from phantoms import ball_scan, write

from mmgl.cli import main
from mmgl.inference import predictor
from mmgl.model import read_model

FORMATS = ("nii.gz", "nrrd", "mha", "nii", "nhdr")


def scout(path, series="1.2.3.4"):
    """Write a localizer: three pictures of the same body across one another, in one DICOM series."""
    path.mkdir()
    sides = ("1\\0\\0\\0\\1\\0", "1\\0\\0\\0\\0\\-1", "0\\1\\0\\0\\0\\-1")
    for number, side in enumerate(sides, start=1):
        image = sitk.GetImageFromArray(np.arange(64, dtype=np.int16).reshape(1, 8, 8))
        tags = {
            "0008|0060": "MR",
            "0020|000d": "1.2.3",
            "0020|000e": series,
            "0008|0008": "ORIGINAL\\PRIMARY\\LOCALIZER",
        }
        tags |= {"0008|0018": f"{series}.{number}", "0020|0013": str(number)}
        tags |= {"0020|0032": f"{number}\\0\\0", "0020|0037": side}
        for tag, text in tags.items():
            image.SetMetaData(tag, text)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(path / f"{number}.dcm"))
        writer.Execute(image)


@pytest.fixture
def scans(tmp_path):
    """46 scans, two broken ones, a photograph in colour and a scout."""
    folder = tmp_path / "scans"
    for number in range(46):
        image, _, grid = ball_scan(number, size=(3, 24, 24))
        write(folder / f"site {number % 3}" / f"{number:02}.{FORMATS[number % len(FORMATS)]}", image, grid)
    (folder / "cut short.nii.gz").write_bytes((folder / "site 0" / "00.nii.gz").read_bytes()[:300])
    (folder / "no header.nrrd").write_bytes(b"\x00" * 500)
    colour = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(folder / "photo.png"))
    scout(folder / "scout")
    return folder


def test_the_rest_is_segmented_and_each_one_left_out_is_told_with_its_reason(scans, tmp_path, monkeypatch, capsys):
    """Need 11: stopped and continued, the model loaded once, results named as the scans, no scan changed."""
    loaded = []
    monkeypatch.setattr(predictor, "read_model", lambda path: loaded.append(path) or read_model(path))
    before = {path: path.read_bytes() for path in scans.rglob("*.*") if path.is_file()}
    model, results = random_model(tmp_path / "a.mmgl"), tmp_path / "results"
    assert main(["segment", str(model), str(scans), "--output", str(results), "--device", "cpu"]) == 1
    said = capsys.readouterr().err
    assert len(loaded) == 1
    assert {path: path.read_bytes() for path in scans.rglob("*.*") if path.is_file()} == before
    names = {f"site {n % 3}/{n:02}.seg.nrrd" for n in range(46)}
    assert {path.relative_to(results).as_posix() for path in results.rglob("*.seg.nrrd")} == names
    with (results / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["scan"]: row for row in csv.DictReader(file)}
    reasons = {scan: row["notes"] for scan, row in rows.items() if row["result"] == "skipped"}
    assert len(rows) == 50
    assert set(reasons) == {"cut short.nii.gz", "no header.nrrd", "photo.png", "scout"}
    assert "cannot be read as an image" in reasons["cut short.nii.gz"]
    assert "cannot be read as an image" in reasons["no header.nrrd"]
    assert "channel" in reasons["photo.png"]
    assert "localiser" in reasons["scout"]
    for reason in reasons.values():
        assert reason in said
    shutil.rmtree(results / "site 1")
    assert main(["segment", str(model), str(scans), "--output", str(results), "--device", "cpu"]) == 1
    assert {path.relative_to(results).as_posix() for path in results.rglob("*.seg.nrrd")} == names
    assert len(loaded) == 2
