"""A process that works for hours: it stands back, and keeps the computer awake only while it works."""

import os
import subprocess
import sys

import pytest

from mmgl import manners

posix = pytest.mark.skipif(sys.platform == "win32", reason="niceness")


@posix
def test_it_stands_back():
    code = (
        "import os, torch\n"
        "from mmgl import manners\n"
        "for cores in (1, 2, 4, 16):\n"
        "    torch.set_num_threads(8)\n"
        "    manners.usable_cores = lambda: cores\n"
        "    manners.stand_back()\n"
        "    print(os.nice(0), torch.get_num_threads())\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    nice = str(max(manners.NICER, os.nice(0)))
    assert done.stdout.split() == [nice, "8", nice, "8", nice, "3", nice, "8"]


@posix
def test_the_wish_to_stay_awake_ends_with_the_work(monkeypatch):
    monkeypatch.setattr(manners, "_keeper", lambda: [sys.executable, "-c", "import sys; sys.stdin.read()"])
    started = []
    real = subprocess.Popen
    monkeypatch.setattr(manners.subprocess, "Popen", lambda *a, **k: started.append(real(*a, **k)) or started[-1])
    with manners.awake() as asked:
        assert asked
        assert started[0].poll() is None
    assert started[0].poll() is not None


@posix
def test_where_nobody_can_be_asked_it_works_all_the_same(monkeypatch):
    monkeypatch.setattr(manners, "_keeper", lambda: None)
    with manners.awake() as asked:
        assert not asked


def test_cores():
    assert 1 <= manners.usable_cores() <= (os.cpu_count() or 1)
