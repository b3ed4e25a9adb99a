"""Folders of many scans: found with progress, from headers alone, each file opened a fixed number of times."""

from collections import Counter
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from mmgl.imaging import dicom
from mmgl.study import Study, add_folder


def refuse(*_):
    raise AssertionError("voxels were read")


def test_unlabelled_scans_are_added_without_their_voxels(tmp_path, monkeypatch):
    image = sitk.GetImageFromArray(np.arange(24, dtype=np.int16).reshape(2, 3, 4))
    for number in range(60):
        path = tmp_path / "scans" / f"site {number % 3}" / f"{number}{('.nii.gz', '.nrrd', '.mha')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(image, str(path))
    study = Study.create(tmp_path / "study")
    monkeypatch.setattr(sitk.ImageFileReader, "Execute", refuse)
    told = []
    added = add_folder(study, tmp_path / "scans", on_progress=lambda done, of: told.append((done, of)))
    assert len(added) == len(study.cases) == 60
    assert told == [(i, 60) for i in range(1, 61)]
    study.save()
    assert [p.name for p in study.folder.iterdir()] == ["study.json"]  # nothing is copied


def test_each_file_of_a_dicom_folder_is_opened_as_often_however_many_series_it_holds(tmp_path, monkeypatch):
    def opened(series):
        folder = tmp_path / f"{series} series"
        folder.mkdir()
        for number in range(series):
            for k in range(3):
                _write_slice(folder / f"{number}-{k}.dcm", f"1.2.3.{number}", k)
        count = Counter[Path]()

        def counted(path):
            count[path] += 1
            return read(path)

        monkeypatch.setattr(dicom, "read_information", counted)
        study = Study.create(tmp_path / f"study {series}")
        assert len(add_folder(study, folder)) == series
        return set(count.values())

    read = dicom.read_information
    assert opened(2) == opened(12) == {1}


def _write_slice(path: Path, series: str, k: int) -> None:
    image = sitk.GetImageFromArray(np.arange(12, dtype=np.int16).reshape(1, 3, 4) + k)
    image.SetSpacing((1.0, 1.0, 2.0))
    image.SetOrigin((0.0, 0.0, 2.0 * k))
    tags = {
        "0008|0060": "MR",
        "0010|0020": "X1",
        "0020|000e": series,
        "0020|000d": "1.2.3",
        "0008|103e": f"series {series[-2:]}",
        "0020|0032": f"0\\0\\{2 * k}",
        "0020|0037": "1\\0\\0\\0\\1\\0",
        "0008|0018": f"{series}.{k}",
    }
    for tag, text in tags.items():
        image.SetMetaData(tag, text)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)
