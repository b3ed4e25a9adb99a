"""A process that works for hours: it stands back, and keeps the computer awake only while it works."""

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace

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


@pytest.fixture
def windows(monkeypatch):
    """Pretend to be Windows, and return what it is asked for."""
    import torch  # noqa: F401  # while this is still the system that it was built for

    asked = []

    def process():
        return 7

    kernel = SimpleNamespace(
        GetCurrentProcess=process,
        SetPriorityClass=lambda handle, priority: asked.append((handle.value, priority)),
        SetThreadExecutionState=lambda flags: asked.append(flags) or 1,
    )
    monkeypatch.setattr(ctypes, "windll", SimpleNamespace(kernel32=kernel), raising=False)
    monkeypatch.setattr(manners, "usable_cores", lambda: 1)
    monkeypatch.setattr(sys, "platform", "win32")
    return asked


def test_windows_lowers_the_priority_of_this_process(windows):
    manners.stand_back()
    assert windows == [(7, 0x4000)]


def test_windows_may_sleep_again_whatever_happened(windows):
    def work():
        with manners.awake() as asked:
            assert asked
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert windows == [0x80000001, 0x80000000]


def test_a_mac_stays_awake_as_long_as_this_process_lives(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(manners.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert manners._keeper() == ["caffeinate", "-i", "-w", str(os.getpid())]


def test_cores():
    assert 1 <= manners.usable_cores() <= (os.cpu_count() or 1)
