"""Whoever dies, nothing stays: the worker ends with who asked it, and its folder is removed by whoever is left."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from test_worker import FAKE, HOME, until

from mmgl.jobs import scratch
from mmgl.jobs.process import birth

posix = pytest.mark.skipif(sys.platform == "win32", reason="plays with signals")

PARENT = """
import json, os, sys, time
import numpy as np
from pathlib import Path
from mmgl.imaging.grid import Grid
from mmgl.jobs import Worker, scratch
from mmgl.jobs.process import birth
worker = Worker(lambda: [sys.executable, sys.argv[1]], lambda: os.environ)
scratch.MEMORY = Path(sys.argv[3])
array = np.arange(120, dtype=np.int16).reshape(1, 4, 5, 6)
order = worker.ask(array, vars(Grid((4, 5, 6))), Path("model.mmgl"), name=sys.argv[2])
while sys.argv[2] == "slow" and not [e for e in order.events() if e["share"]]:
    time.sleep(0.01)
print(json.dumps([worker.pid, birth(worker.pid), [str(home) for home in worker._homes.folders]]), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def memory(monkeypatch):
    """What is kept in memory is kept in a folder of its own there, which goes at the end."""
    if not scratch.in_memory():
        yield
        return
    with tempfile.TemporaryDirectory(dir=scratch.MEMORY) as folder:
        monkeypatch.setattr(scratch, "MEMORY", Path(folder))
        yield


def start_parent(folder, name):
    """Start a process that has started a worker, and return it with the worker's number, birth and folders."""
    environment = {**os.environ, "PYTHONPATH": HOME, "TMPDIR": str(folder), "TEMP": str(folder)}
    command = [sys.executable, "-c", PARENT, str(FAKE), name, str(scratch.MEMORY)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    parent = subprocess.Popen(command, env=environment, **pipes)
    pid, born, homes = json.loads(parent.stdout.readline())
    assert birth(pid) == born
    return parent, pid, born, [Path(home) for home in homes]


def end(parent):
    parent.kill()
    parent.communicate()


@posix
@pytest.mark.parametrize("name", ["good", "slow"])
def test_who_asked_is_killed_while_it_starts_or_works(tmp_path, name):
    parent, pid, born, homes = start_parent(tmp_path, name)
    assert {home.parent for home in homes} == {tmp_path, *([scratch.MEMORY] if scratch.in_memory() else [])}
    end(parent)
    until(lambda: birth(pid) != born)
    assert not any(home.exists() for home in homes)


@posix
def test_when_both_are_killed_the_next_one_tidies_up(tmp_path, monkeypatch):
    parent, pid, _, homes = start_parent(tmp_path, "slow")
    os.kill(pid, signal.SIGSTOP)  # so that it cannot do anything any more
    end(parent)
    os.kill(pid, signal.SIGKILL)
    assert all(home.exists() for home in homes)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    until(lambda: birth(pid) == "")
    *_, folder = scratch.make()
    assert list(tmp_path.iterdir()) == [folder]
    assert not any(home.exists() for home in homes)


def test_what_belongs_to_others_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    *_, mine = scratch.make()
    owner = json.loads((mine / scratch.OWNER).read_text(encoding="utf-8"))
    theirs = {"elsewhere": {**owner, "host": "elsewhere", "pid": 1}, "new": None, "damaged": "{"}
    for name, told in theirs.items():
        folder = tmp_path / f"{scratch.PREFIX}{name}"
        folder.mkdir()
        if told is not None:
            (folder / scratch.OWNER).write_text(json.dumps(told) if name != "damaged" else told, encoding="utf-8")
    before = set(tmp_path.iterdir())
    assert before <= set(tmp_path.iterdir())
    *_, other = scratch.make()
    assert set(tmp_path.iterdir()) == before | {other}
    os.utime(tmp_path / f"{scratch.PREFIX}new", (0, 0))
    assert all(folder.exists() for folder in scratch.make())
    assert not (tmp_path / f"{scratch.PREFIX}new").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="rights are other there")
def test_nobody_else_can_look_into_the_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in scratch.make())


def test_the_folder_of_who_lives_on_is_left_to_him(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(scratch, "PATIENCE", 0.0)
    folders = scratch.make()
    scratch.leave(folders)
    assert all(folder.exists() for folder in folders)
