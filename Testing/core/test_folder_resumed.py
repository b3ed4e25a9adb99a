"""A folder run that goes on: maps of doubt that were left, regions, and scans that are called as frames are."""

import shutil

import pytest
import SimpleITK as sitk
from models import random_model
from phantoms import ball_scan, write
from test_folder_run import Killed, segment, table

from mmgl.inference import files as files_module


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A folder of two scans and a sequence."""
    folder = tmp_path_factory.mktemp("scans")
    for number, name in enumerate(("a.nii.gz", "twin.mha")):
        image, _, grid = ball_scan(number, size=(4, 32, 32))
        write(folder / name, image, grid)
    frames = [sitk.GetImageFromArray(ball_scan(9 + number, size=(3, 32, 32))[0]) for number in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(folder / "cine.nii.gz"))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("model") / "random.mmgl")


def test_a_map_of_doubt_that_was_left_is_written_again(model, scans, tmp_path, monkeypatch):
    """Killed twice between the map and the result, of a scan and of a frame; another map is not ours."""
    output, precious = tmp_path / "results", tmp_path / "results" / "twin.doubt.nrrd"
    output.mkdir()
    precious.write_bytes(b"precious")
    left, write_segmentation = [], files_module.write_segmentation

    def killed(path, *rest):
        if not left:
            raise Killed
        left.pop()
        write_segmentation(path, *rest)

    for moment in (0, 2):  # the first scan, and the second frame of the sequence
        left[:] = range(moment)
        monkeypatch.setattr(files_module, "write_segmentation", killed)
        with pytest.raises(Killed):
            segment(model, scans, output, "--doubt")
    monkeypatch.undo()
    assert (output / "a.doubt.nrrd").exists()
    assert (output / "cine" / "cine-001.doubt.nrrd").exists()
    assert not (output / "cine" / "cine-001.seg.nrrd").exists()
    for _ in range(2):
        assert segment(model, scans, output, "--doubt") == 1
        assert precious.read_bytes() == b"precious"
        assert [row[0] for row in table(output) if row[2] == "skipped"] == ["twin.mha"]
    assert len(list(output.rglob("*.doubt.nrrd"))) == len(list(output.rglob("*.seg.nrrd"))) + 1


def test_a_region_of_every_scan_and_resumed(model, scans, tmp_path, capsys):
    asked = ("--region", "0:20,0:20,0:2", "--structures", "Core")
    for again in (False, True):
        assert segment(model, scans, tmp_path, *asked) == 0
        assert (" -> " in capsys.readouterr().out) is not again
    assert segment(model, scans, tmp_path, "--region", "0:20,0:20,0:3", "--structures", "Core") == 1
    assert "of other options" in capsys.readouterr().err


def test_a_folder_beside_a_sequence_may_have_its_name(model, scans, tmp_path):
    """And scans that are called as its frames are, or begin with a number."""
    folder, output = tmp_path / "scans", tmp_path / "results"
    (folder / "cine").mkdir(parents=True)
    shutil.copy(scans / "cine.nii.gz", folder)
    for name in ("1.nii.gz", "2_T1.nii.gz"):
        shutil.copy(scans / "a.nii.gz", folder / "cine" / name)
    for _ in range(2):
        assert segment(model, folder, output) == 0
        rows = [(row[0], row[1]) for row in table(output)[1:]]
        assert rows == [*(("cine.nii.gz", str(n)) for n in range(3)), ("cine/1.nii.gz", ""), ("cine/2_T1.nii.gz", "")]
