"""The accuracy benchmark: its table, its data sets, its queue, one real run, and what is made of the results."""

import json
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import ball_scan, write

from mmgl.layouts import Layout
from mmgl.messages import MMGLError
from mmgl.methods import METHODS

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"
sys.path.insert(0, str(BENCHMARK))

import data as data_sets  # noqa: E402
import measure as measuring  # noqa: E402
import record  # noqa: E402
import results as result_file  # noqa: E402
import run as one_run  # noqa: E402
import run_all  # noqa: E402
import runs  # noqa: E402
import tables  # noqa: E402

BALLS = Layout(
    title="balls",
    folders=("",),
    image="images/{case}.nii.gz",
    labels=("labels/{case}.nii.gz",),
    structures={"1": "Shell", "2": "Core"},
)


# The table


def test_every_run_of_the_table_can_be_asked_for():
    every = list(runs.all_runs())
    assert len({run.key for run in every}) == len(every) > 100
    assert {run.method for run in every} <= {*METHODS, "mmgl+"}
    assert {run.data for run in every} <= set(data_sets.DATA)
    assert {run.method for run in every if run.track == "cpu"} == {*METHODS, "mmgl+"}
    assert {run.set for run in every if run.track != "gpu"} == {"check"}


def test_what_is_wanted_first_stands_first():
    every = [run for run in runs.all_runs() if run.track == "cpu"]
    first = every[: len(runs.ALL)]
    assert {(run.labelled, run.seed) for run in first} == {(3, 0)}
    assert {run.method for run in first} == set(runs.ALL)


def test_the_rule_of_steps():
    alone = runs.STEPS["cpu"] * runs.STEP_SECONDS["supervised"]
    assert runs.steps_of("cpu", "ua-mt") == runs.steps_of("cpu", "supervised") == 900
    for method in runs.TWO_NETWORKS:
        seconds = runs.steps_of("cpu", method) * runs.STEP_SECONDS[method]
        assert seconds / alone == pytest.approx(1.5, abs=0.1)
    assert set(runs.STEP_SECONDS) == set(runs.ALL)


@pytest.mark.parametrize("name", [d.split for d in data_sets.DATA.values() if isinstance(d.split, str)])
def test_splits_share_nobody(name):
    split = data_sets.read_split(data_sets.SPLITS / f"{name}.json")  # refuses whoever stands in it twice
    assert len(split["train"]) >= 14
    assert split["val"]


def test_the_labelled_patients_of_acdc_are_those_of_the_literature():
    split = data_sets.read_split(data_sets.SPLITS / "acdc.json")
    assert [len(split[key]) for key in ("train", "val", "test")] == [70, 10, 20]
    assert split["train"][:7] == [f"patient{n:03d}" for n in (99, 38, 50, 100, 58, 21, 49)]


# The data sets


def test_the_middle_stays_in_its_place():
    image = sitk.GetImageFromArray(np.arange(2 * 30 * 41).reshape(2, 30, 41).astype(np.int32))
    image.SetSpacing((2.0, 4.0, 9.0))
    image.SetOrigin((7.0, -3.0, 1.0))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    middle = data_sets.crop_middle(image, 48.0)
    assert middle.GetSize() == (24, 12, 2)
    for index in ((0, 0, 0), (23, 11, 1)):
        there = image.TransformPhysicalPointToIndex(middle.TransformIndexToPhysicalPoint(index))
        assert image[there] == middle[index]
    assert data_sets.crop_middle(image, 500.0).GetSize() == image.GetSize()
    assert sitk.Hash(data_sets.crop_middle(image, 500.0)) == sitk.Hash(image)


def heart(folder, form):
    """Write a small ACDC of the patients of a split, in the form of its publication or in two folders."""
    for patient in ("patient001", "patient002", "patient003", "patient004"):
        for frame in ("01", "09"):
            image, labelmap, grid = ball_scan(int(patient[-1]), size=(4, 40, 36), spacing=(8.0, 1.0, 1.0))
            name = f"{patient}_frame{frame}"
            if form == "published":
                write(folder / "training" / patient / f"{name}.nii.gz", image, grid)
                write(folder / "training" / patient / f"{name}_gt.nii.gz", labelmap, grid)
            else:
                write(folder / "images" / f"{name}.nii.gz", image, grid)
                write(folder / "labels" / f"{name}.nii.gz", labelmap, grid)


@pytest.fixture
def small_splits(tmp_path, monkeypatch):
    """Splits for four patients in the place of the real ones."""
    split = {"train": ["patient003", "patient001"], "val": ["patient002"], "test": ["patient004"]}
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits" / "acdc.json").write_text(json.dumps(split))
    monkeypatch.setattr(data_sets, "SPLITS", tmp_path / "splits")


@pytest.mark.parametrize("form", ["published", "two folders"])
def test_the_centre_of_acdc_in_both_forms(tmp_path, monkeypatch, small_splits, form):
    heart(tmp_path / "root" / "acdc", form)
    centre = replace(data_sets.DATA["acdc-centre"], middle=20.0)
    monkeypatch.setitem(data_sets.DATA, "acdc-centre", centre)
    folders = tmp_path / "root", tmp_path / "work"
    whole = data_sets.make_study(tmp_path / "a", "acdc", *folders, labelled=1, with_test=True)
    study = data_sets.make_study(tmp_path / "b", "acdc-centre", *folders, labelled=1, with_test=False)
    assert [case.patient for case in study.labelled] == ["patient003"] * 2
    assert [case.patient for case in study.unlabelled] == ["patient001"] * 2
    assert [case.patient for case in study.checks] == ["patient002"] * 2
    assert [case.name for case in whole.cases] == [case.name for case in study.cases] + [
        f"patient004_frame{frame}" for frame in ("01", "09")
    ]
    case, same = study.cases[0], whole.cases[0]
    assert study.read_scan(case).grid.size == (4, 20, 20)
    assert np.array_equal(study.read_scan(case).array, whole.read_scan(same).array[:, :, 10:30, 8:28])
    assert np.array_equal(study.read_labelmap(case), whole.read_labelmap(same)[:, 10:30, 8:28])
    assert len(list((tmp_path / "work" / "data" / "acdc-centre" / "images").iterdir())) == 6


def test_data_that_are_not_there_are_told(tmp_path):
    (tmp_path / "acdc").mkdir()
    run = runs.Run("cpu", "acdc", 3, "supervised", 0, 5)
    assert "does not hold" in run_all.missing(run, tmp_path)
    assert "no such method" in run_all.missing(replace(run, method="magic"), tmp_path)


def test_shares_do_not_depend_on_who_else_is_there():
    found = [data_sets.Published(f"ct_train_{n}", f"ct_train_{n}", Path(f"{n}"), None) for n in range(1001, 1021)]
    split = data_sets.split_of(data_sets.DATA["mm-whs-ct"], found)
    assert [len(split[key]) for key in ("train", "val", "test")] == [10, 5, 5]
    assert split == data_sets.split_of(data_sets.DATA["mm-whs-ct"], found[::-1])


# The results


def made_up(run, dice, seconds=600):
    """Return a result as ``run.py`` writes it, of two cases."""
    row = {"dice": dice, "worst": dice - 0.1, "worst_case": "b", "hd95": 9.0 - dice, "surface_distance": 2.0 - dice}
    return {
        **run.to_json(),
        "structures": {"Shell": row, "Core": {**row, "hd95": None}, "mean": row},
        "largest": {"mean": {**row, "dice": dice + 0.01, "hd95": 4.0 - dice}},
        "cases": {"a": [dice + 0.1, None], "b": [dice - 0.1, dice - 0.1]},
        "seconds": {"train": seconds, "segment": 9},
        "stages": [{"stage": "segmentation", "share": 1.0, "steps": run.steps}],
    }


def test_a_result_counts_for_its_own_run_and_settings(tmp_path, monkeypatch):
    run, path = runs.Run("cpu", "acdc", 3, "supervised", 0, 5), tmp_path / "r.jsonl"
    result_file.append_result(path, made_up(run, 0.5))
    assert result_file.result_of(run, result_file.read_results(path))["structures"]["mean"]["dice"] == 0.5
    for other in ({"seed": 1}, {"steps": 6}, {"labelled": 1}, {"published": True}, {"set": "test"}):
        assert result_file.result_of(replace(run, **other), result_file.read_results(path)) is None
    monkeypatch.setattr(result_file, "SETTINGS", runs.SETTINGS + 1)
    assert result_file.read_results(path) == []


def test_of_a_run_that_was_measured_again_the_last_line_counts(tmp_path):
    one, other = (runs.Run("cpu", "acdc", 3, "supervised", seed, 5) for seed in (0, 1))
    for run, dice in ((one, 0.5), (other, 0.6), (one, 0.7)):
        result_file.append_result(tmp_path / "r.jsonl", made_up(run, dice))
    found = result_file.read_results(tmp_path / "r.jsonl")
    assert [(r["seed"], r["structures"]["mean"]["dice"]) for r in found] == [(0, 0.7), (1, 0.6)]


def test_half_a_line_counts_for_nothing_and_spoils_nothing(tmp_path):
    run, path = runs.Run("cpu", "acdc", 3, "supervised", 0, 5), tmp_path / "r.jsonl"
    path.write_text(json.dumps(made_up(run, 0.4))[:50], encoding="utf-8")
    assert result_file.read_results(path) == []
    result_file.append_result(path, made_up(run, 0.5))
    assert [r["structures"]["mean"]["dice"] for r in result_file.read_results(path)] == [0.5]
    assert path.read_bytes().endswith(b"\n")


def test_the_methods_of_the_front_page_scored_what_was_measured():
    table = {"track": "cpu", "data": "acdc-centre", "labelled": 3}
    found = [r for r in result_file.read_results(result_file.RESULTS) if table.items() <= r.items()]
    readme = (BENCHMARK.parents[1] / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| `([a-z+-]+)`, (.* mm) \|$", readme, re.MULTILINE)
    cells = [(name, line.split(" | ")) for name, line in lines]
    rows = [(name, c[1], c[2].split()[0], c[7].split()[0], c[8].split()[0]) for name, c in cells]
    assert {row[0] for row in rows} == {r["method"] for r in found}
    for method, seeds, dice, largest, distance in rows:
        own = sorted((r for r in found if r["method"] == method), key=lambda r: r["seed"])
        assert seeds == ", ".join(str(r["seed"]) for r in own)
        assert float(dice) == pytest.approx(mean(r["structures"]["mean"]["dice"] for r in own), abs=6e-4)
        assert float(largest) == pytest.approx(mean(r["largest"]["mean"]["dice"] for r in own), abs=6e-4)
        assert float(distance) == pytest.approx(mean(r["largest"]["mean"]["hd95"] for r in own), abs=0.06)


def test_several_processes_append_whole_lines(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARK)!r}); from pathlib import Path; import results\n"
        "for n in range(20): results.append_result(Path(sys.argv[1]), "
        "{'settings': results.SETTINGS, 'seed': f'{sys.argv[2]} {n}', 'x': 'y' * 9000})"
    )
    path = tmp_path / "r.jsonl"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert len(result_file.read_results(path)) == 60


def test_a_lock_ends_with_its_process(tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(BENCHMARK)!r}); from pathlib import Path; import results, time\n"
        "with results.claimed(Path(sys.argv[1])) as mine: print(mine, flush=True); time.sleep(600)"
    )
    lock = tmp_path / "lock"
    child = subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "True\n"
    with result_file.claimed(lock, patience=0.0) as mine:
        assert not mine
    child.kill()
    child.wait()
    child.stdout.close()
    with result_file.claimed(lock, patience=60.0) as mine:
        assert mine


# The queue

CHILD = """
import json, os, sys, time
sys.path.insert(0, {benchmark!r})
from pathlib import Path
import results, runs
run, folder, end = runs.Run(**json.loads(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
with results.claimed(results.lock_file(run, folder)) as mine:
    if not mine: sys.exit(results.BUSY)
    if results.result_of(run, results.read_results(folder / "r.jsonl")): sys.exit(0)
    with (folder / "begun").open("ab") as file: file.write((run.method + " " + str(os.getpid()) + "\\n").encode())
    if end == "fails": sys.exit("the child says why")
    time.sleep(600 if end == "hangs" else 0.3)
    structures = {{"mean": {{"dice": 0.5}}}}
    results.append_result(folder / "r.jsonl", {{**run.to_json(), "structures": structures}})
"""


def queue_of(tmp_path, monkeypatch, ends):
    """Return runs, folders and the command of a queue whose children end in the given ways."""
    monkeypatch.setattr(run_all, "missing", lambda run, data: "")
    some = [replace(runs.Run("cpu", "acdc", 3, "supervised", 0, 5), method=method) for method in ends]
    folders = run_all.Folders(tmp_path / "data", tmp_path, tmp_path / "r.jsonl")
    code = CHILD.format(benchmark=str(BENCHMARK))

    def command(run):
        fields = {key: value for key, value in run.to_json().items() if key != "settings"}
        return [sys.executable, "-c", code, json.dumps(fields), str(tmp_path), ends[run.method]]

    return some, folders, command


def begun(folder):
    return [line.split()[0] for line in (folder / "begun").read_text().splitlines()]


def test_two_queues_side_by_side_do_each_run_once(tmp_path, monkeypatch):
    some, folders, command = queue_of(tmp_path, monkeypatch, dict.fromkeys(list(METHODS)[:6], "well"))
    other = [sys.executable, "-c", OTHER_QUEUE.format(benchmark=str(BENCHMARK)), str(tmp_path)]
    commands = json.dumps({run.key: command(run) for run in some})
    fields = [{key: value for key, value in run.to_json().items() if key != "settings"} for run in some]
    child = subprocess.Popen([*other, json.dumps(fields), commands])
    assert run_all.work_off(some, folders, 2, command) == []
    assert child.wait() == 0
    assert sorted(begun(tmp_path)) == sorted(run.method for run in some)
    assert len(result_file.read_results(folders.results)) == 6
    assert {run_all.state(run, folders) for run in some} == {"done"}
    assert run_all.work_off(some, folders, 2, command) == []
    assert len(begun(tmp_path)) == 6


OTHER_QUEUE = """
import json, sys
sys.path.insert(0, {benchmark!r})
from pathlib import Path
import run_all, runs
run_all.missing = lambda run, data: ""
folder, some, commands = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
folders = run_all.Folders(folder, folder, folder / "r.jsonl")
failed = run_all.work_off([runs.Run(**f) for f in some], folders, 1, lambda run: commands[run.key])
sys.exit(len(failed))
"""


def test_a_run_that_fails_is_told_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    some, folders, command = queue_of(tmp_path, monkeypatch, {"mmgl": "fails", "mcsc": "well"})
    assert run_all.work_off(some, folders, 1, command) == [some[0]]
    said = capsys.readouterr().out
    log = tmp_path / "logs" / f"{some[0].key}.log"
    assert f"failed  {some[0].key}: see {log}" in said
    assert "the child says why" in log.read_text()
    assert [r["method"] for r in result_file.read_results(folders.results)] == ["mcsc"]
    assert run_all.state(some[0], folders) == "waiting"


def test_children_end_with_their_queue(tmp_path, monkeypatch):
    some, folders, command = queue_of(tmp_path, monkeypatch, {"mmgl": "hangs", "mcsc": "hangs"})
    naps = []

    def interrupt(seconds):
        naps.append(seconds)
        if (tmp_path / "begun").exists() and len(begun(tmp_path)) == 2:
            assert {run_all.state(run, folders) for run in some} == {"running"}
            raise KeyboardInterrupt

    children = []
    real = subprocess.Popen

    def popen(*arguments, **options):
        children.append(real(*arguments, **options))
        return children[-1]

    monkeypatch.setattr(run_all, "time", SimpleNamespace(sleep=interrupt, strftime=time.strftime))
    monkeypatch.setattr(run_all.subprocess, "Popen", popen)
    with pytest.raises(KeyboardInterrupt):
        run_all.work_off(some, folders, 2, command)
    assert len(children) == 2
    assert all(child.poll() is not None for child in children)
    assert {run_all.state(run, folders) for run in some} == {"waiting"}
    assert result_file.read_results(folders.results) == []


def test_only_and_list(tmp_path, capsys):
    assert {run.track for run in run_all.chosen([])} == {"cpu"}
    some = run_all.chosen(["data=hippocampus", "method=mmgl,supervised", "seed=1"])
    assert {(run.data, run.seed) for run in some} == {("hippocampus", 1)}
    assert {run.method for run in some} == {"mmgl", "supervised"}
    with pytest.raises(SystemExit, match="KEY=VALUE"):
        run_all.chosen(["colour=red"])
    folders = run_all.Folders(tmp_path, tmp_path, tmp_path / "r.jsonl")
    result_file.append_result(folders.results, made_up(some[0], 0.512))
    run_all.print_list(some[:2], folders)
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith("done")
    assert "Dice 0.512, 10 min" in first
    assert second.startswith("missing")
    assert list(tmp_path.iterdir()) == [folders.results]


def test_estimates_follow_what_was_measured():
    run = runs.Run("cpu", "acdc", 3, "supervised", 1, 1800)
    assert run_all.seconds_of(run, []) == pytest.approx(1800 * runs.STEP_SECONDS["supervised"] + run_all.AROUND)
    assert run_all.seconds_of(run, [made_up(replace(run, seed=0), 0.5, seconds=91)]) == 100
    assert run_all.seconds_of(replace(run, steps=None, minutes=10.0), []) == 600 + run_all.AROUND


def test_the_command_of_a_run_asks_for_that_run(tmp_path, monkeypatch):
    folders = run_all.Folders(tmp_path, tmp_path, tmp_path / "r.jsonl")
    for run in (r for r in runs.all_runs() if r.seed == 0):
        monkeypatch.setattr(sys, "argv", run_all.command_of(run, folders, "cpu")[1:])
        assert one_run._run(one_run._options()) == run


# One real run


@pytest.fixture
def balls(tmp_path, monkeypatch):
    """A data set of balls, and a run on it."""
    names = [f"ball-{number}" for number in range(5)]
    for number, name in enumerate(names):
        image, labelmap, grid = ball_scan(number, size=(6, 40, 36), spacing=(4.0, 1.0, 1.0))
        write(tmp_path / "root" / "balls" / "images" / f"{name}.nii.gz", image, grid)
        write(tmp_path / "root" / "balls" / "labels" / f"{name}.nii.gz", labelmap, grid)
    (tmp_path / "splits").mkdir()
    split = {"train": names[:3], "val": names[3:4], "test": names[4:]}
    (tmp_path / "splits" / "balls.json").write_text(json.dumps(split))
    monkeypatch.setattr(data_sets, "SPLITS", tmp_path / "splits")
    monkeypatch.setitem(data_sets.DATA, "balls", data_sets.DataSet("balls", (BALLS,), "balls"))
    return runs.Run("cpu", "balls", 1, "bcp", 0, 6)


def test_an_interrupted_run_goes_on_and_says_what_a_whole_one_says(tmp_path, balls, monkeypatch):
    whole = measuring.measure(balls, tmp_path / "root", tmp_path / "whole", "cpu")
    seen = []

    class Stopping(measuring.ProgressLine):
        def show(self, event):
            seen.append(event["event"])
            if event["event"] == "stage" and event["number"] == 2 and seen.count("stage") == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "ProgressLine", Stopping)
    with pytest.raises(KeyboardInterrupt):
        measuring.measure(balls, tmp_path / "root", tmp_path / "work", "cpu")
    halfway = seen.copy()
    record = measuring.measure(balls, tmp_path / "root", tmp_path / "work", "cpu")
    assert "looking" not in seen[len(halfway) :]  # it was not begun again
    assert seen[len(halfway) :].count("stage") == 1
    assert set(record["largest"]) == set(record["structures"])
    for key in ("structures", "largest", "cases", "stages", "plan", "parameters"):
        assert record[key] == whole[key], key
    assert list(record["cases"]) == ["ball-3"]
    assert [stage["steps"] for stage in record["stages"]] == [2, 4]
    assert [stage["share"] for stage in record["stages"]] == [0.25, 0.75]
    assert record["parameters"]["method"] >= record["parameters"]["network"] > 1000
    assert record["cases_used"] == {"labelled": 1, "unlabelled": 2, "check": 1}
    assert record["threads"] >= 1
    json.dumps(record, allow_nan=False)


def test_a_run_of_another_program_is_repeated(tmp_path, balls, monkeypatch):
    run = replace(balls, method="supervised", steps=2, set="test")
    measuring.measure(run, tmp_path / "root", tmp_path / "work", "cpu")
    study = tmp_path / "work" / run.key / "models" / "run.mmgl"
    first = study.stat().st_mtime_ns
    record = measuring.measure(run, tmp_path / "root", tmp_path / "work", "cpu")
    assert study.stat().st_mtime_ns == first  # only segmented again
    assert list(record["cases"]) == ["ball-4"]
    now = measuring.what_runs("cpu")
    monkeypatch.setattr(measuring, "what_runs", lambda device: {**now, "program": "another"})
    measuring.measure(run, tmp_path / "root", tmp_path / "work", "cpu")
    assert study.stat().st_mtime_ns != first


def test_a_run_leaves_one_line_and_nothing_else(tmp_path, balls, monkeypatch, capsys):
    folders = run_all.Folders(tmp_path / "root", tmp_path / "work", tmp_path / "r.jsonl")
    run = replace(balls, method="supervised", steps=2)
    monkeypatch.setattr(sys, "argv", run_all.command_of(run, folders, "cpu")[1:])
    assert one_run.main() == 0
    assert (run_all.state(run, folders), len(result_file.read_results(folders.results))) == ("done", 1)
    assert sorted(path.name for path in folders.work.iterdir()) == ["locks"]
    capsys.readouterr()
    assert one_run.main() == 0
    assert "in the results already" in capsys.readouterr().out
    with result_file.claimed(result_file.lock_file(replace(run, seed=1), folders.work)):
        monkeypatch.setattr(sys, "argv", run_all.command_of(replace(run, seed=1), folders, "cpu")[1:])
        assert one_run.main() == result_file.BUSY
    assert len(result_file.read_results(folders.results)) == 1


def test_a_wrong_run_gives_one_line(tmp_path, monkeypatch, capsys):
    arguments = ["acdc", "--labelled", "1", "--method", "supervised", "--folder", str(tmp_path), "--work"]
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments, str(tmp_path / "work"), "--results", str(tmp_path / "r")])
    assert one_run.main() == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "r").exists()


def test_time_in_which_nothing_ran_does_not_count(tmp_path):
    told = [("looking", 0), ("preparing", 5), ("stage", 10), ("step", 30), ("check", 40)]
    told += [
        ("preparing", 5000),
        ("preparing", 5001),
        ("stage", 5010),
        ("step", 5025),
        ("stage", 5026),
        ("model", 5050),
    ]
    lines = [json.dumps({"event": event, "time": time}) for event, time in told]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + '\n{"event": "st')
    assert record.training_seconds(tmp_path) == 30 + 40


def test_scores_keep_means_worst_and_cases():
    score = measuring.Score
    scores = [
        *(score("a", "Shell", 0.9, 2.0, 1.0, 1.0, 1.0), score("a", "Core", 0.7, 4.0, 2.0, 1.0, 1.0)),
        *(score("b", "Shell", 0.5, 8.0, 3.0, 1.0, 1.0), score("b", "Core", np.nan, np.nan, np.nan, 0.0, 0.0)),
    ]
    found = record.scores_to_json(scores)
    assert found["cases"] == {"a": [0.9, 0.7], "b": [0.5, None]}
    shell, core, mean = (found["structures"][name] for name in ("Shell", "Core", "mean"))
    assert (shell["dice"], shell["worst"], shell["worst_case"], shell["worst_hd95"]) == (0.7, 0.5, "b", 8.0)
    assert (core["dice"], core["dice_deviation"], core["worst_surface_distance"]) == (0.7, None, 2.0)
    assert (mean["dice"], mean["worst"], mean["worst_hd95"]) == (0.7, 0.5, 8.0)


def test_only_the_largest_piece_is_scored_beside_the_whole(tmp_path, balls, monkeypatch):
    sizes = []

    def two_pieces(predictor, scan):
        found = np.zeros(scan.array.shape[1:], np.int16)
        found[1:4, 2:8, 2:8] = found[5, 20:22, 20:22] = 1
        return found

    def counted(case, found, *rest):
        sizes.append(np.count_nonzero(found))
        return []

    monkeypatch.setattr(measuring.Predictor, "segment", two_pieces)
    monkeypatch.setattr(measuring, "score", counted)
    monkeypatch.setattr(measuring, "scores_to_json", lambda scores: {"structures": {}})
    run = replace(balls, method="supervised", steps=2)
    measuring.measure(run, tmp_path / "root", tmp_path / "work", "cpu")
    assert sizes == [3 * 6 * 6 + 2 * 2, 3 * 6 * 6]


# Tables and plots


def some_results():
    """Return made-up results of two methods at three counts, of one more at 3, and of a ceiling."""
    found = []
    for method, level in (("supervised", 0.8), ("mmgl+", 0.85)):
        for labelled, more in ((1, -0.1), (3, 0.0), (7, 0.02)):
            for seed in (0, 1):
                run = runs.Run("cpu", "acdc-centre", labelled, method, seed, 1800)
                found.append(made_up(run, round(level + more + 0.01 * seed, 3)))
    found.append(made_up(runs.Run("cpu", "acdc-centre", 3, "bcp", 0, 1800), 0.83))
    found.append(made_up(runs.Run("cpu", "acdc-centre", 70, "supervised", 0, 1800), 0.89))
    found.append(made_up(runs.Run("minutes", "acdc-centre", 3, "mmgl+", 0, None, 10.0), 0.87) | {"stages": []})
    return found


def test_tables():
    first, second = tables.groups(some_results())
    lines = tables.markdown(first).splitlines()
    assert lines[0].startswith("**acdc-centre, track cpu: 2 check cases.**")
    assert "Dice, 1 labelled | Dice, 3 labelled | Dice, 7 labelled |" in lines[2]
    ours = "| `mmgl+` | **0.755 ± 0.007** | **0.855 ± 0.007** | **0.875 ± 0.007** |"
    assert (
        lines[4]
        == f"{ours} **8.14 ± 0.01** | **1.15 ± 0.01** | **0.750** | **0.865 ± 0.007** | **3.15 ± 0.01** | 1800 | 10 |"
    )
    assert lines[5].startswith("| `bcp` |  | 0.830 |  | 8.17 |")
    assert lines[6].startswith("| `supervised` | 0.705 ± 0.007 | 0.805 ± 0.007 |")
    assert lines[7].startswith("| `supervised`, 70 labelled | 0.890 |")
    assert "| `supervised` | 0.805 ± 0.007 |  |" in "\n".join(lines[8:])  # the distance of Core was never measured
    assert "| `mmgl+`, 10 min | 0.870 |" in tables.markdown(second)
    for table in tables.markdown(first).split("\n\n"):
        if table.startswith("|"):
            assert len({line.count("|") for line in table.splitlines()}) == 1


def test_plots(tmp_path):
    pytest.importorskip("matplotlib")
    import plots

    group, other = tables.groups(some_results())
    plots.draw_labels(group, tmp_path / "labels.png")
    plots.draw_methods(group, tmp_path / "methods.png")
    plots.draw_methods(other, tmp_path / "one.png")
    for path in tmp_path.iterdir():
        picture = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert picture.shape[1] > 1200
        assert (picture[..., :3].reshape(-1, 3).min(0) < 100).all()
    assert plots.case_means(some_results()[0]) == [pytest.approx(0.8), pytest.approx(0.6)]


def test_errors_of_the_core_are_not_hidden(tmp_path, balls):
    with pytest.raises(MMGLError, match="Ask for fewer"):
        measuring.measure(replace(balls, labelled=9), tmp_path / "root", tmp_path / "work", "cpu")
