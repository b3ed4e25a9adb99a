"""What is given away holds nothing of a patient or a user, and nothing of MMGL opens the network."""

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from mmgl import Budget, Study, segment, train
from mmgl.cli import main
from mmgl.jobs import Job
from mmgl.study import Use
from mmgl.study.packing import add_model, pack

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENT, DATE, USER = "Mustermann^Erika", "19700101", "drschmidt"
NETWORK = {"socket", "ssl", "http", "urllib", "requests", "asyncio", "ftplib", "smtplib", "xmlrpc", "socketserver"}


def planted(home: Path) -> Study:
    """Return a study whose files, folders and headers are full of names."""
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
        scan, painted = home / "scans" / f"{PATIENT}-{number}.nrrd", home / "labels" / f"{PATIENT}-{number}.nrrd"
        for file, content in ((scan, image), (painted, sitk.GetImageFromArray(label))):
            file.parent.mkdir(exist_ok=True)
            sitk.WriteImage(content, str(file))
        study.add_case(scan, label=painted, patient=f"{PATIENT}-{number}", use=use, meanings={"1": "Heart"})
    study.save()
    return study


def names_in(path: Path) -> list[str]:
    """Return which planted names a file holds, in any usual writing."""
    data = path.read_bytes()
    wanted = [PATIENT, "Mustermann", "Erika", USER, DATE, "1970-01-01"]
    found = [n for n in wanted for code in ("utf-8", "utf-16-le") if n.lower().encode(code) in data.lower()]
    return sorted(set(found))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study full of names whose model was trained by a user with a name: the folder, the study and the model."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("USER", "LOGNAME", "USERNAME"):
            patch.setenv(name, USER)
        home = tmp_path_factory.mktemp("home") / USER / PATIENT / DATE
        study = planted(home)
        yield home, study, train(study, method="supervised", budget=Budget(steps=2), seed=0, device="cpu")


def test_the_search_finds_what_is_there(trained):
    home, study, _ = trained
    for file in (home / "scans" / f"{PATIENT}-1.nrrd", study.folder / "study.json"):
        assert names_in(file)


def test_a_model_and_the_report_of_its_training_name_nobody(trained):
    _, _, model = trained
    report = model.with_suffix(".html")
    assert "Did it work?" in report.read_text(encoding="utf-8")
    assert [names_in(file) for file in (model, report)] == [[], []]


def test_a_result_and_the_report_of_an_evaluation_name_nobody(trained, tmp_path, capsys):
    home, _, model = trained
    for scan in sorted((home / "scans").iterdir()):
        segment(model, scan, output=tmp_path / "results", device="cpu")
    for result in (tmp_path / "results").rglob("*.nrrd"):
        assert names_in(result) == []
    report, scans = tmp_path / "report.html", str(home / "scans")
    folders = [str(tmp_path / "results"), str(home / "labels")]
    assert main(["evaluate", *folders, "--report", str(report), "--images", scans]) == 0
    assert PATIENT in capsys.readouterr().out  # who sits at the computer is told which case it was
    assert report.read_text(encoding="utf-8").count("<img ") == 3
    assert names_in(report) == []


def test_the_table_of_a_folder_names_scans_and_no_more(trained, tmp_path, capsys):
    home, _, model = trained
    assert main(["segment", str(model), str(home / "scans"), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 0
    table = (tmp_path / "out" / "results.csv").read_text(encoding="utf-8")
    assert table.count(PATIENT) >= 3  # it says which result belongs to which scan, and lies beside the results
    for word in (USER, DATE, str(tmp_path), str(home)):
        assert word not in table


def test_a_packed_study_and_all_that_is_trained_in_it_name_nobody(trained, tmp_path):
    _, study, _ = trained
    packed = Study.open(pack(study, tmp_path / "packed").folder)
    model = train(packed, method="supervised", budget=Budget(steps=2), seed=0, device="cpu")
    files = [path for path in (tmp_path / "packed").rglob("*") if path.is_file()]
    assert {"events.jsonl", "status.json", "config.json", "verdict.json"} <= {file.name for file in files}
    assert {file.name: names_in(file) for file in files if names_in(file)} == {}
    assert not any(name in str(path) for path in files for name in (PATIENT, USER, DATE))
    assert names_in(add_model(study, model)[0]) == []


def test_nothing_of_ours_knows_how_to_use_the_network():
    for part in ("mmgl", "MMGLLib", "MMGLSegment", "MMGLTrain"):
        for path in (REPOSITORY / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.split(".")[0] for name in names} & NETWORK, path
                assert not (isinstance(node, ast.Attribute) and node.attr == "hub"), path


def test_the_network_is_refused_to_all_tests_and_what_they_start(tmp_path, monkeypatch):
    """So every other test shows that what it runs needs no network: commands, both modules, their processes."""
    monkeypatch.setenv("MMGL_REFUSED", str(tmp_path / "refused.txt"))
    with pytest.raises(RuntimeError, match="the network was used"):
        socket.create_connection(("127.0.0.1", 9))
    with socket.socket() as listening, pytest.raises(RuntimeError, match="the network was used"):
        listening.bind(("127.0.0.1", 0))
    code = "import socket\nsocket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8")
    assert "the network was used" in done.stderr
    job = Job.start(tmp_path / "job", ["--version"], environment={**os.environ, "PYTHONVERBOSE": "1"})
    assert job.wait(timeout=120.0) == 0
    assert "sitecustomize" in (tmp_path / "job" / "log.txt").read_text(encoding="utf-8", errors="replace")
    assert len((tmp_path / "refused.txt").read_text(encoding="utf-8").splitlines()) == 3
