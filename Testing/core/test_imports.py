"""What may import what: torch stays out of the GUI process, data flows one way, and help answers at once."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mmgl

PACKAGE = Path(mmgl.__file__).parent
HEAVY = ("torch", "monai")

BELOW = {
    "study": {"data", "methods", "training", "networks", "losses", "inference", "evaluation", "demo"},
    "jobs": {
        "study",
        "data",
        "methods",
        "training",
        "networks",
        "losses",
        "inference",
        "evaluation",
        "demo",
        "imaging",
    },
    "imaging": {"study", "data", "methods", "training", "networks", "losses", "inference", "evaluation", "demo"},
    "data": {"methods", "training", "networks", "losses", "inference", "evaluation", "demo"},
    "networks": {"study", "data", "methods", "training", "losses", "inference", "evaluation", "demo", "imaging"},
    "losses": {"study", "data", "methods", "training", "networks", "inference", "evaluation", "demo", "imaging"},
    "methods": {"study", "training", "inference", "evaluation", "demo", "imaging"},
    "inference": {"study", "methods", "training", "losses", "evaluation", "demo"},
    "report": {"study", "data", "training", "networks", "losses", "inference", "evaluation", "demo"},
    "training": {"evaluation", "demo"},
    "evaluation": {"study", "data", "methods", "training", "networks", "losses", "inference", "demo"},
}
"""Folder: the folders it must not import. Arrows go one way; a loss knows no method, a method no file."""

SLICER = {"slicer", "qt", "vtk", "ctk"}


def imported(path):
    """Return the full names of all modules a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("folder", sorted(BELOW))
def test_data_flows_one_way(folder):
    wrong = {
        f"{path.name}: {name}"
        for path in (PACKAGE / folder).glob("**/*.py")
        for name in imported(path)
        if name.startswith("mmgl.") and name.split(".")[1] in BELOW[folder]
    }
    assert not wrong


def test_the_core_knows_no_slicer():
    wrong = {p.name: imported(p) & SLICER for p in PACKAGE.glob("**/*.py") if imported(p) & SLICER}
    assert not wrong


def test_no_work_is_given_to_worker_processes():
    """Training and segmenting are the same on every system, and nothing is left behind that would not end."""
    workers = ("multiprocessing", "torch.multiprocessing", "torch.utils.data", "concurrent.futures.process", "joblib")
    wrong = {
        str(path.relative_to(PACKAGE)): name
        for path in PACKAGE.glob("**/*.py")
        for name in imported(path)
        if name.startswith(workers)
    }
    assert not wrong
    assert not [path for path in PACKAGE.glob("**/*.py") if "ProcessPool" in path.read_text(encoding="utf-8")]


def test_monai_is_only_for_evaluation_and_the_transformer():
    users = {
        str(p.relative_to(PACKAGE)) for p in PACKAGE.glob("**/*.py") if any(n.startswith("monai") for n in imported(p))
    }
    assert users == {"evaluation/metrics.py", "networks/swin.py"}


@pytest.mark.parametrize(
    "module",
    [
        "mmgl",
        "mmgl.study",
        "mmgl.jobs",
        "mmgl.imaging.reading",
        "mmgl.model",
        "mmgl.cli",
        "mmgl.evaluation",
        "mmgl.report.run_report",
        "mmgl.messages",
    ],
)
def test_these_load_no_torch(module):
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the time that children took")
def test_help_takes_a_fraction_of_a_second_of_the_processor():
    """About 0.06 s; the time of the processor is measured, which other work on the computer hardly changes."""
    from resource import RUSAGE_CHILDREN, getrusage

    before = getrusage(RUSAGE_CHILDREN).ru_utime
    done = subprocess.run([sys.executable, "-m", "mmgl", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "train" in done.stdout
    assert getrusage(RUSAGE_CHILDREN).ru_utime - before < 0.5


def test_every_public_name_can_be_had():
    for name in mmgl.__all__:
        assert getattr(mmgl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'magic'"):
        mmgl.magic  # noqa: B018
