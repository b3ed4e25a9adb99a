"""Model files for the tests, with random weights or with weights that know the answer; no training."""

from pathlib import Path

import torch

from mmgl.data.facts import Ranges
from mmgl.data.plan import Normalisation, Plan
from mmgl.inference.predictor import Predictor, network_of
from mmgl.model import Card, write_model
from mmgl.structures import Structure

STRUCTURES = (Structure(1, "Shell", (200, 0, 0)), Structure(2, "Core", (0, 200, 0)))
RANGES = Ranges(
    spacing=((2.0, 2.0), (1.0, 1.0), (1.0, 1.0)),
    extent=((32.0, 32.0), (40.0, 40.0), (36.0, 36.0)),
    modalities=("MR",),
    brightness=((0.2, 0.6),),
    values=((0.0, 200.0),),
)


def random_model(path: Path, plan: Plan | None = None, structures=STRUCTURES, seed: int = 0) -> Path:
    """Write a model of random weights whose norms have seen something, and return its file."""
    plan = plan or Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=3, scans=RANGES)
    card = Card("random", structures, plan, "supervised")
    torch.manual_seed(seed)
    network = network_of(card)
    network.train()(torch.randn(4, plan.channels, 32, 32))
    network.eval()
    with torch.no_grad():  # so that every structure is found somewhere
        logits = network(torch.randn(8, plan.channels, 32, 32))
        last = network.classifiers[0]
        scale = 3 / logits.std((0, 2, 3))
        last.weight.mul_(scale[:, None, None, None])
        last.bias.copy_((last.bias - logits.mean((0, 2, 3))) * scale)
    write_model(path, card, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


def predictor(folder: Path, **plan) -> Predictor:
    """Return a predictor with a random model."""
    return Predictor(random_model(folder / "random.mmgl", **plan), "cpu")
