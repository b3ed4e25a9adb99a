"""The test case all tests of the modules build on, on the bench and in the application."""

from __future__ import annotations

import sys
import unittest

import slicer

from bench import IN_APPLICATION

on_bench_only = unittest.skipIf(IN_APPLICATION, "asks the bench itself, which the application does not need")


class BenchTest(unittest.TestCase):
    """A test that begins with an empty scene and fails for anything that went wrong in a slot meanwhile."""

    def setUp(self) -> None:
        if IN_APPLICATION:
            slicer.mrmlScene.Clear()
        else:
            from bench import start

            start.fresh()
            for name in ("torch", "monai"):  # importing one is a fault
                self.addCleanup(_put_back, name, sys.modules.get(name))
                sys.modules[name] = None

    def tearDown(self) -> None:
        if not IN_APPLICATION:
            from bench import faults

            faults.raise_first()

    def until(self, condition, what: str, seconds: float = 1800.0) -> None:
        """Let events run until ``condition()`` holds.

        The limit is only there so that a fault ends at all: on a busy computer a process takes minutes to start.
        """
        import time

        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"{what} did not happen")
            slicer.app.processEvents()
            time.sleep(0.005)


def _put_back(name, module) -> None:
    """Let a module be imported again; all others stay as they are."""
    sys.modules.pop(name)
    if module is not None:
        sys.modules[name] = module
