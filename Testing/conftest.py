"""All tests, and all processes that they start, run without the network; see ``offline/sitecustomize.py``."""

import os
import runpy
import sys
from pathlib import Path

import pytest

OFFLINE = Path(__file__).with_name("offline")
LET_THROUGH = {"test_ranks.py", "test_neighbours.py"}
"""Processes that train together talk over the loopback, and pip binds to it to see whether there is IPv6."""

# pytest has put this folder on the path; `slicer`, a folder of tests in it, would become a part of Slicer's package
sys.path[:] = [place for place in sys.path if place != str(Path(__file__).parent)]
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(OFFLINE)]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Let the tests through that need the loopback."""
    if item.path.name in LET_THROUGH:
        os.environ["MMGL_NETWORK"] = "1"
    try:
        return (yield)
    finally:
        os.environ.pop("MMGL_NETWORK", None)


@pytest.fixture(scope="session", autouse=True)
def refused(tmp_path_factory):
    """The file in which it stands when anything that was tested asked for the network; at the end it must be empty."""
    file = tmp_path_factory.mktemp("offline") / "refused.txt"
    os.environ["MMGL_REFUSED"] = str(file)
    yield file
    os.environ.pop("MMGL_REFUSED")
    assert not file.exists(), file.read_text(encoding="utf-8")
