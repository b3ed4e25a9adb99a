"""The report of a training: what is in it, that it names nobody, and that it is made up for where it is missing."""

import json
import re

import numpy as np
import pytest
from phantoms import ball_study
from test_report import EVIL, Reader

from mmgl.cli import main
from mmgl.data.plan import Normalisation, Plan
from mmgl.messages import MMGLError
from mmgl.methods import METHODS
from mmgl.methods.papers import PAPERS
from mmgl.model import read_model
from mmgl.report.png import png_bytes
from mmgl.report.run_facts import RunFacts, thinned
from mmgl.report.run_report import write_run_report
from mmgl.structures import Structure
from mmgl.study import Study
from mmgl.training import ending
from mmgl.training import train as train_module
from mmgl.training.budget import Budget
from mmgl.training.train import resume, train

PLANTED = "Mueller_Hans"
STRUCTURES = (Structure(1, "Atrium", (200, 0, 0)), Structure(2, EVIL, (0, 200, 0)))


def events():
    """Return the events of a training that was killed once: steps 3 and 4 were made twice."""
    told = [{"event": "skipped", "case": f"{PLANTED}_3", "key": "scan.empty", "words": f"/home/hans/{PLANTED}"}]
    told.append({"event": "fits", "device": "cuda", "name": "Card X", "precision": "bfloat16"})
    for begin, first in (("stage", 1), ("resumed", 3)):
        told.append({"event": begin, "stage": "segmentation", "number": 1, "stages": 1, "steps": 6})
        for step in range(first, 5 if begin == "stage" else 7):
            loss = {"segmentation": 2.0 / step}
            told.append({"event": "step", "stage": "segmentation", "step": step, "steps": 6, "loss": loss})
        told.append({"event": "check", "stage": "segmentation", "step": step, "steps": 6, "dice": [step / 10, None]})
        file = f"previews/segmentation-{step:07d}.png"
        told.append({"event": "preview", "file": file, "case": f"{PLANTED}_9"})
    return [{"time": 1.8e9 + 10 * i, **event} for i, event in enumerate(told)]


@pytest.fixture
def run(tmp_path):
    """The folder of a run, in whose names, paths and findings a patient is planted."""
    folder = tmp_path / f"{PLANTED} study" / "runs" / "model-1"
    (folder / "previews").mkdir(parents=True)
    for step in (4, 6):
        picture = np.random.default_rng(step).integers(0, 256, (20, 30, 3), dtype=np.uint8)
        (folder / "previews" / f"segmentation-{step:07d}.png").write_bytes(png_bytes(picture))
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("fixed", -200, 400, 10, 90),), width=4)
    names = [f"{PLANTED}_{number}" for number in range(1, 11)]
    cases = {"train": names[:8], "check": names[8:], "labelled": names[:2], "seen": []}
    versions = {"mmgl": "0.1.0", "torch": "2.13.0"}
    asked = {"method": "mmgl", "seed": 7, "steps": None, "minutes": 15.0, "until": None, "structures": [1, 2]}
    config = {**asked, "plan": plan.to_json(), "cases": cases, "versions": versions, "start": {"model": "model-0"}}
    findings = [
        {"key": "verdict.self", "parameters": {"case": f"{PLANTED}_2", "dice": 0.2}},
        {"key": "verdict.poor", "parameters": {"structure": "Atrium", "dice": 0.4, "cases": 2}},
    ]
    verdict = {"model": "model-1.mmgl", "findings": findings, "use": "model-1", "dice": [[0.5, None], [0.75, 0.125]]}
    for name, content in (("config", config), ("verdict", verdict)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    lines = [json.dumps(event) for event in events()]
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def page_of(run):
    write_run_report(run, STRUCTURES, run.parent / "report.html")
    return (run.parent / "report.html").read_text(encoding="utf-8")


def test_everything_is_told(run):
    page = page_of(run)
    reader = Reader(page)
    for words in (
        "Did it work?",
        "cannot even reproduce case 2",
        "Model to use: model-1.",
        "Finished on 2027-01-15 after 6 steps.",
        "0.625",  # the mean Dice of the Atrium
        "0.500 (case 9)",
        "2 labelled and 6 unlabelled cases to learn from, 2 labelled cases held out",
        "Left out, because they could not be used: case 3.",
        "graphics card Card X",
        "bfloat16",
        "15 minutes",
        "model-0",
        "own mm",
        "cut to -200 to 400",
        "2.13.0",
        "10.1109/ICIP46576.2022.9897591",
        "Not a medical device",
    ):
        assert words in re.sub(r"\s+", " ", reader.text).replace("1 x 1 x own mm", "own mm"), words
    assert "<td>seed</td><td>7</td>" in page
    assert page.count("data:image/png;base64,") == 2
    assert reader.tags.count("polyline") >= 2  # Dice and loss
    assert "script" not in reader.tags
    assert EVIL in reader.text


def test_nobody_is_named(run):
    page = page_of(run)
    for planted in (PLANTED, "Hans", "hans", str(run), "/home", "/tmp"):
        assert planted not in page


def test_steps_that_were_made_twice_count_once(run):
    facts = RunFacts.read(run)
    assert [event["at"] for event in facts.steps()] == [1, 2, 3, 4, 5, 6]
    assert facts.begins() == {"segmentation": 0}
    assert len(thinned([(float(i), float(i)) for i in range(1001)])) == 334


def test_a_training_that_was_stopped_or_lost_has_a_report_too(run):
    told = json.loads((run / "verdict.json").read_text(encoding="utf-8"))
    (run / "verdict.json").write_text(json.dumps({**told, "use": ""}), encoding="utf-8")
    assert "Stopped on 2027-01-15 after 6 of 6 steps" in page_of(run)
    (run / "verdict.json").unlink()
    page = page_of(run)
    assert "Not finished: 6 of 6 steps" in page
    assert "Scores on the check cases" not in page
    (run / "events.jsonl").unlink()
    assert "Not finished: 0 of 0 steps" in page_of(run)
    (run / "config.json").unlink()
    with pytest.raises(MMGLError) as error:
        page_of(run)
    assert error.value.key == "run.unknown"


def test_every_method_has_its_paper():
    assert set(PAPERS) == set(METHODS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study with the shortest training there is."""
    study = ball_study(tmp_path_factory.mktemp(PLANTED), labelled=1, unlabelled=0)
    model = train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="short")
    return study, model


def test_the_report_lies_beside_the_model_and_names_no_case(trained, capsys):
    study, model = trained
    page = model.with_suffix(".html").read_text(encoding="utf-8")
    for planted in (PLANTED, "case-0", "case-1", str(study.folder)):
        assert planted not in page
    assert json.loads((study.folder / "runs" / "short" / "verdict.json").read_text(encoding="utf-8"))["dice"]
    model.with_suffix(".html").unlink()
    assert main(["report", str(study.folder)]) == 0
    assert str(model.with_suffix(".html")) in capsys.readouterr().out
    assert main(["report", str(study.folder), "--name", "short", "--output", str(model)]) == 1
    assert "nothing is ever overwritten" in capsys.readouterr().err
    assert main(["report", str(study.folder), "--name", "typo"]) == 1


def test_a_model_that_was_not_written_any_more_is_written_by_going_on(trained, monkeypatch):
    study, short = trained

    class KilledError(Exception):
        pass

    def killed(*arguments, **more):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(ending, "write_model", killed)
        with pytest.raises(KilledError):
            train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="unwritten")
    assert not (study.folder / "models" / "unwritten.mmgl").exists()
    told = []
    gone_on = resume(study, "unwritten", device="cpu", on_event=told.append)
    assert not {"stage", "step"} & {event["event"] for event in told}
    first, second = read_model(short)[1], read_model(gone_on)[1]
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("step", ["tell_verdict", "tell_report"])
def test_what_is_missing_of_the_end_is_made_up_for(trained, monkeypatch, step, tmp_path):
    study, _ = trained

    class KilledError(Exception):
        pass

    def killed(*arguments, **more):
        raise KilledError

    name = f"killed-{step}"
    with monkeypatch.context() as patch:
        patch.setattr(train_module, step, killed)
        with pytest.raises(KilledError):
            train(study, method="supervised", budget=Budget(steps=1), device="cpu", name=name)
    model = study.folder / "models" / f"{name}.mmgl"
    before, folder = model.read_bytes(), study.folder / "runs" / name
    assert not ending.is_complete(folder, model)
    assert (folder / "verdict.json").exists() is (step == "tell_report")
    told = []
    assert resume(study, name, device="cpu", on_event=told.append) == model
    kinds = [event["event"] for event in told]
    assert kinds[0] == "resumed"
    assert not {"stage", "step", "model"} & set(kinds)
    assert ("verdict" in kinds) is (step == "tell_verdict")
    assert kinds[-2:] == ["report", "finished"]
    assert ending.is_complete(folder, model)
    assert model.read_bytes() == before
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    assert len(verdict["dice"]) == len(study.checks)
    with pytest.raises(MMGLError) as error:
        resume(study, name, device="cpu")
    assert error.value.key == "run.finished"


@pytest.mark.parametrize("step", ["judge", "write_json"])
def test_a_folder_that_goes_at_the_end_is_not_made_anew(trained, monkeypatch, step):
    study, _ = trained
    name, real = f"away-{step}", getattr(ending, step)
    folder = study.folder / "runs" / name

    def goes(*arguments):
        told = real(*arguments)
        folder.rename(folder.with_name(f"gone-{step}"))
        return told

    with monkeypatch.context() as patch:
        patch.setattr(ending, step, goes)
        with pytest.raises(MMGLError) as error:
            train(study, method="supervised", budget=Budget(steps=1), device="cpu", name=name)
    assert error.value.key == "job.away"
    assert not folder.exists()
    folder.with_name(f"gone-{step}").rename(folder)
    assert resume(study, name, device="cpu").with_suffix(".html").is_file()


def test_a_full_disk_at_the_report_loses_nothing(trained, monkeypatch):
    study, _ = trained

    def full(*arguments):
        raise OSError(28, "No space left on device", str(study.folder / "models" / "full.html"))

    with monkeypatch.context() as patch:
        patch.setattr(ending, "write_run_report", full)
        with pytest.raises(OSError, match="No space"):
            train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="full")
    status = json.loads((study.folder / "runs" / "full" / "status.json").read_text(encoding="utf-8"))
    assert (status["state"], status["key"]) == ("failed", "file.unwritable")
    assert resume(Study.open(study.folder), "full", device="cpu").with_suffix(".html").is_file()
