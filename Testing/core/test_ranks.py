"""Several processes train as one: the same gradients and weights, one writer, and words when one of them ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rank_course
import rank_memory
import torch
from made_up import SLOWER, STEP
from phantoms import ball_study
from rank_worker import learn
from safetensors.torch import load_file
from test_slices import prepared

from mmgl import ranks
from mmgl.commands.train import _asked_to_stop
from mmgl.files import read_json
from mmgl.inference.predictor import Predictor
from mmgl.jobs import Job
from mmgl.messages import MMGLError
from mmgl.model import read_card
from mmgl.training.train import resume

HERE = Path(__file__).resolve().parent

NAMES = ("supervised", "mmgl", "mean-teacher", "unimatch", "mmgl+")
"""The usual method, and every way in which a method uses its networks; the others use them in one of these ways."""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the methods learned in one process, and in each of two."""
    folder = tmp_path_factory.mktemp("ranks")
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    prepared(folder, "labelled", (12, 30, 40), box)
    prepared(folder, "unlabelled", (9, 14, 50))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    command = [sys.executable, str(HERE / "rank_worker.py")]
    workers = [subprocess.Popen([*command, str(i), "2", str(folder), *NAMES], env=environment) for i in range(2)]
    alone = {f"{name}/{key}": value for name in NAMES for key, value in learn(folder, name).items()}
    assert [worker.wait() for worker in workers] == [0, 0]
    return alone, *(load_file(folder / f"found-2-{i}.safetensors") for i in range(2))


def distance(first, second, keys):
    """Return how far apart two sets of tensors are, as a share of their length."""
    keys = list(keys)
    assert keys
    apart = sum(float((first[k].double() - second[k].double()).square().sum()) for k in keys)
    return (apart / sum(float(first[k].double().square().sum()) for k in keys)) ** 0.5


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_have_the_gradients_of_one(found, name):
    alone, first, _ = found
    stages = {key.split()[1] for key in alone if key.startswith(f"{name}/gradient")}
    for stage in stages:
        assert distance(alone, first, (k for k in alone if k.startswith(f"{name}/gradient {stage}"))) < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_have_the_weights_and_statistics_of_one(found, name):
    alone, first, _ = found
    weights = [k for k in alone if k.startswith(f"{name}/") and "gradient" not in k]
    assert distance(alone, first, weights) < 1e-5


def test_the_first_process_decides_and_any_may_ask_to_stop(found):
    for own in found[1:]:
        assert own["agreed"].tolist() == [0.0, 7.0]  # what process 0 said
        assert own["anybody"].tolist() == [1, 0]
        assert own["added"].tolist() == [[1.0, 2.0]]


def test_weights_never_drift_apart_between_processes(found):
    _, first, second = found
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_more_processes_than_slices_are_refused(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 3)
    with pytest.raises(MMGLError) as caught:
        ranks.divided(lambda x: x, torch.zeros(2, 1))
    assert caught.value.key == "ranks.batch"


def test_each_process_augments_its_share_only(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 3)
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    monkeypatch.setattr(ranks, "_gathered", lambda rows, sizes: (rows.tolist(), sizes))
    assert ranks.shared(lambda part: [torch.arange(8)[part]], 8) == [([3, 4, 5], (3, 3, 2))]
    (all_of_few,) = ranks.shared(lambda part: [torch.arange(2)[part]], 2)
    assert all_of_few.tolist() == [0, 1]


def test_alone_a_process_does_as_if_the_others_were_there(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 2)
    monkeypatch.setattr(ranks, "rank", lambda: 0)
    weight = torch.ones(1, requires_grad=True)
    with ranks.alone():  # there is nobody: any word to the others would fail
        result = ranks.divided(lambda part: part * weight, torch.tensor([1.0, 2.0]))
        assert result.tolist() == [1, 1]
        result.sum().backward()
        ranks.average_gradients([weight])
        assert weight.grad.tolist() == [1]
    with pytest.raises(ValueError, match="process group"):
        ranks.total(weight)


@pytest.mark.parametrize("torchrun", [True, False])
def test_torchrun_may_ask_to_stop_twice(monkeypatch, torchrun):
    heard = []
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    if not torchrun:
        monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    number = signal.SIGTERM if torchrun else signal.SIGINT
    before = signal.signal(number, lambda *_: heard.append(1))
    try:
        with _asked_to_stop() as stop:
            assert not stop()
            signal.raise_signal(number)
            assert stop()
            assert not heard
            signal.raise_signal(number)
        assert len(heard) == (0 if torchrun else 1)
        signal.raise_signal(number)
        assert len(heard) == (1 if torchrun else 2)
    finally:
        signal.signal(number, before)


def started(*command):
    """Start Python twice with a command line, as torchrun does, and return the processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"TORCHELASTIC_RUN_ID": "test", "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, *map(str, command)],
            env={**os.environ, **common, "RANK": str(i), "LOCAL_RANK": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        for i in range(2)
    ]


def once_it_trains(job, processes):
    """Wait for the first step of a training; the end is there only so that a fault cannot wait for ever."""
    end = time.monotonic() + 1800
    while not any(event["event"] == "step" for event in job.poll()[0]):
        assert time.monotonic() < end
        assert all(process.poll() is None for process in processes)
        time.sleep(0.1)


def test_one_writes_and_a_lost_one_ends_all_with_words_and_one_alone_can_go_on(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=1, checks=0)
    job = Job(study.folder / "runs" / "long")
    options = ("--method", "supervised", "--steps", 100000, "--name", "long", "--device", "cpu")
    leader, helper = started("-m", "mmgl", "train", study.folder, *options)
    once_it_trains(job, (leader, helper))
    helper.kill()
    assert "Learning to segment" not in helper.communicate()[0]
    assert "Another process of this training has ended" in leader.communicate()[0]
    assert leader.returncode == 1
    assert (job.look().state, job.look().key) == ("failed", "ranks.lost")
    trains = []
    with pytest.raises(MMGLError) as caught:
        resume(study, "long", device="cpu", on_event=trains.append, stop=lambda: trains[-1]["event"] == "step")
    assert caught.value.key == "run.stopped"
    assert Predictor(caught.value.parameters["model"]).segment(study.read_scan(study.cases[0])).shape == (16, 40, 36)


def test_where_the_memory_of_one_is_too_small_all_begin_anew_with_less(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=1, checks=0)
    processes = started(HERE / "rank_memory.py", study.folder)
    words = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], words
    events = Job(study.folder / "runs" / "together").poll()[0]
    batches = [event["batch"] for event in events if event["event"] == "fits"]
    assert batches[0] > rank_memory.FITS >= batches[-1] >= 2
    assert read_card(study.folder / "models" / "together.mmgl").plan.batch == batches[-1]


def test_by_the_clock_of_the_first_all_take_as_many_steps_and_end_together(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=1)
    processes = started(HERE / "rank_course.py", study.folder)
    words = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], words
    first, second = (read_json(study.folder / f"taken-{number}.json") for number in range(2))
    assert first == second
    jobs = {name: Job(study.folder / "runs" / name) for name in rank_course.KINDS}
    told = {name: job.poll() for name, job in jobs.items()}
    assert {name: look.state for name, (_, look) in told.items()} == {
        "whole": "finished",
        "idle": "finished",
        "stopped": "stopped",
    }
    idle = {name: sum(event["event"] == "idle" for event in events) for name, (events, _) in told.items()}
    assert idle == {"whole": 0, "idle": 2, "stopped": 0}
    stages = [event for event in told["whole"][0] if event["event"] == "stage"]
    assert len(stages) == 3
    seconds = 60 * rank_course.MINUTES
    assert first["whole"] == pytest.approx(seconds * (0.5 / STEP + 0.5 / (SLOWER * STEP)), rel=0.1)
    assert first["idle"] < 0.8 * first["whole"]
    assert first["stopped"] == rank_course.STOPPED
