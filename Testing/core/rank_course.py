"""What the processes of a test in ``test_ranks.py`` do: train together for minutes of which each has a clock of its
own."""

import json
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from made_up import STEP, make_up

from mmgl.messages import MMGLError
from mmgl.ranks import joined, rank
from mmgl.study import Study
from mmgl.training.budget import Budget
from mmgl.training.pace import Pace
from mmgl.training.train import train

MINUTES = 10
SLOWER = 3
"""Times as slow is the clock of process 1."""

STOPPED = 30
"""Steps after which process 1 is asked to stop."""

KINDS = {"whole": lambda checks: checks / 30, "idle": lambda checks: 0.8, "stopped": lambda checks: checks / 30}
"""What the checks of a training find, by its name."""


def main(folder: str) -> None:
    """Train a model of each kind in the study, and write how many steps this process took."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as monkeypatch, joined("cpu"):
        own = Path(folder, f"taken-{rank()}.json")
        world, steps = make_up(monkeypatch), []
        world.step = STEP * (SLOWER if rank() else 1)
        monkeypatch.setattr(Pace, "stepped", lambda pace: steps.append(world.time))
        taken = {}
        for name, dice in KINDS.items():
            steps.clear()
            checks = []

            def found(share, checks=checks, dice=dice):
                checks.append(share)
                return [dice(len(checks)), 0.5]

            def stop(name=name):
                return name == "stopped" and bool(rank()) and len(steps) >= STOPPED

            world.share, world.dice = lambda: 0.0, found
            budget = Budget(minutes=MINUTES)
            with suppress(MMGLError):  # how it ended is in its folder
                train(Study.open(Path(folder)), budget=budget, device="cpu", name=name, stop=stop)
            taken[name] = len(steps)
    own.write_text(json.dumps(taken), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
