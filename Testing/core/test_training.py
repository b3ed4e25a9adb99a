"""Training from a study to a model file, checks, budgets, and going on where it stopped."""

import json

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from phantoms import ball_scan, ball_study, write

from mmgl.inference.predictor import Predictor
from mmgl.jobs import Job
from mmgl.messages import CATALOGUE, MMGLError
from mmgl.model import read_model
from mmgl.study import Study, Use
from mmgl.study.prepared import prepared_size
from mmgl.training import ending
from mmgl.training.budget import Budget
from mmgl.training.loop import Trainer
from mmgl.training.rehearsal import TIMED, UNTIMED
from mmgl.training.train import resume, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study with a supervised model of 60 steps, and the events of its run."""
    study = ball_study(tmp_path_factory.mktemp("trained"))
    events = []
    model = train(study, method="supervised", budget=Budget(steps=60), device="cpu", on_event=events.append)
    return study, model, events


def test_it_learns(trained):
    _, model, _ = trained
    card, _ = read_model(model)
    assert min(card.scores.values()) > 0.8
    assert set(card.scores) == {"Shell", "Core"}


def test_the_card_says_what_it_is_made_of(trained):
    _, model, _ = trained
    card, _ = read_model(model)
    assert card.cases == {"labelled": 2, "unlabelled": 2, "check": 1}
    assert card.method == "supervised"
    assert card.name == "model-1"
    assert set(card.versions) == {"mmgl", "torch"}


def test_no_case_name_and_no_path_is_in_the_model(trained):
    study, model, _ = trained
    content = model.read_bytes()
    for planted in ("case-0", str(study.folder), "images"):
        assert planted.encode() not in content


def test_the_run_folder_tells_all(trained):
    study, model, events = trained
    folder = study.folder / "runs" / model.stem
    written = [json.loads(line) for line in (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert written == json.loads(json.dumps(events))
    kinds = [event["event"] for event in events]
    assert kinds[0] == "looking"
    assert kinds[-5:] == ["ending", "model", "verdict", "report", "finished"]
    assert {"plan", "preparing", "stage", "step", "check"} <= set(kinds)
    assert kinds.index("disk") < kinds.index("preparing")  # what it will take is said beforehand
    needed = next(event["needed_gb"] for event in events if event["event"] == "disk")
    assert needed * 1e9 == pytest.approx(prepared_size(study.folder), abs=1e6)
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["method"] == "supervised"
    for event in events:
        if event["event"] == "stage":
            assert f"stage.{event['stage']}" in CATALOGUE


def test_the_best_checkpoint_is_the_one_that_is_kept(trained):
    _, model, events = trained
    means = [np.mean(event["dice"]) for event in events if event["event"] == "check"]
    card, _ = read_model(model)
    assert np.mean(list(card.scores.values())) == pytest.approx(max(means), abs=1e-3)


def test_originals_are_untouched_and_prepared_cases_are_used_again(trained):
    study, _, _ = trained
    cache = {f: f.stat().st_mtime_ns for f in (study.folder / "cache").iterdir()}
    train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="again")
    assert {f: f.stat().st_mtime_ns for f in (study.folder / "cache").iterdir()} == cache


STOPS = {"supervised": (9,), "mmgl": (3, 7, 17), "mmgl+": (8, 11)}  # in each of the stages, or as one begins


@pytest.mark.parametrize("method", STOPS)
def test_going_on_gives_the_same_weights_as_never_stopping(tmp_path, method, monkeypatch):
    monkeypatch.setattr("mmgl.training.loop.SAVE_SECONDS", 0.0)
    study = ball_study(tmp_path)
    whole = train(study, method=method, budget=Budget(steps=20), device="cpu", name="whole", seed=5)

    class StoppedError(Exception):
        pass

    for stop_at in STOPS[method]:
        name = f"stopped-{stop_at}"
        taken = []
        step = Trainer._step

        def stopping(self, *arguments, taken=taken, stop_at=stop_at, step=step):
            if len(taken) == stop_at + (UNTIMED + TIMED) * len(self.method.stages):  # after the rehearsal
                raise StoppedError
            taken.append(1)
            return step(self, *arguments)

        with monkeypatch.context() as patch:
            patch.setattr(Trainer, "_step", stopping)
            with pytest.raises(StoppedError):
                train(study, method=method, budget=Budget(steps=20), device="cpu", name=name, seed=5)
        gone_on = resume(study, name, device="cpu")
        first, second = read_model(whole)[1], read_model(gone_on)[1]
        assert all(np.array_equal(first[k], second[k]) for k in first)


class Stopper:
    """Says yes after some steps of a training; its ``tell`` is to hear the events."""

    def __init__(self, steps, stage="segmentation"):
        self.steps, self.stage, self.asked, self.trains = steps, stage, 0, False

    def tell(self, event):
        self.trains |= event["event"] == "stage" and event["stage"] == self.stage

    def __call__(self):
        self.asked += self.trains
        return self.asked == self.steps


def test_stopping_keeps_what_was_learned_at_once(tmp_path, monkeypatch):
    study, looked_at, real = ball_study(tmp_path), [], ending.fused_cases

    def fused_cases(network, cases, *others):
        looked_at.append(len(cases))
        return real(network, cases, *others)

    monkeypatch.setattr(ending, "fused_cases", fused_cases)
    arguments = {"method": "supervised", "budget": Budget(steps=12), "device": "cpu"}
    whole = train(study, name="whole", **arguments)
    stop = Stopper(7)
    assert key_of(lambda: train(study, name="stopped", stop=stop, on_event=stop.tell, **arguments)) == "run.stopped"
    assert stop.asked == 7
    assert looked_at == [1, 0]  # no more scans are segmented while somebody waits
    usable = study.folder / "models" / "stopped-stopped.mmgl"
    assert Predictor(usable).segment(study.read_scan(study.cases[0])).shape == (16, 40, 36)
    assert not (study.folder / "models" / "stopped.mmgl").exists()
    verdict = json.loads((study.folder / "runs" / "stopped" / "verdict.json").read_text(encoding="utf-8"))
    assert (verdict["findings"][0]["key"], verdict["use"]) == ("verdict.stopped", "")
    events = []
    gone_on = resume(study, "stopped", device="cpu", on_event=events.append)
    assert min(event["step"] for event in events if event["event"] == "step") > 7
    assert next(event for event in events if event["event"] == "resumed")["state"] == "stopped"
    first, second = read_model(whole)[1], read_model(gone_on)[1]
    assert all(np.array_equal(first[k], second[k]) for k in first)
    assert usable.exists()


def test_stopping_before_it_can_segment_leaves_no_useless_model(tmp_path):
    study = ball_study(tmp_path)
    stop = Stopper(2, "global")
    arguments = {"method": "mmgl", "budget": Budget(steps=12), "device": "cpu", "stop": stop, "on_event": stop.tell}
    assert key_of(lambda: train(study, name="early", **arguments)) == "run.stopped_early"
    assert not (study.folder / "models").exists()
    assert Job(study.folder / "runs" / "early").look().state == "stopped"


def test_a_stop_file_stops_it(tmp_path):
    study = ball_study(tmp_path)
    job = Job(study.folder / "runs" / "long")

    def once_it_trains(event):
        if event["event"] == "stage":
            job.stop()

    budget = Budget(steps=100000)
    stopped = key_of(lambda: train(study, method="supervised", budget=budget, name="long", on_event=once_it_trains))
    assert stopped == "run.stopped"
    events, look = job.poll()
    assert look.state == events[-1]["event"] == "stopped"
    assert not (job.folder / "STOP").exists()
    assert [event["step"] for event in events if event["event"] == "step"] in ([], [1])


def test_what_cannot_be_gone_on_with(tmp_path):
    study = ball_study(tmp_path)
    assert key_of(lambda: resume(study, "nothing")) == "run.unknown"
    model = train(study, method="supervised", budget=Budget(steps=1), device="cpu", name="done")
    assert key_of(lambda: resume(study, "done")) == "run.finished"
    model.unlink()
    study.add_structure("Another")
    assert key_of(lambda: resume(study, "done")) == "run.changed"


def test_labels_too_small_for_the_grid(tmp_path):
    study = ball_study(tmp_path, labelled=1, checks=0, spacing=(0.2, 0.2, 0.2), size=(30, 40, 40))
    for number in range(4):
        image, _, grid = ball_scan(number, size=(30, 40, 40), spacing=(3.0, 3.0, 3.0))
        study.add_case(write(tmp_path / "coarse" / f"coarse-{number}.nii.gz", image, grid))
    _, labelmap, grid = ball_scan(0, size=(30, 40, 40), spacing=(0.2, 0.2, 0.2))
    tiny = np.zeros_like(labelmap)
    tiny[15, 20, 20] = 1
    study.set_label("case-0", write(tmp_path / "labels" / "tiny.nii.gz", tiny, grid), {"1": "Shell"})
    assert key_of(lambda: train(study, budget=Budget(steps=1), device="cpu")) == "study.labels_too_small"


def test_the_same_seed_gives_the_same_model_and_another_seed_another(tmp_path):
    study = ball_study(tmp_path)
    weights = [
        read_model(train(study, method="mmgl", budget=Budget(steps=12), device="cpu", seed=seed, name=str(i)))[1]
        for i, seed in enumerate((1, 1, 2))
    ]
    assert all(np.array_equal(weights[0][k], weights[1][k]) for k in weights[0])
    assert not all(np.array_equal(weights[0][k], weights[2][k]) for k in weights[0])


def test_minutes_become_steps_and_are_kept(tmp_path):
    study = ball_study(tmp_path)
    events = []
    train(study, method="mmgl", budget=Budget(minutes=0.1), device="cpu", on_event=events.append)
    steps = {event["stage"]: event["steps"] for event in events if event["event"] == "stage"}
    assert all(count >= 1 for count in steps.values())
    training = [event["time"] for event in events if event["event"] in ("stage", "step", "check")]
    assert training[-1] - training[0] < 40  # 6 s asked for; a shared machine may be slower than when it was timed


def test_a_long_stage_shows_what_it_finds_between_its_checks(tmp_path, monkeypatch):
    study, weights = ball_study(tmp_path), []
    monkeypatch.setattr("mmgl.training.course.CHECKS", 1)
    for name, seconds, shown in (("often", 0.0, [1, 2, 3]), ("seldom", 1e9, [3])):
        monkeypatch.setattr("mmgl.training.loop.SHOW_SECONDS", seconds)
        events = []
        model = train(
            study, method="supervised", budget=Budget(steps=3), device="cpu", name=name, on_event=events.append
        )
        files = [event["file"] for event in events if event["event"] == "preview"]
        assert files == [f"previews/segmentation-{step:07d}.png" for step in shown]
        assert [event["step"] for event in events if event["event"] == "check"] == [3]
        weights.append(read_model(model)[1])
    assert all(np.array_equal(weights[0][k], weights[1][k]) for k in weights[0])


def test_without_check_cases_the_last_network_is_kept(tmp_path):
    study = ball_study(tmp_path, checks=0)
    model = train(study, method="supervised", budget=Budget(steps=4), device="cpu")
    assert read_model(model)[0].scores == {}
    previews = sorted((study.folder / "runs" / model.stem / "previews").iterdir())
    assert [file.name for file in previews] == [f"segmentation-{step:07d}.png" for step in range(1, 5)]
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(previews[0]))).shape == (32, 29, 3)  # one slice of a scan
    assert not (study.folder / "runs" / model.stem / "best.safetensors").exists()


def test_what_is_left_out_is_not_trained_on(tmp_path):
    study = ball_study(tmp_path, labelled=3)
    study.set_use("case-2", Use.LEAVE_OUT)
    model = train(study, method="supervised", budget=Budget(steps=1), device="cpu")
    assert read_model(model)[0].cases["labelled"] == 2


def test_an_unlabelled_scan_that_cannot_be_read_is_told_of_and_left_out(tmp_path):
    study = ball_study(tmp_path)
    (tmp_path / "images" / "case-2.nii.gz").write_bytes(b"broken")
    events = []
    train(study, method="supervised", budget=Budget(steps=1), device="cpu", on_event=events.append)
    skipped = [event for event in events if event["event"] == "skipped"]
    assert {event["case"] for event in skipped} == {"case-2"}
    (tmp_path / "images" / "case-1.nii.gz").write_bytes(b"broken")
    assert key_of(lambda: train(study, method="supervised", budget=Budget(steps=1))) == "check.failed"


def key_of(call):
    with pytest.raises(MMGLError) as error:
        call()
    return error.value.key


def test_what_cannot_be_trained(tmp_path, monkeypatch):
    empty = Study.create(tmp_path / "empty")
    budget = Budget(steps=1)
    assert key_of(lambda: train(empty, budget=budget)) == "study.no_labels"
    study = ball_study(tmp_path)
    assert key_of(lambda: train(study, budget=budget, method="magic")) == "method.unknown"
    assert key_of(lambda: train(study, budget=budget, device="tpu")) == "device.unknown"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert key_of(lambda: train(study, budget=budget, device="cuda")) == "device.no_cuda"
    train(study, budget=budget, method="supervised", device="cpu", name="taken")
    assert key_of(lambda: train(study, budget=budget, name="taken")) == "file.exists"
    assert key_of(lambda: train(study, budget=budget, name="../../elsewhere")) == "run.name"


@pytest.mark.parametrize(("steps", "minutes"), [(None, None), (5, 5.0), (0, None), (None, -1.0), (None, float("nan"))])
def test_impossible_budgets(steps, minutes):
    assert key_of(lambda: Budget(steps, minutes)) == "budget.invalid"


def test_a_study_of_pictures(tmp_path):
    generator = np.random.default_rng(0)
    study = Study.create(tmp_path / "study")
    for number in range(3):
        y, x = np.indices((50, 70 + number))
        polyp = (y - 25) ** 2 + (x - 30 - 5 * number) ** 2 < 144
        colours = np.where(polyp[..., None], (180, 60, 50), (90, 50, 60)) + generator.normal(0, 8, (*polyp.shape, 3))
        sitk.WriteImage(
            sitk.GetImageFromArray(colours.clip(0, 255).astype(np.uint8), isVector=True),
            str(tmp_path / f"{number}.png"),
        )
        sitk.WriteImage(sitk.GetImageFromArray(polyp.astype(np.uint8) * 255), str(tmp_path / f"{number}_mask.png"))
        study.add_case(
            tmp_path / f"{number}.png",
            label=tmp_path / f"{number}_mask.png",
            meanings={"255": "Polyp"},
            use=Use.CHECK if number == 2 else Use.TRAIN,
        )
    model = train(study, method="supervised", budget=Budget(steps=25), device="cpu")
    card, _ = read_model(model)
    assert card.plan.pictures
    assert card.plan.channels == 3
    assert card.scores["Polyp"] > 0.7
