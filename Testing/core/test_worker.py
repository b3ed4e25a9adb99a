"""The worker seen by who asks it: orders that go well, are cancelled, crash or are nonsense, and what is left."""

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import mmgl
from mmgl.imaging.grid import Grid
from mmgl.jobs import Worker, homes, scratch
from mmgl.jobs.process import birth
from mmgl.messages import MMGLError

FAKE = Path(__file__).with_name("fake_worker.py")
HOME = str(Path(mmgl.__file__).parents[1])
GRID = vars(Grid((4, 5, 6)))
in_memory = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a folder in memory")
posix = pytest.mark.skipif(sys.platform == "win32", reason="plays with signals")


def until(question, seconds=900):
    """Wait until a question is answered with something true, and return it."""
    for _ in range(int(seconds / 0.01)):
        if answer := question():
            return answer
        time.sleep(0.01)
    raise AssertionError("nothing happened")


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    """A folder for temporary files alone, and one for those in memory; nothing is left in them at the end."""
    folder, memory = tmp_path / "temporary", tmp_path / "memory"
    folder.mkdir()
    memory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr(scratch, "MEMORY", memory)
    yield folder
    assert list(folder.iterdir()) == list(memory.iterdir()) == []


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


@pytest.mark.parametrize(
    "turned", [np.moveaxis(voxels(3, (4, 5, 6, 3)), -1, 0), voxels(4)[:, ::-1, :, ::2], voxels(5).astype(">i2")]
)
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


def test_what_may_spoil_the_result_is_known_before_the_work(make):
    order = ask(make(), "slow")
    assert order.fit is None
    until(lambda: [e for e in order.events() if e["stage"] == "progress.segmenting"])
    assert order.fit == [{"key": "fit.intensity", "parameters": {"channel": 1}}]
    assert not order.over
    order.close()


@in_memory
def test_scans_go_through_memory_where_there_is_room_and_else_over_the_disk(make, temporary, monkeypatch):
    worker, full, write = make(), [False], homes.write_array
    fits, large = voxels(1), voxels(2, (1, 5, 5, 6))
    needed = [array.nbytes + homes.LARGEST_ANSWER * array.size for array in (fits, large)]
    monkeypatch.setattr(scratch, "_free_memory", lambda: scratch.TIMES * needed[0])
    assert needed[1] > needed[0]

    def write_where_there_is_room(path, array):
        if full[0] and temporary not in path.parents:
            raise OSError(28, "No space left on device")
        write(path, array)

    monkeypatch.setattr(homes, "write_array", write_where_there_is_room)
    orders = [ask(worker, array=fits), ask(worker, array=large)]
    full[0] = True
    orders.append(ask(worker, array=fits))
    assert [temporary in order.folder.parents for order in orders] == [False, True, True]
    assert all(is_right(order, array) for order, array in zip(orders, (fits, large, fits), strict=True))


@in_memory
def test_without_a_folder_in_memory_all_goes_over_the_disk(make, temporary, monkeypatch):
    monkeypatch.setattr(scratch, "MEMORY", temporary / "not there")
    order = ask(make())
    assert temporary in order.folder.parents
    assert is_right(order, voxels())


@posix
def test_what_is_made_ready_is_given_up_and_what_is_ready_or_asked_for_is_not(make):
    worker = make()
    worker.prepare(Path("model.mmgl"))
    until(lambda: worker.poll() or not worker._line)
    pid = worker.pid
    worker.rest()
    assert worker.pid == pid
    worker.prepare(Path("slow"))
    order = ask(worker, array=voxels(1))
    born = birth(pid)
    worker.rest()
    until(lambda: birth(pid) != born)
    assert is_right(order, voxels(1))


def test_a_model_is_made_ready_once(make):
    worker = make()
    for _ in range(3):
        worker.prepare(Path("model.mmgl"))
    until(lambda: worker.poll() or not worker._line)
    worker.prepare(Path("model.mmgl"))
    assert worker._count == 1
    worker.prepare(Path("other.mmgl"))
    assert worker._count == 2
