"""Jobs: what is read of a trainer that works, stops, fails, crashes, stalls, or is gone; and jobs that wait in line."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmgl.jobs import Follower, Job, Queue, Record, last_look, process
from mmgl.jobs import job as job_module
from mmgl.jobs import queue as queue_module
from mmgl.jobs.process import birth, end_tree, runs
from mmgl.jobs.record import read_status
from mmgl.messages import MMGLError

FAKE = Path(__file__).with_name("fake_trainer.py")
posix = pytest.mark.skipif(sys.platform == "win32", reason="plays with signals")


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Start the fake trainer with what is to happen to it; whatever still runs at the end is ended."""
    monkeypatch.setattr(job_module, "PROGRAM", (str(FAKE),))
    jobs = []

    def start(act, folder=tmp_path / "runs" / "Herz ♥"):
        jobs.append(Job.start(folder, [str(folder), act]))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()


def until(question, seconds=60):
    """Wait until a question is answered with something true, and return it."""
    for _ in range(int(seconds / 0.02)):
        if answer := question():
            return answer
        time.sleep(0.02)
    raise AssertionError("nothing happened")


def over(job):
    """Follow a job to its end and return all its events and its last look."""
    events = []

    def ended():
        new, look = job.poll()
        events.extend(new)
        return None if look.works else look

    look = until(ended)
    return events, look


def key_of(call):
    with pytest.raises(MMGLError) as error:
        call()
    return error.value.key


def test_a_job_that_goes_well(start):
    events, look = over(start("well"))
    assert [event["event"] for event in events] == ["step", "step", "step", "finished"]
    assert events[0]["case"] == "Müller ☤ 心"
    assert look.state == "finished"
    assert look.status["step"] == 3


def test_stop_is_heard_and_words_are_given(start):
    job = start("patient")
    until(lambda: job.look().state == "running")
    job.stop()
    events, look = over(job)
    assert events[-1]["event"] == look.state == "stopped"
    assert "Its model so far is model.mmgl" in look.words


@pytest.mark.parametrize(
    ("act", "words"),
    [("memory", "memory"), ("fault", "RuntimeError: shape mismatch"), ("full", "No space left on device")],
)
def test_a_failure_says_why(start, act, words):
    events, look = over(start(act))
    assert look.state == events[-1]["event"] == "failed"
    assert words in look.words
    assert events[-1]["key"] == look.key


@posix
def test_a_crash_is_told_by_its_signs(start):
    job = start("crash")
    _, look = over(job)
    assert (look.state, look.key) == ("lost", "job.crashed")
    assert "30%" in look.words
    assert "fake_trainer.py" in job.log_tail()  # where it crashed


@posix
def test_a_partial_line_is_passed_over_and_what_follows_is_read(start):
    job = start("partial")
    events, look = over(job)
    assert [event["event"] for event in events] == ["step"] * 3
    assert (look.state, look.key) == ("lost", "job.memory")
    events, look = over(start("well"))
    assert [event["event"] for event in events] == ["step", "step", "step", "finished"]
    assert look.state == "finished"


@posix
def test_a_process_of_ours_is_over_only_when_its_exit_status_is_there(start, monkeypatch):
    job = start("patient")
    until(lambda: job.look().state == "running")
    monkeypatch.setattr(job_module, "is_there", lambda told: False)  # as the system's list is for a moment at its end
    assert job.look().state == "running"
    os.kill(read_status(job.folder)["pid"], 9)
    _, look = over(job)
    assert (look.state, look.key) == ("lost", "job.memory")


def test_a_program_that_cannot_start_leaves_its_last_words(start):
    job = start("broken")
    _, look = over(job)
    assert look.state == "lost"
    assert "DLL load failed" in job.log_tail()


def test_a_stall_is_told_and_is_not_an_end(start):
    job = start("stall")
    until(lambda: job.look().state == "running")
    look = job.look(quiet=-1.0)
    assert look.state == "stalled"
    assert look.works
    assert "0 minutes" in look.words


def test_before_the_first_word_a_job_is_starting(start):
    job = start("mute")
    assert job.look().state == "starting"
    assert Job(job.folder).look().state == "starting"
    job.kill()
    assert job.look().state == "lost"


@posix
def test_the_whole_tree_ends(start):
    job = start("family")
    events = until(lambda: [e for e in job.poll()[0] if e["event"] == "child"])
    child = events[0]["pid"]
    born = birth(child)
    assert runs(child, born)
    Job(job.folder).kill()  # by who did not start it
    until(lambda: not runs(child, born))
    assert job.look().state == "lost"


def test_no_console_opens_where_windows_ends_a_tree(monkeypatch):
    asked = {}
    monkeypatch.setattr(process, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(process, "runs", lambda pid, born: True)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0x200, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda command, **more: asked.update(more, command=command))
    end_tree(7, "born", own_group=True)
    assert asked["command"][0] == "taskkill"
    assert asked["creationflags"] & 0x08000000


def test_one_folder_is_for_one_process(start):
    job = start("patient")
    until(lambda: job.look().state == "running")
    assert key_of(lambda: Job.start(job.folder, [])) == "job.in_use"
    record = Record(job.folder)
    assert key_of(record.__enter__) == "job.in_use"
    assert job.look().state == "running"


def test_a_job_is_found_again_after_who_started_it_died(tmp_path):
    folder = tmp_path / "run"
    code = (
        "import sys; from pathlib import Path; from mmgl.jobs import Job, job; "
        f"job.PROGRAM = ({str(FAKE)!r},); Job.start(Path({str(folder)!r}), [{str(folder)!r}, 'patient'])"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    job = Job(folder)
    until(lambda: job.look().state == "running")
    job.stop()
    events, look = over(job)
    assert look.state == "stopped"
    assert [event["event"] for event in events] == ["step", "step", "step", "stopped"]


def test_a_number_that_was_used_again_is_not_taken_for_ours(tmp_path):
    with Record(tmp_path):
        pass
    status = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    status |= {"state": "running", "pid": os.getppid(), "born": f"before {status['born']}"}  # lives, and is another one
    (tmp_path / "status.json").write_text(json.dumps(status), encoding="utf-8")
    assert Job(tmp_path).look().state == "lost"
    end_tree(os.getppid(), status["born"], own_group=False)
    with Record(tmp_path) as record:
        assert last_look(record.before).state == "lost"


def test_on_another_computer_only_silence_tells(tmp_path):
    with Record(tmp_path) as record:
        status = {**read_status(tmp_path), "host": "elsewhere"}
        (tmp_path / "status.json").write_text(json.dumps(status), encoding="utf-8")
        assert Job(tmp_path).look().state == "running"
        (tmp_path / "status.json").write_text(json.dumps(status | {"beat": 5.0}), encoding="utf-8")
        assert Job(tmp_path).look().state == "lost"
        assert not record.stop_asked()


def test_who_dies_is_not_born_again():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    assert birth(process.pid) == ""
    assert birth(os.getpid()) == birth(os.getpid()) != ""
    assert not runs(os.getpid(), "")


def test_follower_leaves_what_is_not_whole(tmp_path):
    file = tmp_path / "events.jsonl"
    follower = Follower(file)
    assert follower.read() == []
    line = json.dumps({"event": "step", "words": "Größe ☤"}, ensure_ascii=False).encode() + b"\n"
    for end in range(1, len(line)):  # cut anywhere, between the bytes of a letter too
        file.write_bytes(line + line[:end])
        follower.offset = len(line)
        assert follower.read() == []
        assert follower.offset == len(line)
    file.write_bytes(line + b"\xff\xfe rubbish\n" + b'["no event"]\n{"event": 5}\n' + line)
    follower.offset = 0
    assert [event["words"] for event in follower.read()] == ["Größe ☤"] * 2
    assert follower.offset == file.stat().st_size
    assert Follower(file, follower.offset).read() == []


def test_follower_is_not_held_up_by_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr("mmgl.jobs.follow.MOST", 64)
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"x" * 100 + b'\n{"event": "step"}\n')
    follower = Follower(file)
    assert follower.read() + follower.read() + follower.read() == [{"event": "step"}]


def test_a_queue_does_one_job_after_the_other(start, tmp_path, monkeypatch):
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    queue = Queue(tmp_path / "queue")
    for name, act in (("a", "well"), ("b", "fault"), ("c", "well"), ("d", "well")):
        folder = tmp_path / name
        queue.add(folder, [str(folder), act])
    Job(tmp_path / "c").stop()  # before its turn
    assert [turn.look().state for turn in queue.turns()] == ["waiting"] * 4
    begun = []
    first = Job.start

    def one(folder, arguments, python="", place=None):
        begun.append([turn.state for turn in queue.turns()])
        return first(folder, arguments, python=python, place=place)

    monkeypatch.setattr(Job, "start", one)
    queue.work()
    assert begun == [
        ["running", "waiting", "waiting", "waiting"],
        ["over", "running", "waiting", "waiting"],
        ["over", "over", "over", "running"],
    ]
    assert [turn.look().state for turn in queue.turns()] == ["finished", "failed", "stopped", "finished"]
    for turn in queue.turns():
        queue.forget(turn)
    assert queue.turns() == []


def test_a_second_worker_ends_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    queue = Queue(tmp_path / "queue")
    queue.add(tmp_path / "a", ["--version"])
    with queue_module.only_one(queue.folder / "worker.lock") as mine:
        assert mine
        queue.work()
        assert [turn.state for turn in queue.turns()] == ["waiting"]


def test_a_worker_of_its_own_goes_on_without_us(tmp_path):
    queue = Queue(tmp_path / "queue")
    queue.add(tmp_path / "a", ["--version"])
    queue.add(tmp_path / "b", ["study", "show", str(tmp_path / "nowhere")])
    until(lambda: all(turn.state == "over" for turn in queue.turns()))
    assert [turn.exit for turn in queue.turns()] == [0, 1]
    assert [turn.look().state for turn in queue.turns()] == ["finished", "lost"]
    assert "holds no study" in Job(tmp_path / "b").log_tail()


def test_a_worker_waits_for_the_job_that_a_killed_one_began(start, tmp_path, monkeypatch):
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    queue = Queue(tmp_path / "queue")
    folder = tmp_path / "a"
    turn = queue.add(folder, [str(folder), "patient"])
    job = start("patient", folder)
    turn.file.with_suffix(".state").write_text('{"state": "running", "exit": null}', encoding="utf-8")
    until(lambda: job.look().state == "running")
    asked = []
    monkeypatch.setattr(queue_module.time, "sleep", lambda seconds: (asked.append(1), job.stop()))
    queue.work()
    assert asked
    assert [turn.look().state for turn in queue.turns()] == ["stopped"]


def test_events_can_be_read_in_pieces(tmp_path):
    file = tmp_path / "events.jsonl"
    lines = [json.dumps({"event": "step", "step": i, "words": "☤" * 20}) + "\n" for i in range(50)]
    file.write_text("".join(lines), encoding="utf-8")
    follower, pieces = Follower(file), []
    while piece := follower.read(1000):
        pieces.append(len(piece))
    assert sum(pieces) == 50
    assert max(pieces) <= 1000 // len(lines[0])
    file.write_text("x" * 3000 + "\n" + lines[0], encoding="utf-8")  # what is damaged does not stop what follows
    follower = Follower(file)
    assert [event for _ in range(6) for event in follower.read(1000)] == [json.loads(lines[0])]


def test_a_job_can_wait_for_one_that_was_started_before(start, tmp_path, monkeypatch):
    first = start("patient")
    until(lambda: first.look().state == "running")
    queue = Queue(tmp_path / "queue")
    monkeypatch.setattr(queue, "ensure_worker", lambda python: None)
    turn = queue.add(first.folder, ["train"], python="py", running=True)
    second = queue.add(tmp_path / "second", ["segment"])
    assert (turn.state, second.state) == ("running", "waiting")
    begun = []
    monkeypatch.setattr(queue_module.Job, "start", lambda folder, *_, **__: begun.append(first.look().works))
    monkeypatch.setattr(queue_module, "POLL_SECONDS", 0.01)
    first.stop()
    with pytest.raises(AttributeError):  # the pretended start returns no job
        queue.work()
    assert begun == [False]


def test_a_job_is_taken_back_before_its_turn_and_stopped_at_work(start, tmp_path, monkeypatch):
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    queue = Queue(tmp_path / "queue")
    turns = [queue.add(tmp_path / name, [str(tmp_path / name), "patient"]) for name in "ab"]
    assert (tmp_path / "b").is_dir()  # its name is taken
    assert queue.cancel(turns[1]) is False
    assert [turn.look().state for turn in queue.turns()] == ["waiting", "stopped"]
    assert not (tmp_path / "b").exists()
    job = start("patient", tmp_path / "a")
    turns[0].file.with_suffix(".state").write_text('{"state": "running", "exit": null}', encoding="utf-8")
    until(lambda: job.look().state == "running")
    assert queue.cancel(turns[0]) is True
    assert over(job)[1].state == "stopped"
    queue.work()  # nothing is left to begin
    assert [turn.state for turn in queue.turns()] == ["over", "over"]


def test_who_does_not_stop_is_ended_the_second_time(start, tmp_path, monkeypatch):
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    queue = Queue(tmp_path / "queue")
    turn = queue.add(tmp_path / "a", [str(tmp_path / "a"), "stall"])
    job = start("stall", tmp_path / "a")
    turn.file.with_suffix(".state").write_text('{"state": "running", "exit": null}', encoding="utf-8")
    until(lambda: job.look().state == "running")
    queue.cancel(turn)
    assert job.look().works
    queue.cancel(turn)
    until(lambda: not job.look().works)


def test_a_queue_that_hangs_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(Queue, "ensure_worker", lambda self, python="": None)
    monkeypatch.setattr(queue_module, "CLAIM_SECONDS", 0.2)
    queue = Queue(tmp_path / "queue")
    turn = queue.add(tmp_path / "a", ["--version"])
    with queue_module.only_one(queue.folder / "claim.lock"):
        assert key_of(lambda: queue.cancel(turn)) == "queue.busy"


def test_paths_begin_where_the_job_was_queued(tmp_path):
    queue = Queue(tmp_path / "queue")
    queue.add(tmp_path / "a", ["study", "new", "made"], place=tmp_path)
    until(lambda: all(turn.state == "over" for turn in queue.turns()))
    assert (tmp_path / "made" / "study.json").is_file()
