"""The public names: each has a docstring that names every parameter and every message it raises itself."""

import ast
import dataclasses
import inspect
import re
import textwrap
from enum import Enum
from pathlib import Path

import pytest

import mmgl
import mmgl.jobs
import mmgl.study

REPOSITORY = Path(__file__).resolve().parents[2]
LOGICS = (("MMGLSegment", "MMGLSegmentLogic"), ("MMGLTrain", "MMGLTrainLogic"))
OF_SLICER = {"getParameterNode"}
"""What Slicer's base class has, and says."""


def public():
    """Yield the public functions, classes and methods by name: the docstring that holds, and the source."""
    for package in (mmgl, mmgl.study, mmgl.jobs):
        for name in package.__all__:
            thing = getattr(package, name)
            if not callable(thing):
                continue
            said = inspect.getdoc(thing) or ""
            yield f"{package.__name__}.{name}", said, ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    for module, logic in LOGICS:
        text = (REPOSITORY / module / f"{module}.py").read_text(encoding="utf-8")
        (node,) = (n for n in ast.parse(text).body if isinstance(n, ast.ClassDef) and n.name == logic)
        yield logic, ast.get_docstring(node) or "", node


def functions():
    """Yield the functions, and the public methods of the classes: name, what is said, and the source."""
    for name, said, node in public():
        if isinstance(node, ast.FunctionDef):
            yield name, said, node
            continue
        for part in node.body:
            if not isinstance(part, ast.FunctionDef) or part.name in OF_SLICER:
                continue
            if part.name == "__init__":
                yield f"{name}()", said, part
            elif not part.name.startswith("_"):
                yield f"{name}.{part.name}", ast.get_docstring(part) or "", part


FUNCTIONS = {name: (said, node) for name, said, node in functions()}


def test_there_are_as_many_as_one_would_think():
    assert len(FUNCTIONS) > 80
    assert {"mmgl.train", "mmgl.Study.check", "mmgl.jobs.Job.start", "MMGLTrainLogic.startTraining"} <= set(FUNCTIONS)


@pytest.mark.parametrize(("name", "said"), [(name, said) for name, said, _ in public()])
def test_everything_says_what_it_is(name, said):
    assert re.match(r"[A-Z\"`].{10,}", said), name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_explained(name):
    said, node = FUNCTIONS[name]
    assert re.match(r"[A-Z\"`].{10,}", said), "no docstring"
    if name == "MMGLTrainLogic()":
        return  # made by Slicer
    given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    given += [extra.arg for extra in (node.args.vararg, node.args.kwarg) if extra]
    missing = [a for a in given if a not in ("self", "cls") and not re.search(rf"\b{a}\b", said, re.IGNORECASE)]
    assert not missing


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_message_that_is_raised_there_is_told(name):
    said, node = FUNCTIONS[name]
    raised = {
        call.args[0].value
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "MMGLError" and call.args
        if isinstance(call.args[0], ast.Constant)
    }
    assert not {key for key in raised if key not in said and f"{key.split('.')[0]}.*" not in said}


@pytest.mark.parametrize("package", [mmgl, mmgl.study, mmgl.jobs])
def test_every_field_is_explained(package):
    for name in package.__all__:
        thing = getattr(package, name)
        if dataclasses.is_dataclass(thing) and not issubclass(thing, Enum):
            public_fields = [f.name for f in dataclasses.fields(thing) if not f.name.startswith("_")]
            assert not [f for f in public_fields if not re.search(rf"\b{f}\b", thing.__doc__)], name


def test_the_guide_names_all_of_it():
    text = (REPOSITORY / "docs" / "scripting.md").read_text(encoding="utf-8")
    for name in mmgl.__all__:
        assert name.startswith("__") or f"`{name}`" in text, name
    for name in ("mmgl.study", "mmgl.jobs", *(logic for _, logic in LOGICS)):
        assert f"`{name}`" in text, name
