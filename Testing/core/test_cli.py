"""The command line from the first command to the report, and one line for everything that can be wrong."""

import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import ball_scan, write

from mmgl.cli import main
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.jobs import Job, Record
from mmgl.progress import ProgressLine
from mmgl.study import Study, Use


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which a user has gone all the way once."""
    folder = tmp_path_factory.mktemp("user")
    for number in range(6):
        image, labelmap, grid = ball_scan(number)
        kind = "labelled" if number < 2 else "unlabelled" if number < 4 else "new"
        write(folder / kind / f"ball-{number}.nii.gz", image, grid)
        if kind == "labelled":
            write(folder / "labels" / f"ball-{number}_seg.nrrd", labelmap, grid)
        if kind == "new":
            write(folder / "references" / f"ball-{number}.nii.gz", labelmap, grid)
    f = str(folder)
    structures = ["--structures", "1=Shell", "2=Core"]
    assert main(["study", "new", f"{f}/study"]) == 0
    assert main(["study", "add", f"{f}/study", f"{f}/labelled", "--labels", f"{f}/labels", *structures]) == 0
    assert main(["study", "add", f"{f}/study", f"{f}/unlabelled"]) == 0
    assert main(["train", f"{f}/study", "--steps", "60", "--method", "mmgl", "--name", "balls", "--device", "cpu"]) == 0
    model = f"{f}/study/models/balls.mmgl"
    assert main(["segment", model, f"{f}/new/ball-4.nii.gz", f"{f}/new/ball-5.nii.gz", "--output", f"{f}/results"]) == 0
    return folder


def test_results_have_names_colours_and_the_scans_grid(folder):
    result = read_segmentation(folder / "results" / "ball-4.seg.nrrd")
    assert [s.name for s in result.segments] == ["Shell", "Core"]
    assert all(s.colour for s in result.segments)
    scan = sitk.ReadImage(str(folder / "new" / "ball-4.nii.gz"))
    written = sitk.ReadImage(str(folder / "results" / "ball-4.seg.nrrd"))
    assert np.allclose(written.GetOrigin(), scan.GetOrigin())
    assert written.GetSize() == scan.GetSize()


def test_evaluate_prints_a_table_and_writes_csv_and_report(folder, capsys):
    out = str(folder)
    code = main(
        [
            *["evaluate", f"{out}/results", f"{out}/references", "--structures", "Shell", "Core"],
            *["--csv", f"{out}/scores.csv", "--report", f"{out}/report.html", "--images", f"{out}/new"],
        ]
    )
    assert code == 0
    table = capsys.readouterr().out
    assert "Shell" in table
    assert "Core" in table
    rows = (folder / "scores.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 1 + 2 * 2
    dices = [float(row.split(",")[2]) for row in rows[1:]]
    assert min(dices) > 0.6
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "data:image/png" in page


def test_results_are_never_overwritten(folder, capsys):
    before = (folder / "results" / "ball-4.seg.nrrd").read_bytes()
    code = main(
        ["segment", f"{folder}/study/models/balls.mmgl", f"{folder}/new/ball-4.nii.gz", "--output", f"{folder}/results"]
    )
    assert code == 1
    assert "nothing is ever overwritten" in capsys.readouterr().err
    assert (folder / "results" / "ball-4.seg.nrrd").read_bytes() == before


@pytest.mark.parametrize("suffix", ["nii.gz", "nrrd"])
def test_labelmaps_hold_values(folder, suffix, tmp_path):
    model, scan = f"{folder}/study/models/balls.mmgl", f"{folder}/new/ball-4.nii.gz"
    assert main(["segment", model, scan, "--output", str(tmp_path), "--format", suffix]) == 0
    values = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"ball-4.{suffix}")))
    named = read_segmentation(folder / "results" / "ball-4.seg.nrrd")
    assert np.array_equal(values, named.labelmap([1, 2]))


def test_show_lists_structures_and_cases(folder, capsys):
    assert main(["study", "show", f"{folder}/study"]) == 0
    shown = capsys.readouterr().out
    assert "Shell" in shown
    assert "2 labelled, 2 unlabelled, 0 check" in shown


def test_split_says_when_there_are_too_few(folder, capsys):
    assert main(["study", "split", f"{folder}/study"]) == 0
    assert "Too few" in capsys.readouterr().out


README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_python_of_the_readme(folder, tmp_path, monkeypatch, capsys):
    """Runs the README's example as it stands, in a folder laid out as it says, with a budget of a few steps."""
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) < 10
    for name, source in (("scans", "labelled"), ("labels", "labels"), ("more scans", "unlabelled"), ("new", "new")):
        (tmp_path / name).symlink_to(folder / source)
    (tmp_path / "references").symlink_to(folder / "references")
    monkeypatch.chdir(tmp_path)
    quick = code.replace("minutes=15", "steps=40").replace("patient-07", "ball-4")
    assert quick != code
    exec(compile(quick, str(README), "exec"), {})
    table = capsys.readouterr().out
    assert "Left ventricle" in table
    assert "Myocardium" in table


def wrong_files(folder):
    image, _, grid = ball_scan(0)
    yield "truncated", folder / "truncated.nii.gz", lambda p: p.write_bytes(write(p, image, grid).read_bytes()[:2000])
    yield "empty", folder / "empty.nii.gz", lambda p: p.write_bytes(b"")
    yield "NaN", folder / "nan.nrrd", lambda p: write(p, np.full_like(image, np.nan), grid)
    yield "constant", folder / "constant.nii.gz", lambda p: write(p, np.full_like(image, 7), grid)
    yield "text", folder / "text.nii.gz", lambda p: p.write_text("not an image")
    yield "unknown", folder / "scan.pdf", lambda p: p.write_text("not an image")
    yield "missing", folder / "missing.nii.gz", lambda p: None
    yield "folder", folder / "nothing", lambda p: p.mkdir()


WORDS = {
    "truncated": "cannot be read",
    "empty": "empty.nii.gz",
    "NaN": "no number",
    "constant": "same value",
    "text": "cannot be read",
    "unknown": "not an image that MMGL reads",
    "missing": "not there",
    "folder": "No image was found in the folder",
}


@pytest.mark.parametrize("kind", WORDS)
def test_a_wrong_scan_gives_one_line(folder, tmp_path, kind, capfd):
    (path, make), *_ = [(p, m) for k, p, m in wrong_files(tmp_path) if k == kind]
    make(path)
    capfd.readouterr()
    code = main(["segment", f"{folder}/study/models/balls.mmgl", str(path), "--output", str(tmp_path / "out")])
    said = capfd.readouterr().err.strip().splitlines()
    assert code == 1
    assert WORDS[kind] in said[-1]
    assert said[-1].startswith("mmgl: ")
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())


def test_a_scan_of_other_channels_gives_one_line(folder, tmp_path, capsys):
    image, *_ = ball_scan(0)
    two = sitk.Compose([sitk.GetImageFromArray(image)] * 2)
    sitk.WriteImage(two, str(tmp_path / "two.nrrd"))
    assert (
        main(["segment", f"{folder}/study/models/balls.mmgl", f"{tmp_path}/two.nrrd", "--output", str(tmp_path)]) == 1
    )
    assert "reads scans with 1 channel," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "show", "nowhere"], "holds no study"),
        (["train", "nowhere"], "holds no study"),
        (["segment", "no.mmgl", "scan.nii.gz", "--output", "out"], "not there"),
        (["evaluate", "nowhere", "nowhere"], "not there"),
    ],
)
def test_other_mistakes_give_one_line(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_labels_without_names_ask_for_them(folder, tmp_path, capsys):
    main(["study", "new", str(tmp_path / "study")])
    capsys.readouterr()
    code = main(["study", "add", str(tmp_path / "study"), f"{folder}/labelled", "--labels", f"{folder}/labels"])
    assert code == 1
    assert re.search(r"values without names: 1 \([\d,]+ voxels\), 2 \([\d,]+ voxels\)", capsys.readouterr().err)
    assert main(["study", "add", str(tmp_path / "study"), f"{folder}/labelled", "--structures", "Shell"]) == 1
    assert "VALUE=NAME" in capsys.readouterr().err


@pytest.fixture
def study(folder, tmp_path):
    """A study of its own, with what the first one has."""
    path = tmp_path / "study"
    path.mkdir()
    (path / "study.json").write_bytes((folder / "study" / "study.json").read_bytes())
    return path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "study", "--minutes", "inf"], "not a number of minutes"),
        (["train", "study", "--name", "../outside"], "cannot be the name of a file"),
        (["study", "split", "study", "--fraction", "1.5"], "not between 0 and 1"),
        (["study", "split", "study", "--fraction", "0"], "not between 0 and 1"),
    ],
)
def test_impossible_options_are_wrong_usage(arguments, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


def test_no_minutes_are_not_the_usual_minutes(study, capsys):
    assert main(["train", str(study), "--minutes", "0"]) == 1
    assert "more than zero" in capsys.readouterr().err


def test_a_time_that_is_none_gives_one_line(study, capsys):
    assert main(["train", str(study), "--time", "25:00"]) == 1
    assert "quick, standard, overnight" in capsys.readouterr().err
    assert not (study / "runs").exists()


def test_segmenting_can_be_followed(folder, tmp_path):
    scans = [str(tmp_path / "missing.nii.gz"), f"{folder}/new/ball-4.nii.gz"]
    command = ["segment", f"{folder}/study/models/balls.mmgl", *scans, "--output", str(tmp_path / "out")]
    assert main([*command, "--record", str(tmp_path / "job")]) == 1
    events, look = Job(tmp_path / "job").poll()
    assert [event["event"] for event in events] == ["segmented", "segmented", "finished"]
    assert [event.get("key", "") for event in events] == ["file.missing", "", ""]
    assert look.state == "finished"
    assert (look.status["done"], look.status["of"]) == (2, 2)


def test_segmenting_stops_between_two_scans(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Record, "stop_asked", lambda self: True)
    command = ["segment", f"{folder}/study/models/balls.mmgl", f"{folder}/new/ball-4.nii.gz"]
    assert main([*command, "--output", str(tmp_path / "out"), "--record", str(tmp_path / "job")]) == 1
    assert Job(tmp_path / "job").look().state == "stopped"
    assert not (tmp_path / "out").exists()


def test_one_wrong_scan_does_not_hold_up_the_others(folder, tmp_path, capsys):
    scans = [str(tmp_path / "missing.nii.gz"), f"{folder}/new/ball-4.nii.gz"]
    out = tmp_path / "out"
    assert main(["segment", f"{folder}/study/models/balls.mmgl", *scans, "--output", str(out)]) == 1
    assert [path.name for path in out.iterdir()] == ["ball-4.seg.nrrd"]
    assert "missing.nii.gz is not there" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--csv", "--report"])
def test_evaluate_never_overwrites(folder, tmp_path, option, capsys):
    precious = tmp_path / "precious.nii.gz"
    precious.write_bytes(b"a scan")
    assert main(["evaluate", f"{folder}/results", f"{folder}/references", option, str(precious)]) == 1
    assert "nothing is ever overwritten" in capsys.readouterr().err
    assert precious.read_bytes() == b"a scan"


def test_evaluate_tells_what_it_does_not_compare(folder, tmp_path, capsys):
    (tmp_path / "ball-4.seg.nrrd").symlink_to(folder / "results" / "ball-4.seg.nrrd")
    assert main(["evaluate", str(tmp_path), f"{folder}/references"]) == 0
    assert "without a result: 1 (ball-5)" in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_gives_one_line(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["study", "new", str(tmp_path / "file" / "study")]) == 1
    said = capsys.readouterr().err
    assert "cannot be written" in said
    assert said.count("\n") == 1


def test_new_structures_and_known_scans_are_told(folder, study, capsys):
    labelled = [f"{folder}/labelled", "--labels", f"{folder}/labels"]
    assert main(["study", "add", str(study), *labelled]) == 0
    assert "already" in capsys.readouterr().out
    main(["study", "new", str(study.parent / "other")])
    assert main(["study", "add", str(study.parent / "other"), *labelled, "--structures", "1=Skin", "2=Stone"]) == 0
    assert "New structures: Skin, Stone" in capsys.readouterr().out


def test_resume_needs_an_interrupted_run(study, capsys):
    assert main(["train", str(study), "--resume", "--steps", "3"]) == 1
    assert "no training" in capsys.readouterr().err
    assert main(["train", str(study), "--resume", "--name", "typo", "--steps", "3"]) == 1
    assert "no training called typo" in capsys.readouterr().err
    assert not (study / "models").exists()


def test_resume_goes_on_with_the_latest_interrupted_run(folder, study):
    main(["train", str(study), "--steps", "3", "--method", "supervised", "--name", "stopped", "--device", "cpu"])
    (study / "models" / "stopped.mmgl").unlink()
    again = ["train", str(study), "--resume", "--steps", "99", "--method", "mmgl", "--device", "cpu"]
    assert main(again) == 0
    assert sorted(path.name for path in (study / "models").iterdir()) == ["stopped.html", "stopped.mmgl"]


def test_the_first_ctrl_c_keeps_what_was_learned_and_says_how_to_go_on(folder, study):
    command = [sys.executable, "-m", "mmgl", "train", str(study), "--steps", "100000", "--method", "supervised"]
    process = subprocess.Popen([*command, "--name", "long"], stderr=subprocess.PIPE, text=True)
    events = study / "runs" / "long" / "events.jsonl"
    for _ in range(6000):
        if events.is_file() and '"step"' in events.read_text(encoding="utf-8"):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=600)
    assert process.returncode == 130
    assert f"mmgl train {study} --resume --name long" in said
    assert (study / "runs" / "long" / "last.safetensors").is_file()


def test_labels_are_added_to_scans_that_are_known_already(folder, tmp_path, capsys):
    study = str(tmp_path / "study")
    main(["study", "new", study])
    main(["study", "add", study, f"{folder}/labelled"])
    labels = ["--labels", f"{folder}/labels", "--structures", "1=Shell", "2=Core"]
    assert main(["study", "add", study, f"{folder}/labelled", *labels]) == 0
    assert "Added 2 scans, 2 of them labelled" in capsys.readouterr().out
    assert len(Study.open(study).labelled) == 2


def test_cases_can_be_left_out_and_removed(folder, tmp_path, capsys):
    study = str(tmp_path / "study")
    main(["study", "new", study])
    main(["study", "add", study, f"{folder}/unlabelled"])
    assert main(["study", "use", study, "leave-out", "ball-2"]) == 0
    assert Study.open(study).case("ball-2").use is Use.LEAVE_OUT
    assert main(["study", "remove", study, "ball-2"]) == 0
    assert [case.name for case in Study.open(study).cases] == ["ball-3"]
    assert main(["study", "remove", study, "ball-2"]) == 1
    assert "no case called ball-2" in capsys.readouterr().err


def test_masks_of_other_values_are_evaluated_by_value(folder, tmp_path, capsys):
    for number in (4, 5):
        _, labelmap, grid = ball_scan(number)
        write(tmp_path / "masks" / f"ball-{number}.nii.gz", (labelmap > 1).astype(np.uint8) * 255, grid)
    arguments = ["evaluate", f"{folder}/results", str(tmp_path / "masks"), "--structures"]
    assert main([*arguments, "255=Core"]) == 0
    assert "Core" in capsys.readouterr().out
    assert main([*arguments, "255=Cor"]) == 1
    assert main([*arguments, "x=Core"]) == 1
    assert "VALUE=NAME" in capsys.readouterr().err


def test_a_folder_of_files_is_not_one_scan_among_others(folder, tmp_path, capsys):
    model, new = f"{folder}/study/models/balls.mmgl", f"{folder}/new"
    assert main(["segment", model, new, f"{new}/ball-4.nii.gz", "--output", str(tmp_path)]) == 1
    assert "is not one scan" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ball-4.seg.nrrd"]


def test_png_is_refused_for_a_volume_before_the_work(folder, tmp_path, capsys):
    model, scan = f"{folder}/study/models/balls.mmgl", f"{folder}/new/ball-4.nii.gz"
    assert main(["segment", model, scan, "--output", str(tmp_path), "--format", "png"]) == 1
    assert "one slice" in capsys.readouterr().err


def test_a_reader_that_stops_reading_is_no_error(folder):
    command = f"{sys.executable} -m mmgl study show {folder}/study | true"
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stderr == ""


def test_the_line_of_progress_never_wraps(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream = io.StringIO()
    stream.isatty = lambda: True
    line = ProgressLine(stream)
    step = {"event": "step", "stage": "global", "step": 5, "steps": 9, "loss": {"global": 4.5}, "seconds_left": 5000}
    line.show(step)
    shown = stream.getvalue().removeprefix("\r\x1b[K")
    assert shown.startswith("Learning from all your scans")
    assert len(shown) < 60
    monkeypatch.setenv("COLUMNS", "80")
    line.show(step)
    assert "83 min left" in stream.getvalue()


def test_a_scan_left_out_is_told_once():
    stream = io.StringIO()
    line = ProgressLine(stream)
    for _ in range(2):
        line.show({"event": "skipped", "case": "a", "words": "It is empty."})
    assert stream.getvalue().count("It is empty.") == 1


def test_what_is_told_at_start_and_end():
    stream = io.StringIO()
    line = ProgressLine(stream)
    line.show({"event": "resumed", "state": "lost", "key": "job.lost", "words": "It was interrupted at 62%."})
    line.show({"event": "disk", "needed_gb": 140.0, "free_gb": 200.0})
    line.show({"event": "fits", "device": "cpu", "precision": "float32", "batch": 8, "slice_size": 128, "width": 16})
    finding = {"key": "verdict.unlabelled", "parameters": {"structure": "Aorta"}}
    line.show({"event": "verdict", "findings": [finding], "use": "model-1"})
    said = stream.getvalue().splitlines()
    assert "interrupted at 62%" in said[0]
    assert "140.0 GB" in said[1]
    assert "8 slices of 128" in said[2]
    assert said[3].startswith("Aorta: not learned")


def test_no_command_prints_help(capsys):
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    "command", ["study", "study add", "train", "report", "queue", "queue add", "segment", "next", "evaluate", "demo"]
)
def test_every_command_has_help(command):
    done = subprocess.run([sys.executable, "-m", "mmgl", *command.split(), "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "usage" in done.stdout
