"""Several processes train as one: the same gradients and weights, one writer, and words when one of them ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rank_worker import learn
from safetensors.torch import load_file
from test_slices import prepared

from mmgl import ranks
from mmgl.messages import MMGLError

HERE = Path(__file__).resolve().parent

NAMES = ("supervised", "mmgl", "mean-teacher", "bcp", "unimatch")
"""Every way in which a method uses its networks; the others use them in one of these ways."""


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


def test_weights_never_drift_apart_between_processes(found):
    _, first, second = found
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_more_processes_than_slices_are_refused(monkeypatch):
    monkeypatch.setattr(ranks, "world", lambda: 3)
    with pytest.raises(MMGLError) as caught:
        ranks.divided(lambda x: x, torch.zeros(2, 1))
    assert caught.value.key == "ranks.batch"
