"""The panel of MMGLSegment on the bench, a small model, and processes that only pretend to segment."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import slicer
from bench import IN_APPLICATION, REPOSITORY
from scenes import STRUCTURES

from mmgl.data.plan import Normalisation, Plan
from mmgl.model import Card, write_model
from MMGLLib.worker import command, environment

PLAN = Plan(
    spacing=(1.0, 1.0, 1.0), planes=("axial",), slice_size=32, normalisation=(Normalisation("scan"),), width=4, levels=2
)


def card_only(folder: Path, name="heart", **changed) -> str:
    """Write a model whose card is right and whose weights are none, and return its path."""
    card = Card(name, STRUCTURES, PLAN, "mmgl", {"labelled": 3, "unlabelled": 20}, {"Left ventricle": 0.91}, **changed)
    path = Path(folder) / f"{name}.mmgl"
    write_model(path, card, {"nothing": np.zeros(1, np.float32)})
    return str(path)


def segmented_by_core(folder: Path, scan: Path) -> tuple[str, Path]:
    """Return a model that segments by chance, and what the core, in a process of its own, makes of a scan with it."""
    program = f"""
import sys, torch
sys.path.insert(0, {str(REPOSITORY)!r})
from pathlib import Path
from mmgl.inference.files import segment_file
from mmgl.inference.predictor import Predictor, network_of
from mmgl.model import read_card, write_model
torch.manual_seed(0)
card_file, model, scan, folder = map(Path, sys.argv[1:])
card = read_card(card_file)
weights = network_of(card).state_dict()
weights = {{k: torch.zeros_like(v) if k.endswith("bias") else v for k, v in weights.items()}}
write_model(model, card, {{k: v.numpy() for k, v in weights.items()}})
segment_file(Predictor(model, "cpu"), scan, folder, "nrrd")
"""
    model = Path(folder) / "by-chance.mmgl"
    arguments = [card_only(folder, "card"), str(model), str(scan), str(folder)]
    subprocess.run([command()[0], "-c", program, *arguments], check=True, env=environment())
    return str(model), Path(folder) / f"{scan.name.split('.')[0]}.nrrd"


def open_module(name="MMGLSegment"):
    """Return the widget of a module, as it is when the user opened the module."""
    if IN_APPLICATION:
        slicer.util.selectModule(name)
        return slicer.util.getModuleWidget(name)
    from bench.application import load_module, make_widget

    code, _ = load_module(REPOSITORY / name / f"{name}.py")
    widget = make_widget(code, name)
    widget.enter()
    return widget


class PretendProcess:
    """Takes the place of the Python that runs ``-m mmgl segment``: ends at once, or when the test says so."""

    SCRIPT = """
import sys, time, pathlib
import SimpleITK as sitk
a = sys.argv
scan, output = a[a.index("segment") + 2], pathlib.Path(a[a.index("--output") + 1])
behaviour = pathlib.Path(__file__).with_suffix(".txt")
while behaviour.read_text(encoding="utf-8") == "wait":
    time.sleep(0.02)
told = behaviour.read_text(encoding="utf-8")
if told.startswith("say "):
    print("Loading", flush=True)
    print(told[4:].replace("SCAN", scan), file=sys.stderr)
    sys.exit(1)
if told == "die":
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
image = sitk.ReadImage(scan)
array = sitk.GetArrayFromImage(image)
labelmap = (array > 500) * 1 + (array > 900) * (told == "both")
painted = sitk.GetImageFromArray(labelmap.astype("uint8"))
painted.CopyInformation(image)
output.mkdir()
sitk.WriteImage(painted, str(output / "scan.nrrd"))
"""

    def __init__(self, folder: Path) -> None:
        self._script = Path(folder) / "pretend.py"
        self._script.write_text(self.SCRIPT, encoding="utf-8")
        self.will("both")

    def will(self, behaviour: str) -> None:
        """Say what it does: ``wait``, ``both``, ``one``, ``die`` or ``say WORDS``."""
        temporary = self._script.with_suffix(".new")
        temporary.write_text(behaviour, encoding="utf-8")
        temporary.replace(self._script.with_suffix(".txt"))

    def launcher(self) -> list[str]:
        """Return what runs instead of Python."""
        import sys

        return [sys.executable, str(self._script)]
