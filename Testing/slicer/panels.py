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


def open_module():
    """Return the widget of MMGLSegment, as it is when the user opened the module."""
    if IN_APPLICATION:
        slicer.util.selectModule("MMGLSegment")
        return slicer.util.getModuleWidget("MMGLSegment")
    from bench.application import load_module, make_widget

    code, _ = load_module(REPOSITORY / "MMGLSegment" / "MMGLSegment.py")
    widget = make_widget(code, "MMGLSegment")
    widget.enter()
    return widget
