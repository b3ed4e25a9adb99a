"""What the processes of ``test_ranks.py`` do: a few steps of methods, alone or several together."""

import dataclasses
import sys
from pathlib import Path
from unittest.mock import patch

import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import save_file
from test_methods import PLAN
from torch import nn

from mmgl.data.cache import PreparedCase
from mmgl.data.slices import SliceSampler
from mmgl.methods import build_method
from mmgl.networks.norm import share_norms
from mmgl.ranks import added, agreed, anybody, rank
from mmgl.structures import Structure
from mmgl.training.loop import Trainer
from mmgl.training.run import Run, SilentRun

STEPS = 2
"""Of each stage."""


def learn(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Return the last gradients of every stage of a method, and its weights and statistics in the end."""
    cases = [
        PreparedCase(kind, kind, folder / f"{kind}.image.npy", labels if labels.exists() else None, (2.0, 1.0, 1.0))
        for kind in ("labelled", "unlabelled")
        for labels in [folder / f"{kind}.labelmap.npy"]
    ]
    plan = dataclasses.replace(PLAN, batch=6)
    torch.manual_seed(0)
    method = build_method(name, plan, 1)
    share_norms(method)
    make_smooth(method)
    method.train()
    slices = SliceSampler(cases, plan, torch.Generator().manual_seed(0))
    run = (SilentRun if rank() else Run)(folder / "run")
    trainer = Trainer(method, slices, [], plan, [Structure(1, "Ball", (255, 0, 0))], run, torch.device("cpu"))
    names = {parameter: name for name, parameter in method.named_parameters()}
    found = {}
    for number, stage in enumerate(method.stages):
        stage.begin()
        if stage.labeller:
            trainer.pseudo_labels.clear()
            run.folder.mkdir(exist_ok=True)
            trainer.pseudo_labels.extend(stage.labeller, 0)
        # plain steps, because AdamW takes full ones along gradients that are nothing but rounding
        optimiser = torch.optim.SGD(list(stage.parameters()), lr=0.01)
        with patch.object(F, "max_pool2d", F.avg_pool2d):
            for step in range(STEPS):
                trainer._step(stage, optimiser, 0.9 + 0.05 * step)
        found |= {f"gradient {number} {names[p]}": p.grad.clone() for p in stage.parameters()}
    return found | method.state_dict()


def make_smooth(method: nn.Module) -> None:
    """Take the kinks away: a gradient jumps where a number is a rounding above zero here and below it there."""
    for module in list(method.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU | nn.LeakyReLU):
                setattr(module, name, nn.SiLU())


def main(number: str, count: str, folder: str, *names: str) -> None:
    """Learn as process ``number`` of ``count`` and save what came out."""
    torch.set_num_threads(1)
    store = dist.FileStore(f"{folder}/store-{count}", int(count))
    dist.init_process_group("gloo", store=store, rank=int(number), world_size=int(count))
    found = {name: learn(Path(folder), name) for name in names}
    flat = {f"{name}/{key}": value.contiguous() for name, weights in found.items() for key, value in weights.items()}
    flat["agreed"] = torch.tensor(agreed([float(number), 7.0 if number == "0" else 8.0]))
    flat["anybody"] = torch.tensor([anybody(number == "1"), anybody(False)]).int()
    flat["added"] = torch.tensor(added([[1.0, 0.0] if number == "0" else [0.0, 2.0]]))
    save_file(flat, f"{folder}/found-{count}-{number}.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
