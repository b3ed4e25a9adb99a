"""What is given away holds nothing of a patient or a user, and nothing of MMGL opens the network."""

import socket
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mmgl import Budget, Study, segment, train
from mmgl.study import Use

PATIENT, DATE, USER = "Mustermann^Erika", "19700101", "drschmidt"


@pytest.fixture
def no_network(monkeypatch):
    """Any attempt to open a socket fails."""

    def refused(*_arguments, **_named):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "create_server", "socketpair"):
        monkeypatch.setattr(socket, name, refused)


def planted(folder: Path) -> Study:
    """Return a study whose files, folders and headers are full of names."""
    home = folder / USER / PATIENT / DATE
    home.mkdir(parents=True)
    generator = np.random.default_rng(0)
    study = Study.create(home / "study")
    study.add_structure("Heart")
    for number, use in enumerate((Use.TRAIN, Use.TRAIN, Use.CHECK)):
        array = generator.normal(100, 10, (6, 32, 32)).astype(np.float32)
        label = np.zeros((6, 32, 32), np.uint8)
        array[2:5, 10:20, 10:20] += 80
        label[2:5, 10:20, 10:20] = 1
        image = sitk.GetImageFromArray(array)
        image.SetMetaData("note", f"{PATIENT} {DATE} {USER}")
        scan, painted = home / f"{PATIENT}-{number}.nrrd", home / f"label-{number}.nrrd"
        sitk.WriteImage(image, str(scan))
        sitk.WriteImage(sitk.GetImageFromArray(label), str(painted))
        study.add_case(scan, label=painted, patient=f"{PATIENT}-{number}", use=use, meanings={"1": "Heart"})
    study.save()
    return study


def names_in(path: Path) -> list[str]:
    """Return which planted names a file holds, in any usual writing."""
    data = path.read_bytes()
    wanted = [PATIENT, "Mustermann", "Erika", USER, DATE, "1970-01-01"]
    found = [n for n in wanted for code in ("utf-8", "utf-16-le") if n.lower().encode(code) in data.lower()]
    return sorted(set(found))


def test_a_model_and_a_result_hold_no_name_and_no_socket_is_opened(tmp_path, no_network, monkeypatch):
    monkeypatch.setenv("USER", USER)
    monkeypatch.setenv("LOGNAME", USER)
    study = planted(tmp_path)
    scan = next((tmp_path / USER / PATIENT / DATE).glob("*-1.nrrd"))
    model = train(study, method="supervised", budget=Budget(steps=2), seed=0, device="cpu")
    segment(model, scan, output=tmp_path / "results", device="cpu")
    assert names_in(scan)  # the search finds what is there
    assert names_in(model) == []
    (result,) = (tmp_path / "results").rglob("*.nrrd")
    assert names_in(result) == []
