"""The panel of MMGLSegment on the bench with a small model, and what its tests have in common."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import slicer
from bench import IN_APPLICATION, REPOSITORY, BenchTest, module_file
from pretend import PretendRequest
from scenes import STRUCTURES, volume_of

from mmgl.data.plan import Normalisation, Plan
from mmgl.model import Card, write_model
from MMGLLib import cache, segmenting, sequences, setup, worker
from MMGLLib.worker import command, environment

PLAN = Plan(
    spacing=(1.0, 1.0, 1.0), planes=("axial",), slice_size=32, normalisation=(Normalisation("scan"),), width=4, levels=2
)


def card_only(folder: Path, name="heart", **changed) -> str:
    """Write a model whose card is right and whose weights are none, and return its path."""
    card = Card(name, STRUCTURES, PLAN, "mmgl", {"labelled": 3, "unlabelled": 20}, {"Left ventricle": 0.91}, **changed)
    path = Path(folder) / f"{name}.mmgl"
    path.unlink(missing_ok=True)
    write_model(path, card, {"nothing": np.zeros(1, np.float32)})
    return str(path)


def put_the_brush_away(test: BenchTest, editor) -> None:
    """Leave the module with a tool in the hand and come back, and require that nobody could paint meanwhile."""
    test.assertTrue(editor.shortcuts)
    editor.setActiveEffectByName("Paint")
    test.widget.exit()
    test.assertEqual(editor.mrmlSegmentEditorNode().GetActiveEffectName(), "")
    test.assertFalse(editor.observes or editor.shortcuts)
    test.widget.enter()
    test.assertTrue(editor.shortcuts)


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
        before = getattr(slicer.modules, f"{name}Widget", None)
        if before is not None and before.panel is None:  # a test has closed it
            slicer.util.reloadScriptedModule(name)
        slicer.util.selectModule(name)
        return slicer.util.getModuleWidget(name)
    from bench.application import load_module, make_widget

    code, _ = load_module(module_file(name))
    widget = make_widget(code, name)
    widget.enter()
    return widget


class PanelTest(BenchTest):
    """A test of the panel; what segments only pretends to."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        PretendRequest.fresh()
        slicer.app.settings().setValue(cache.SETTING, str(self.folder / "cache"))
        for patch in (
            mock.patch.object(segmenting, "Request", PretendRequest),
            mock.patch.object(sequences, "Request", PretendRequest),
            mock.patch.object(worker, "prepare"),
            mock.patch.object(setup, "missing", lambda: []),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.open()

    def open(self):
        """Open the module, again if it was open before."""
        self.widget = open_module()
        self.addCleanup(self.widget.cleanup)
        self.panel, self.ui = self.widget.panel, self.widget.panel.ui

    def ready(self, **changed):
        """Choose a scan and a model."""
        self.volume = volume_of()
        self.ui.scanSelector.setCurrentNode(self.volume)
        self.panel.add_model(card_only(self.folder, **changed))

    def begin(self):
        """Click Segment, and have it go on until the test says otherwise."""
        self.ready()
        self.will("wait")
        self.ui.segmentButton.click()
        self.assertEqual(self.ui.segmentButton.text, "Cancel")

    def will(self, outcome):
        """Say what comes of the scan that is being segmented."""
        PretendRequest.outcome = outcome

    def ended(self):
        self.until(lambda: self.panel.run is None, "the end of segmenting")

    def segmentations(self):
        return list(slicer.util.getNodesByClass("vtkMRMLSegmentationNode"))

    def shown(self):
        return self.ui.messageLabel.text if not self.ui.messageFrame.isHidden() else ""

    def said(self):
        """Return the message, which has a first line without numbers of machines, and Copy details with the log."""
        for machine in ("Traceback", "exit", "Error:", "/tmp", "None"):
            self.assertNotIn(machine, self.shown().splitlines()[0])
        self.assertFalse(self.ui.copyButton.isHidden())
        self.ui.copyButton.click()
        self.assertIn("MMGL 0.", slicer.app.clipboard().text())
        return self.shown()

    def action(self):
        return self.ui.actionButton.text if not self.ui.actionButton.isHidden() else ""
