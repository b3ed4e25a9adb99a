"""The worker seen by who asks it: orders that go well, are cancelled, crash or are nonsense, and what is left."""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import mmgl
from mmgl.files import write_json
from mmgl.imaging.grid import Grid
from mmgl.jobs import Worker
from mmgl.jobs import worker as worker_module
from mmgl.jobs.exchange import ORDER, SCAN
from mmgl.jobs.process import birth
from mmgl.messages import MMGLError

FAKE = Path(__file__).with_name("fake_worker.py")
HOME = str(Path(mmgl.__file__).parents[1])
GRID = vars(Grid((4, 5, 6)))
posix = pytest.mark.skipif(sys.platform == "win32", reason="plays with signals")


def until(question, seconds=120):
    """Wait until a question is answered with something true, and return it."""
    for _ in range(int(seconds / 0.01)):
        if answer := question():
            return answer
        time.sleep(0.01)
    raise AssertionError("nothing happened")


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """A folder for temporary files alone; nothing is left in it at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


@pytest.fixture
def make(temporary):
    """Make workers of the pretended network; they are closed at the end."""
    workers = []

    def make(idle=300.0, command=(sys.executable, str(FAKE))):
        environment = {**os.environ, "PYTHONPATH": HOME}
        workers.append(Worker(lambda: command, lambda: environment, idle))
        return workers[-1]

    yield make
    for worker in workers:
        worker.close()


def voxels(seed=0, size=(1, 4, 5, 6)):
    return np.random.default_rng(seed).integers(0, 1000, size).astype(np.int16)


def ask(worker, name="good", array=None, **settings):
    array = voxels() if array is None else array
    return worker.ask(array, GRID, Path("model.mmgl"), name=name, settings=settings)


def labelmap_of(order):
    until(lambda: order.ended)
    labelmap = order.answer().labelmap
    order.close()
    return labelmap


def is_right(order, array):
    return np.array_equal(labelmap_of(order), (array[0] > 500).astype(np.uint8))


def key_of(call):
    with pytest.raises(MMGLError) as error:
        call()
    return error.value.key


def test_one_process_does_one_order_after_the_other(make):
    worker = make()
    first, second = ask(worker), ask(worker, array=voxels(1))
    assert second.events()[0]["stage"] == "progress.waiting"
    assert is_right(first, voxels())
    pid = worker.pid
    assert is_right(second, voxels(1))
    assert is_right(ask(worker, array=voxels(2)), voxels(2))
    assert worker.pid == pid


def test_events_come_once_and_in_order(make):
    order = ask(make())
    until(lambda: order.ended)
    stages = [(event["stage"], event["share"]) for event in order.events()]
    assert stages == [("progress.starting", 0.0), ("progress.segmenting", 0.5)]
    assert order.events() == []


@pytest.mark.parametrize("turned", [np.moveaxis(voxels(3, (4, 5, 6, 3)), -1, 0), voxels(4)[:, ::-1, :, ::2]])
def test_voxels_arrive_as_they_are_however_they_lie(make, turned):
    assert is_right(ask(make(), array=turned), turned)


def test_voxels_may_change_once_they_are_handed_over(make):
    array = voxels()
    order = ask(make(), array=array)
    wanted = array.copy()
    array[:] = 0
    assert is_right(order, wanted)


@pytest.mark.parametrize("name", ["exit", "lie", "short"])
def test_a_crash_or_a_lie_is_told_and_the_next_order_goes_well(make, name):
    worker = make()
    order = ask(worker, name)
    waiting = ask(worker)
    until(lambda: order.ended)
    assert key_of(order.answer) == "worker.died"
    assert is_right(waiting, voxels())


def test_a_worker_that_had_just_gone_is_asked_again(make):
    worker = make()
    assert is_right(ask(worker, "gone"), voxels())
    assert worker._count == 1


def test_a_process_that_cannot_start_is_told(make):
    for command in (("no such program",), (sys.executable, "-c", "raise SystemExit(0)")):
        order = ask(make(command=command))
        until(lambda order=order: order.ended)
        assert key_of(order.answer) == "worker.died"


def test_what_a_process_printed_is_kept(make):
    order = ask(make(command=(sys.executable, "-c", "import no_such_module")))
    until(lambda: order.ended)
    assert "No module named 'no_such_module'" in order.log


def test_it_ends_when_nothing_is_asked_and_starts_again(make):
    worker = make(idle=0.05)
    assert is_right(ask(worker), voxels())
    until(lambda: worker.pid is None)
    assert is_right(ask(worker, array=voxels(1)), voxels(1))


@posix
def test_cancelled_is_cancelled_at_once_and_another_is_made_ready(make):
    worker = make()
    order, waiting = ask(worker, "slow"), ask(worker)
    until(lambda: [e for e in order.events() if e["stage"] == "progress.segmenting"])
    pid, born = worker.pid, birth(worker.pid)
    order.cancel()
    assert order.ended
    assert key_of(order.answer) == "worker.cancelled"
    until(lambda: birth(pid) != born)
    assert is_right(waiting, voxels())
    until(lambda: worker.poll() or not worker._line)
    assert worker.pid not in (None, pid)


def test_a_model_is_made_ready_once(make):
    worker = make()
    for _ in range(3):
        worker.prepare(Path("model.mmgl"))
    until(lambda: worker.poll() or not worker._line)
    worker.prepare(Path("model.mmgl"))
    assert worker._count == 1
    worker.prepare(Path("other.mmgl"))
    assert worker._count == 2


WRONG = {
    "shape": [[4, 5, 6], [1, 4, 5, 0], [1, 4, 5, -6], [1, 4, 5, 6.0], [1, 4, 5, 2**40], "1456", None, [True] * 4],
    "kind": ["float16", "object", "complex64", "", None, 3, ["int16"]],
    "spacing": [[1.0, 1.0], [0.0, 1.0, 1.0], [-1.0, 1.0, 1.0], [1.0, 1.0, "1"], None, [1e999, 1.0, 1.0]],
    "origin": [[float("nan"), 0.0, 0.0], [0.0], {}, [None] * 3],
    "directions": [[], [[1.0, 0.0, 0.0]] * 2, [[1.0]] * 3, "LPS", None],
    "modality": [None, 5, "M" * 5000],
    "more": ["than there is"],
}
SETTINGS = [
    {"region": [[0, 1]] * 2},
    {"region": [[0, 1.5]] * 3},
    {"finer": 1},
    {"structures": "Heart"},
    {"filled": [5]},
    {"colour": "red"},
    {"doubt_map": None},
]


def nonsense(generator, folder, wish):
    """Write an order that cannot be done, by changing one that can."""
    kind = generator.randrange(6)
    if kind == 0:
        name = generator.choice(list(WRONG))
        wish["scan"][name] = generator.choice(WRONG[name])
    elif kind == 1:
        wish["settings"] = generator.choice(SETTINGS)
    elif kind == 2:
        wish[generator.choice(list(wish))] = generator.choice([5, [], [[]], "\0" * 5000])
    elif kind == 3:
        del wish[generator.choice(list(wish))]
    text = json.dumps(wish)
    if kind == 4:
        text = generator.choice(["", "[]", "null", "{" * 10000, text[: len(text) // 2], "\udcff", "7", '"order"'])
    elif kind == 5:
        (folder / SCAN).write_bytes(b"too few")
    (folder / ORDER).write_bytes(text.encode(errors="surrogatepass"))


def test_nonsense_is_refused_before_it_is_handed_over(make, temporary):
    worker, refused = make(), 0
    for array in (voxels()[0], voxels().astype(np.float16), voxels().astype(complex), voxels()[:, :0]):
        refused += key_of(lambda array=array: ask(worker, array=array)) == "worker.refused"
    for settings in SETTINGS:
        refused += key_of(lambda settings=settings: ask(worker, **settings)) == "worker.refused"
    assert refused == 4 + len(SETTINGS)
    assert worker.pid is None
    assert list(temporary.iterdir()) == []


@posix
def test_500_orders_that_are_nonsense_cancelled_or_killed_leave_nothing_behind(make, temporary, monkeypatch):
    """No process, no file, no segment of shared memory, and no answer but the right one."""
    worker, generator, pids, right = make(), random.Random(0), set(), 0
    shared = set(Path("/dev/shm").iterdir()) if Path("/dev/shm").is_dir() else set()

    def write(path, wish, lasting):
        write_json(path, wish, lasting=lasting) if fate != "nonsense" else nonsense(generator, path.parent, wish)

    monkeypatch.setattr(worker_module, "write_json", write)
    for number in range(500):
        array = voxels(number)
        fate = "nonsense" if number % 50 else generator.choice(["killed", "cancelled", "dropped"])
        busy = fate != "nonsense"
        order = ask(worker, "slow" if busy else "good", array=array)
        pids.add((worker.pid, birth(worker.pid)))
        if busy:
            waiting = [ask(worker, array=voxels(n)) for n in (1, 2)]
            waiting[0].cancel()
            if fate == "killed":
                os.kill(worker.pid, signal.SIGKILL)  # from outside, as the system does when memory runs out
                until(lambda order=order: order.ended)
                assert key_of(order.answer) == "worker.died"
            order.cancel() if fate == "cancelled" else order.close()
            assert order.over
            assert key_of(waiting[0].answer) == "worker.cancelled"
            waiting[1].close()
        else:
            until(lambda order=order: order.ended)
            assert key_of(order.answer) in ("worker.refused", "file.damaged")
        order.close()
        if number % 50 == 1:
            fate = "right"
            right += is_right(ask(worker, array=array), array)
    assert right == 10
    worker.close()
    until(lambda: not any(birth(pid) == born for pid, born in pids if pid))
    assert list(temporary.iterdir()) == []
    assert not {path for path in set(Path("/dev/shm").iterdir()) - shared if "mmgl" in path.name}
