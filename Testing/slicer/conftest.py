"""Starts the bench before any test is imported; where it cannot run, each file of tests says so and is skipped."""

import sys
import unittest
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
try:
    import bench  # noqa: F401
except unittest.SkipTest as error:
    REASON = str(error)

    class SkippedFile(pytest.Module):
        """A file whose imports cannot work here."""

        def collect(self):
            pytest.skip(REASON, allow_module_level=True)

    def pytest_pycollect_makemodule(module_path, parent):
        """Skip a file of tests, with the reason."""
        return SkippedFile.from_parent(parent, path=module_path)
