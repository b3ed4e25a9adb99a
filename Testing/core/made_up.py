"""A training on a clock that a test sets: steps and checks take as long, and checks find as much, as it says."""

from dataclasses import replace
from types import SimpleNamespace

import torch

from mmgl.data.plan import make_plan
from mmgl.training import check
from mmgl.training.loop import Trainer
from mmgl.training.schedule import rate

STEP, SLOWER = 4.0, 1.2
"""Seconds of a step of the first stage of ``mmgl+``, and how many times as long one of the others takes."""


def make_up(monkeypatch):
    """Let trainings go by a clock of their own, and return what can be set."""
    world = SimpleNamespace(time=0.0, step=STEP, pace=lambda: 1.0, check=0.0, dice=lambda share: [0.8, 0.8], rates=[])
    world.learning = []  # the learning rate of each step
    clock = SimpleNamespace(monotonic=lambda: world.time, time=lambda: world.time)
    for module in ("course", "loop", "clock", "check", "budget"):
        monkeypatch.setattr(f"mmgl.training.{module}.time", clock)
    for module in ("pace", "rehearsal"):
        monkeypatch.setattr(f"mmgl.training.{module}.now", clock.monotonic)

    small = {"width": 4, "levels": 3, "batch": 2, "planes": ("axial",)}
    monkeypatch.setattr("mmgl.training.preparing.make_plan", lambda *a, **k: replace(make_plan(*a, **k), **small))

    def step(self, stage, optimiser, progress):
        world.time += world.step * world.pace() * (SLOWER if stage.name.startswith("semi") else 1)
        world.rates.append(rate(progress))
        world.learning.append(optimiser.param_groups[0]["lr"])
        weight = next(self.method.network.parameters())
        with torch.no_grad():
            weight += rate(progress) * torch.rand(1, generator=self.slices.generator)
        return {"loss": weight.sum()}

    monkeypatch.setattr(Trainer, "_step", step)
    find = check.find

    def found(*arguments):
        world.time += world.check
        return find(*arguments)

    monkeypatch.setattr(check, "find", found)
    monkeypatch.setattr(check, "means", lambda rows: world.dice(world.share()))
    return world
