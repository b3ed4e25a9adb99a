"""Orders that are nonsense, cancelled or killed, hundreds of them: nothing is left behind and no answer is wrong."""

import json
import os
import random
import signal
from pathlib import Path

import numpy as np
from test_worker import ask, is_right, key_of, make, posix, temporary, until, voxels

from mmgl.files import write_json
from mmgl.jobs import homes, scratch
from mmgl.jobs.exchange import ORDER, SCAN
from mmgl.jobs.process import birth

__all__ = ["make", "temporary"]  # fixtures

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

    monkeypatch.setattr(homes, "write_json", write)
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
    assert list(scratch.MEMORY.iterdir()) == []
    assert not {path for path in set(Path("/dev/shm").iterdir()) - shared if "mmgl" in path.name}
