"""Files from others that are damaged or made to harm: read or refused in words, and nothing else happens."""

import ast
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from phantoms import ball_study
from safetensors import safe_open
from safetensors.numpy import save_file

from mmgl.files import read_json
from mmgl.imaging.reading import read_header, read_scan
from mmgl.messages import MMGLError
from mmgl.model import read_model
from mmgl.report.run_facts import MOST_EVENTS, RunFacts
from mmgl.study import Study
from mmgl.training.budget import Budget
from mmgl.training.run import Run
from mmgl.training.train import resume, train

FUZZ = Path(__file__).resolve().parents[2] / "benchmarks" / "reliability" / "fuzz.py"


@pytest.fixture
def scan(tmp_path):
    """A scan of 4 x 5 x 6 voxels whose header lies in a file of its own."""
    image = sitk.GetImageFromArray(np.arange(120, dtype=np.int16).reshape(4, 5, 6))
    sitk.WriteImage(image, str(tmp_path / "scan.mhd"))
    sitk.WriteImage(image, str(tmp_path / "scan.nhdr"))
    sitk.WriteImage(image, str(tmp_path / "scan.mha"))
    return tmp_path


def changed(path, old, new):
    """Change the text of a header."""
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


def test_hundreds_of_generated_files():
    done = subprocess.run(
        [sys.executable, str(FUZZ), "--cases", "240"], capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(int(line.split()[-1]) for line in done.stdout.splitlines() if line) == 240


@pytest.mark.parametrize("number", [b"0", b"-1", b"11", b"9223372036854775808", b"1e30", b"nan", b""])
def test_impossible_dimensions_do_not_reach_the_reader(scan, number):
    path = changed(scan / "scan.mha", b"NDims = 3", b"NDims = " + number)
    with pytest.raises(MMGLError) as caught:
        read_header(path)
    assert caught.value.key == "scan.unreadable"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../other.raw", "sub/../../other.raw", "C:\\other.raw", "..\\other.raw"]
)
@pytest.mark.parametrize(("file", "old"), [("scan.mhd", b"scan.raw"), ("scan.nhdr", b"scan.raw")])
def test_voxels_from_outside_the_folder_are_refused(scan, file, old, name):
    path = scan / file
    old = old if old in path.read_bytes() else b"scan.zraw" if b"scan.zraw" in path.read_bytes() else b"scan.raw.gz"
    with pytest.raises(MMGLError, match="own folder"):
        read_scan(changed(path, old, name.encode()))


def test_a_list_of_files_is_looked_through(scan):
    path = scan / "scan.mhd"
    text = path.read_text(encoding="utf-8").replace("scan.raw", "LIST\n1.raw\n../2.raw\n3.raw\n4.raw")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MMGLError, match="own folder"):
        read_scan(path)


@pytest.mark.parametrize("file", ["scan.mhd", "scan.nhdr", "scan.mha"])
def test_whole_files_are_still_read(scan, file):
    assert (read_scan(scan / file).array[0] == np.arange(120).reshape(4, 5, 6)).all()


def test_a_part_of_a_picture_that_is_longer_than_its_file_is_refused_before_memory_is_asked_for(tmp_path):
    sitk.WriteImage(sitk.Image(8, 8, sitk.sitkUInt8) + 1, str(tmp_path / "a.png"))
    whole = (tmp_path / "a.png").read_bytes()
    end = whole.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(whole[:end] + b"\x7f\x7f\x7f\x7fsCAL" + whole[end:])
    for reader in (read_header, read_scan):
        with pytest.raises(MMGLError, match="claims"):
            reader(tmp_path / "a.png")
    for stop in (8, 12, end, end + 6):
        (tmp_path / "a.png").write_bytes(whole[:stop])
        with pytest.raises(MMGLError) as caught:
            read_scan(tmp_path / "a.png")
        assert "claims" not in str(caught.value)


def test_a_key_that_is_no_text_is_left_out(tmp_path):
    path = tmp_path / "scan.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2)), str(path))
    path.write_bytes(path.read_bytes().replace(b"\n\n", b"\nk\xff\xfey:=value\n\n", 1))
    assert read_scan(path).array.shape == (1, 2, 2, 2)


@pytest.mark.parametrize("half", ["\\ud800", "\\uDFFF", "\\udc00\\ud800", "\\ud83d x"])
def test_half_a_character_in_json_is_damage(tmp_path, half):
    (tmp_path / "study.json").write_text(f'{{"name": ["{half}"]}}', encoding="utf-8")
    with pytest.raises(MMGLError) as caught:
        read_json(tmp_path / "study.json")
    assert caught.value.key == "file.damaged"


def test_half_a_character_that_is_no_escape_is_damage(tmp_path):
    (tmp_path / "study.json").write_bytes(b'{"name": "\xed\xa0\x80"}')
    with pytest.raises(MMGLError) as caught:
        read_json(tmp_path / "study.json")
    assert caught.value.key == "file.damaged"


@pytest.mark.parametrize("value", ["\U0001f600", "\\ud800", "é", "\ud7ff"])
def test_whole_characters_in_json_are_read_however_they_are_written(tmp_path, value):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        (tmp_path / "file.json").write_text(text, encoding="utf-8")
        assert read_json(tmp_path / "file.json") == value


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study with a run of two steps that was stopped before its end, and can be gone on with."""
    study = ball_study(tmp_path_factory.mktemp("trained") / "study")
    told = []
    with pytest.raises(MMGLError) as caught:
        train(
            study,
            method="supervised",
            budget=Budget(steps=6),
            device="cpu",
            name="run",
            on_event=lambda event: told.append(event["event"]),
            stop=lambda: "step" in told,
        )
    assert caught.value.key.startswith("run.stopped")
    return study


def test_checkpoints_of_another_training_are_refused_in_words(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "study")
    study = Study.open(tmp_path / "study")
    file = study.folder / "runs" / "run" / "last.safetensors"
    with safe_open(file, framework="numpy") as whole:
        tensors = {name: whole.get_tensor(name) for name in whole.keys()}  # noqa: SIM118
        state = json.loads(whole.metadata()["state"])
    fewer = {name: array for name, array in tensors.items() if not name.startswith("method.")}
    for arrays, about in ((fewer, state), (tensors, {}), (tensors, {**state, "course": 3}), (tensors, [state])):
        save_file(arrays, file, metadata={"state": json.dumps(about)})
        with pytest.raises(MMGLError) as caught:
            resume(study, "run", device="cpu")
        assert caught.value.key == "file.damaged"
    save_file(tensors, file)  # nothing is said of where it was
    with pytest.raises(MMGLError, match="damaged"):
        resume(study, "run", device="cpu")


@pytest.mark.parametrize(
    "text",
    ["[]", "3", '{"found": 3}', '{"found": {"x": 1}}', '{"error": 5}', '{"error": "no.key", "parameters": {}}', "{"],
)
def test_what_is_kept_of_a_scan_is_made_again_where_it_is_nonsense(trained, tmp_path, text):
    study = Study.open(shutil.copytree(trained.folder, tmp_path / "study"))
    before = [(finding.key, finding.case) for finding in study.check()]
    kept = list((study.folder / "statistics").iterdir())
    assert kept
    for file in kept:
        file.write_text(text, encoding="utf-8")
    assert [(finding.key, finding.case) for finding in study.check()] == before
    assert all(file.read_text(encoding="utf-8") != text for file in kept)


def test_nothing_of_ours_can_run_what_a_file_says():
    """No pickle, no ``eval``, no shell, no ``torch.load``, arrays only without objects; looked for in the sources."""
    for part in ("mmgl", "MMGLLib", "MMGLSegment", "MMGLTrain"):
        for path in (FUZZ.parents[2] / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                    assert not names & {"pickle", "marshal", "shelve", "dill", "yaml", "joblib", "cloudpickle"}, path
                if isinstance(node, ast.Call):
                    called, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
                    assert called not in ("eval", "exec", "compile", "torch.load", "os.system", "os.popen"), path
                    assert given.get("shell", "False") == "False", path
                    assert called != "np.load" or given["allow_pickle"] == "False", path


def test_a_pickle_under_the_name_of_a_model_is_not_run(tmp_path):
    class Touch:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    (tmp_path / "model.mmgl").write_bytes(pickle.dumps(Touch()))
    pickle.loads((tmp_path / "model.mmgl").read_bytes())  # what others would do
    (tmp_path / "ran").unlink()
    torch.save({"weights": torch.zeros(3)}, tmp_path / "other.mmgl")
    for name in ("model.mmgl", "other.mmgl"):
        with pytest.raises(MMGLError) as caught:
            read_model(tmp_path / name)
        assert caught.value.key == "model.invalid"
    assert not (tmp_path / "ran").exists()


BAD_CONFIG = {
    "method": [None, 3, ["mmgl"]],
    "seed": [None, 1.5, "0", 2**64, True],
    "steps": ["6", [6], -1, float("nan")],
    "minutes": [{}, float("inf")],
    "plan": [None, {}, [], {"width": 10**9}],
    "structures": [None, 3, ["1"]],
    "cases": [None, [], {"train": 3}, {"check": [3]}],
    "versions": [[], "1"],
    "start": ["model", {"model": 3}],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in BAD_CONFIG.items() for value in values])
def test_the_config_of_a_run_is_checked_before_it_is_believed(trained, tmp_path, key, value):
    config = json.loads((trained.folder / "runs" / "run" / "config.json").read_text(encoding="utf-8"))
    assert key in config
    (tmp_path / "config.json").write_text(json.dumps({**config, key: value}), encoding="utf-8")
    for read in (Run(tmp_path).read_config, lambda: RunFacts.read(tmp_path)):
        with pytest.raises(MMGLError) as caught:
            read()
        assert caught.value.key == "file.damaged"


def test_the_config_of_a_run_that_is_whole_is_read(trained):
    assert Run(trained.folder / "runs" / "run").read_config()["method"] == "supervised"


def test_events_without_end_are_refused_before_they_are_read(trained, tmp_path):
    shutil.copy(trained.folder / "runs" / "run" / "config.json", tmp_path)
    with (tmp_path / "events.jsonl").open("wb") as file:
        file.truncate(MOST_EVENTS + 1)  # a hole, which takes no room on the disk
    with pytest.raises(MMGLError, match="far too large"):
        RunFacts.read(tmp_path)


@pytest.mark.parametrize("name", ["x" * 10_000, "../../../other.mmgl", "a\0b.mmgl", "\ud800"])
def test_the_model_that_a_verdict_names_is_looked_for_among_those_that_are_there(trained, tmp_path, name):
    run = shutil.copytree(trained.folder / "runs" / "run", tmp_path / "study" / "runs" / "run")
    (tmp_path / "study" / "models").mkdir()
    (tmp_path / "other.mmgl").touch()
    (run / "verdict.json").write_text(json.dumps({"model": name}), encoding="utf-8")
    assert RunFacts.read(run).model is None
    (tmp_path / "study" / "models" / "run.mmgl").touch()
    assert RunFacts.read(run).model.name == "run.mmgl"
