"""The list of structures: another name or colour is a change of the list alone, and labels on disk stay valid."""

import numpy as np
import pytest
from phantoms import write

from mmgl.cli import main
from mmgl.imaging.grid import Grid
from mmgl.imaging.segmentation_files import write_segmentation
from mmgl.structures import Structure
from mmgl.study import Study

GRID = Grid((4, 6, 8))


@pytest.fixture
def study(tmp_path):
    """A study with one label of the structures Heart and Aorta."""
    labelmap = np.zeros(GRID.size, np.uint16)
    labelmap[0], labelmap[1, 2] = 1, 2
    write(tmp_path / "a.nii.gz", np.arange(labelmap.size, dtype=np.int16).reshape(GRID.size), GRID)
    structures = (Structure(1, "Heart", (200, 0, 0)), Structure(2, "Aorta", (0, 200, 0)))
    write_segmentation(tmp_path / "a.seg.nrrd", labelmap, GRID, structures)
    study = Study.create(tmp_path / "study")
    study.add_case(tmp_path / "a.nii.gz", label=tmp_path / "a.seg.nrrd")
    study.save()
    return study


def test_another_name_and_colour_and_back(study, capsys):
    folder, label = str(study.folder), study.cases[0].label.path.read_bytes()
    before = study.read_labelmap(study.cases[0])
    assert main(["study", "rename", folder, "Heart", "Herz ☤"]) == 0
    assert main(["study", "colour", folder, "Herz ☤", "#0102ff"]) == 0
    assert "Herz ☤ is now shown in #0102ff." in capsys.readouterr().out
    after = Study.open(folder)
    assert after.structures[0] == Structure(1, "Herz ☤", (1, 2, 255))
    assert (after.read_labelmap(after.cases[0]) == before).all()
    assert after.cases[0].label.path.read_bytes() == label
    assert main(["study", "rename", folder, "Herz ☤", "Heart"]) == 0
    assert main(["study", "colour", folder, "Heart", "#c80000"]) == 0
    assert Study.open(folder) == study


@pytest.mark.parametrize("colour", ["red", "#12345", "#1234567", "123456"])
def test_a_colour_that_is_none_is_wrong_usage(study, colour, capsys):
    with pytest.raises(SystemExit):
        main(["study", "colour", str(study.folder), "Heart", colour])
    assert f"{colour} is not a colour such as #d64949" in capsys.readouterr().err


def test_a_name_that_is_taken_or_unknown_is_refused(study, capsys):
    for action in (["rename", str(study.folder), "Heart", "Aorta"], ["colour", str(study.folder), "Hart", "#000000"]):
        assert main(["study", *action]) == 1
        assert capsys.readouterr().err.startswith("mmgl: ")
    assert Study.open(study.folder) == study
