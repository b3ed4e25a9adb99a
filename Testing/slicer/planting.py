"""Mistakes planted one by one in a copy of a module: the bench must catch every one of them."""

from __future__ import annotations

import shutil
import sys
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import test_layers
from bench import REPOSITORY

Mistake = tuple[str, str, str]
"""File, what stands there, and what a hurried person makes of it."""

BOTH = (
    "a property that is misspelt",
    "a signal that is misspelt",
    "a slot that is not there",
    "a signature without its star",
    "a signal with other arguments",
    "a property of the form that is not there",
    "a class of the form that is not there",
    "a widget renamed in the form alone",
    "a parameter that is misspelt",
    "torch in the GUI process",
    "the core imported when the module loads",
    "observers left behind",
    "a timer or a process left behind",
    "an observer with too few arguments",
    "sleeping in a slot",
    "events inside a slot",
    "a dialog nobody can answer",
    "a name that only the wheel has",
    "an enum compared to a number",
    "a property called as a method",
    "a new attribute on a widget",
    "a text that cannot be translated",
)
"""What is planted in both modules; each has its own mistakes besides."""


class Planting:
    """The part of a test case that plants; the class says in which module and how that is used.

    Attributes:
        module: its name.
        mistakes: by what they are.
        timers: of the panels that ``use`` makes; those that run are stopped after each mistake.
    """

    module: ClassVar[str]
    mistakes: ClassVar[Mapping[str, Mistake]]

    def setUp(self) -> None:
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.copies, self.timers = Path(folder.name), []

    def use(self, code: Any) -> None:
        """Use the module as a user does, and raise whatever is wrong with it.

        Args:
            code: the module, loaded from the copy.
        """
        raise NotImplementedError

    def begin_again(self) -> None:
        """Put back what using the module has changed."""

    def test_without_a_mistake_all_is_well(self) -> None:
        self.go_through(self.copy("right"))

    def test_every_planted_mistake_is_caught(self) -> None:
        self.assertEqual(set(BOTH) - set(self.mistakes), set())
        for number, (name, (file, right, wrong)) in enumerate(self.mistakes.items()):
            with self.subTest(name):
                copy = self.copy(str(number))
                text = (copy / file).read_text(encoding="utf-8")
                self.assertIn(right, text)
                (copy / file).write_text(text.replace(right, wrong), encoding="utf-8")
                with self.assertRaises(Exception, msg="nobody noticed"):  # noqa: B017 - whatever kind it is
                    self.go_through(copy)

    def copy(self, name: str) -> Path:
        """Return a copy of the module and of what it shares, beside the core that the tests have."""
        for part in ("MMGLLib", self.module):
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(REPOSITORY / part, self.copies / name / part, ignore=leave)
        (self.copies / name / "mmgl").symlink_to(REPOSITORY / "mmgl", target_is_directory=True)
        return self.copies / name

    def go_through(self, copy: Path) -> None:
        """Use a copy, look at its sources, and raise whatever is wrong with it."""
        from bench import faults, start
        from bench.application import load_module

        start.fresh()
        self.begin_again()
        ours = ("MMGLLib", self.module, f"{self.module}Lib")
        shown = {name: module for name, module in sys.modules.items() if name.split(".")[0] in ours}
        for name in shown:
            del sys.modules[name]
        path = [str(copy), str(copy / self.module), *sys.path]
        try:
            with mock.patch.object(sys, "path", path), mock.patch.object(sys, "dont_write_bytecode", True):
                code, _ = load_module(copy / self.module / f"{self.module}.py")
                self.use(code)
            faults.raise_first()
            self.look_at_layers(copy)
        finally:
            while self.timers:
                self.timers.pop().stop()  # a mistake may leave it running, into the next test
            faults.kept.clear()
            for name in [name for name in sys.modules if name.split(".")[0] in ours]:
                del sys.modules[name]
            sys.modules.update(shown)

    def look_at_layers(self, copy: Path) -> None:
        """Raise where the sources of a copy import what they must not, or have texts that cannot be translated."""
        sources = [source for part in ("MMGLLib", self.module) for source in (copy / part).rglob("*.py")]
        with mock.patch.multiple(test_layers, REPOSITORY=copy, SOURCES=sources, MODULES=(self.module,)):
            outcome = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(test_layers.LayersTest).run(outcome)
            self.assertTrue(outcome.wasSuccessful(), outcome.failures)
