"""Fixtures all core tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data: ``MMGL_DATA``, or ``shared/data`` beside the repository; skips where it is absent."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("MMGL_DATA", beside))
    if not folder.is_dir():
        pytest.skip("the real data sets are not on this machine")
    return folder
