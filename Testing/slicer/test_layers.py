"""What Slicer's side of MMGL may import, read from the source: no torch in the GUI process, no Qt at the border."""

import ast
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = ("MMGLSegment", "MMGLTrain")
SOURCES = [
    *(REPOSITORY / "MMGLLib").glob("*.py"),
    *(source for module in MODULES for source in (REPOSITORY / module).rglob("*.py")),
]

LIGHT = (
    "mmgl.imaging",
    "mmgl.study",
    "mmgl.model",
    "mmgl.messages",
    "mmgl.structures",
    "mmgl.files",
    "mmgl.jobs",
    "mmgl.finding",
    "mmgl.inference.fit",
    "mmgl.inference.spikes",
    "mmgl.demo.phantom",
    "mmgl.demo.hearts",
    "mmgl.methods",
    "mmgl.training.budget",
    "mmgl.machine",
    "mmgl.wording",
)
"""Parts of the core that load no torch; the bench, where importing it is a fault, shows that it is so."""

THIRD = {
    "slicer",
    "vtk",
    "qt",
    "ctk",
    "numpy",
    "SimpleITK",
    "mmgl",
    "MMGLLib",
    "MMGLSegment",
    "MMGLSegmentLib",
    "MMGLTrainLib",
    "PyTorchUtils",
    "SampleData",
    "packaging",
}


def imported(node):
    """Return the modules a syntax tree imports, wherever in it."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            yield from (alias.name for alias in inner.names)
        elif isinstance(inner, ast.ImportFrom):
            yield inner.module


class LayersTest(unittest.TestCase):
    def test_sources_are_found(self):
        self.assertGreater(len(SOURCES), 8)

    def test_only_light_parts_of_the_core_and_only_what_slicer_has(self):
        import sys

        for source in SOURCES:
            for name in imported(ast.parse(source.read_text(encoding="utf-8"))):
                top = name.split(".")[0]
                self.assertTrue(top in THIRD or top in sys.stdlib_module_names, f"{source.name} imports {name}")
                if name.startswith("mmgl."):
                    self.assertTrue(name.startswith(LIGHT), f"{source.name} imports {name}")

    def test_only_the_module_knows_qt(self):
        for source in (REPOSITORY / "MMGLLib").glob("*.py"):
            names = set(imported(ast.parse(source.read_text(encoding="utf-8"))))
            self.assertFalse(names & {"qt", "ctk"}, source.name)

    def test_loading_the_module_imports_nothing_of_the_core(self):
        heavy = {"mmgl", "numpy", "SimpleITK", *(f"{module}Lib" for module in MODULES)}
        for module in MODULES:
            tree = ast.parse((REPOSITORY / module / f"{module}.py").read_text(encoding="utf-8"))
            for statement in tree.body:
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    for name in imported(statement):
                        self.assertNotIn(name.split(".")[0], heavy)

    def test_every_text_for_the_user_is_a_literal(self):
        for source in SOURCES:
            for call in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
                if (
                    isinstance(call, ast.Call)
                    and isinstance(call.func, ast.Name)
                    and call.func.id in ("_", "translate")
                ):
                    self.assertIsInstance(call.args[-1], ast.Constant, f"{source.name}:{call.lineno}")


if __name__ == "__main__":
    unittest.main()
