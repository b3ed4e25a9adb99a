"""A study that travels: what is in the folder, what is not, that it trains there, and that the model comes back."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import ball_scan, ball_study, write

from mmgl.cli import main
from mmgl.imaging.reading import read_scan
from mmgl.imaging.scan import Scan
from mmgl.imaging.scan_files import scan_suffix, write_scan
from mmgl.messages import MMGLError
from mmgl.study import Study, Use
from mmgl.study.extents import Extent
from mmgl.study.packing import add_model, pack

SECRETS = ("Erika", "Mustermann", "1964", "hidden-folder")
"""Planted wherever a study or a file may carry them."""


ALONE = """
import importlib.metadata, os, re, runpy, sys
from importlib.machinery import PathFinder

def needed(names, found):
    for name in names:
        name = re.match(r"[A-Za-z0-9._-]+", name)[0].lower().replace("_", "-")
        if name not in found:
            found.add(name)
            try:
                wants = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                continue
            needed([want for want in wants if "extra ==" not in want], found)
    return found

told = next(line for line in open("README.txt", encoding="utf-8") if "pip install" in line)
there = needed(told.split()[2:], set())
owners = importlib.metadata.packages_distributions()
more = {name for name, of in owners.items() if not {o.lower().replace("_", "-") for o in of} & there}
more -= set(sys.stdlib_module_names) | set(sys.modules) | {"mmgl"}  # the folder brings its own
assert {"monai", "pytest"} <= more, more

class Bare(PathFinder):
    @classmethod
    def find_spec(cls, name, *more_of_it):
        return None if name.partition(".")[0] in more else PathFinder.find_spec(name, *more_of_it)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
sys.argv[0] = "train.py"
try:
    runpy.run_path("train.py", run_name="__main__")
finally:
    import mmgl
    assert mmgl.__path__[0].startswith(os.getcwd()), mmgl.__path__
"""
"""Runs ``train.py`` where nothing is installed but what ``README.txt`` says, and what that needs itself."""


@pytest.fixture
def study(tmp_path):
    """A study with a patient in names of files and folders and in headers, and with all that labels can say."""
    study = ball_study(tmp_path / "hidden-folder", labelled=2, unlabelled=1, checks=1, size=(8, 24, 20))
    image, labelmap, grid = ball_scan(9, size=(8, 24, 20))
    scan = sitk.ReadImage(str(write(tmp_path / "hidden-folder" / "plain.nrrd", image, grid)))
    for key, text in (("PatientName", "Mustermann^Erika"), ("StudyDate", "19640812"), ("Modality", "CT")):
        scan.SetMetaData(key, text)
    file = tmp_path / "hidden-folder" / "Mustermann-1964.nrrd"
    sitk.WriteImage(scan, str(file))
    labelmap[0] = 3
    labelmap[1, :4] = 4
    label = write(tmp_path / "hidden-folder" / "Erika.nii.gz", labelmap, grid)
    study.add_case(
        file, label=label, patient="Mustermann", meanings={"1": "Shell", "2": "Core", "3": "background", "4": "?"}
    )
    study.set_extent("case-1", "Core", Extent.ABSENT)
    study.set_use("case-2", Use.LEAVE_OUT)
    study.add_case(write(tmp_path / "more" / "Erika-2.nii.gz", image + 1, grid), patient="Mustermann")
    study.save()
    return study


def test_nothing_that_tells_who_it_is_of_is_in_the_folder(study, tmp_path):
    pack(study, tmp_path / "packed")
    files = [file for file in (tmp_path / "packed").glob("**/*") if file.is_file() and "mmgl" not in file.parts[-4:-1]]
    assert {"README.txt", "train.py", "study.json"} <= {file.name for file in files}
    for file in files:
        said = file.name.encode() + file.read_bytes()
        for secret in (*SECRETS, str(tmp_path), "case-3.nii"):
            assert secret.encode() not in said, file


def test_scans_and_what_is_known_of_labels_stay_the_same(study, tmp_path):
    packed = Study.open(pack(study, tmp_path / "packed").folder)
    names = [case.name for case in packed.cases]
    assert names == ["case-001", "case-002", "case-004", "case-005", "case-006"]  # the third was left out
    assert packed.structures == study.structures
    ours = [case for case in study.cases if case.use is not Use.LEAVE_OUT]
    for before, after in zip(ours, packed.cases, strict=True):
        one, two = study.read_scan(before), packed.read_scan(after)
        assert np.array_equal(one.array, two.array)
        assert one.array.dtype == two.array.dtype
        assert one.grid.same_as(two.grid, 1e-9)
        assert (one.modality, before.use) == (two.modality, after.use)
        if before.label:
            one, two = study.read_label(before), packed.read_label(after)
            assert np.array_equal(one.labelmap, two.labelmap)
            assert (one.sets, one.extents) == (two.sets, two.extents)
    assert packed.cases[3].patient == packed.cases[4].patient != packed.cases[0].patient


def test_channels_and_pictures_are_written_without_loss(tmp_path):
    generator = np.random.default_rng(0)
    _, _, grid = ball_scan(0, size=(3, 8, 9))
    scans = [Scan(generator.normal(size=(2, 3, 8, 9)), grid, "MR")]
    for number, channels in enumerate((1, 3)):
        picture = generator.integers(0, 255, (8, 9, 3)[: 2 + channels // 3]).astype(np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(picture, isVector=channels == 3), str(tmp_path / f"{number}.png"))
        scans.append(read_scan(tmp_path / f"{number}.png"))
    for number, scan in enumerate(scans):
        path = tmp_path / f"again-{number}{scan_suffix(scan)}"
        write_scan(path, scan)
        again = read_scan(path)
        assert np.array_equal(again.array, scan.array)
        assert again.array.dtype == scan.array.dtype
        assert again.modality == scan.modality
        assert again.grid.same_as(scan.grid)


def test_it_trains_elsewhere_and_the_model_comes_back_and_segments(study, tmp_path, capsys):
    assert main(["study", "pack", str(study.folder), str(tmp_path / "packed")]) == 0
    elsewhere = tmp_path / "another computer"
    shutil.move(tmp_path / "packed", elsewhere)
    shutil.move(tmp_path / "hidden-folder" / "images", tmp_path / "gone")  # nothing is read from here any more
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", ALONE, "--steps", "3", "--device", "cpu"]
    done = subprocess.run(command, cwd=elsewhere, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    shutil.move(tmp_path / "gone", tmp_path / "hidden-folder" / "images")
    model = elsewhere / "study" / "models" / "model-1.mmgl"
    for name in ("model-1", "model-1-2"):
        assert main(["study", "add-model", str(study.folder), str(model)]) == 0
        assert (study.folder / "models" / f"{name}.mmgl").read_bytes() == model.read_bytes()
    assert "It segments Shell, Core." in capsys.readouterr().out
    scan, results = study.cases[2].images[0].path, tmp_path / "results"
    added = study.folder / "models" / "model-1-2.mmgl"
    assert main(["segment", str(added), str(scan), "--output", str(results), "--device", "cpu"]) == 0
    assert list(results.glob("*.seg.nrrd"))


def test_a_folder_with_something_in_it_and_a_study_that_cannot_train_are_refused(study, tmp_path):
    with pytest.raises(MMGLError) as caught:
        pack(study, study.folder)
    assert caught.value.key == "file.exists"
    with pytest.raises(MMGLError) as caught:
        pack(Study.create(tmp_path / "empty"), tmp_path / "packed")
    assert caught.value.key == "study.no_labels"
    assert not (tmp_path / "packed").exists()


def test_what_is_no_model_is_not_added(study):
    with pytest.raises(MMGLError) as caught:
        add_model(study, study.folder / "study.json")
    assert caught.value.key == "model.invalid"
    assert not (study.folder / "models").exists()
