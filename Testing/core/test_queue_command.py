"""``mmgl queue``: what is put in line, in which words, and what is refused before the night."""

from pathlib import Path

import pytest
from phantoms import ball_study

from mmgl.cli import main
from mmgl.jobs import Queue
from mmgl.jobs import queue as queue_module


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study, and a queue that nobody works at."""
    monkeypatch.setattr(queue_module, "usual_folder", lambda: tmp_path / "queue")
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    monkeypatch.chdir(tmp_path)
    ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    return tmp_path / "study"


def test_jobs_are_put_in_line_listed_taken_back_and_forgotten(study, capsys):
    assert main(["queue"]) == 0
    assert "The queue is empty" in capsys.readouterr().out
    assert main(["queue", "add", "train", "study", "--time", "overnight"]) == 0
    assert main(["queue", "add", "train", "study", "--again"]) == 0
    assert "1 before it" in capsys.readouterr().out
    assert main(["queue", "add", "segment", "study/models/model-1.mmgl", "scans", "--output", "results"]) == 0
    first, second, third = Queue().turns()
    assert first.folder == study / "runs" / "model-1"
    assert first.arguments == ("train", "study", "--time", "overnight", "--name", "model-1")
    assert second.arguments == ("train", "study", "--again", "--name", "model-2")
    assert first.place == Path.cwd()
    assert third.arguments[-2:] == ("--record", str(third.folder))
    capsys.readouterr()
    assert main(["queue", "cancel", "2"]) == 0
    assert main(["queue", "list"]) == 0
    shown = capsys.readouterr().out
    assert "1  waits" in shown
    assert "2  stopped" in shown
    assert main(["queue", "clear"]) == 0
    assert [turn.folder for turn in Queue().turns()] == [first.folder, third.folder]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add"], "cannot wait"),
        (["add", "study", "show", "study"], "cannot wait"),
        (["add", "train", "nowhere"], "holds no study"),
        (["add", "train", "study", "--resume"], "no training"),
        (["cancel", "1"], "no job number 1"),
    ],
)
def test_mistakes_are_told_at_once(study, capsys, words, said):
    assert main(["queue", *words]) == 1
    assert said in capsys.readouterr().err
    assert Queue().turns() == []


def test_one_name_is_for_one_job(study, capsys):
    named = ["queue", "add", "train", "study", "--name", "mine"]
    assert main(named) == 0
    assert main(named) == 1
    assert "called mine already" in capsys.readouterr().err


def test_wrong_options_are_wrong_usage(study):
    with pytest.raises(SystemExit):
        main(["queue", "add", "train", "study", "--seed", "many"])
    assert Queue().turns() == []
