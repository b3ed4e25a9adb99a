"""What a method is made of: stages, each a loss on batches it asks for. The training loop knows nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor, nn

from mmgl.data.augment import Spatial, apply_intensity, apply_spatial, sample_intensity, sample_spatial
from mmgl.data.plan import Plan
from mmgl.data.slices import Slices, SliceSampler
from mmgl.networks.unet import UNet
from mmgl.ranks import shared

CALM, HURRY = 0.5, 10.0
"""Where a trained network learns on, all of it learns at the first multiple of the learning rate. Where there are new
structures, only its encoder does, its outputs learn at the second, and what lies between at the usual rate. All at the
usual rate, what is known suffers; all else calmed, a new structure is not found in a short time (measured with
``benchmarks/accuracy/again.py``)."""


@dataclass
class Batch:
    """What a stage computes its loss from.

    Attributes:
        views: one or several augmented copies of the same slices, each (N, C, H, W).
        labels: (N, H, W) of the first view (of all views, where they differ in intensity only); negative where
            unlabelled.
        unlabelled: copies of other slices whose labels are not read, each (M, C, H, W); empty where a stage has none.
        boxes: (N, 4) each, on the CPU, for slices that are mixed; empty where a stage mixes none.
        seed: of what is still left to chance when the loss is computed (noise, blocks, dropped paths).
        sets: (S, K + 1) what the codes -2, -3, ... of the labels stand for, where a structure is missing from some
            labels (``losses/marginal.py``); given by the loop.
    """

    views: list[Tensor]
    labels: Tensor
    unlabelled: list[Tensor] = field(default_factory=list)
    boxes: list[Tensor] = field(default_factory=list)
    seed: int = 0
    sets: Tensor | None = None

    def generator(self) -> torch.Generator:
        """Return a new generator on the device of the batch that starts at the seed."""
        return torch.Generator(self.labels.device).manual_seed(self.seed)


class Stage:
    """One stage of a method.

    Class attributes:
        name: key of its words in the message catalogue, after ``stage.``.
        share: of the method's budget.
        segments: whether the network is worth checking on the check cases while this stage runs.
        reads_labels: whether a batch holds labels that the loss reads.
        curve: the part of the learning rate's curve that the stage goes through, all of it unless it goes on where
            another stage is.

    Attributes:
        paces: at which multiple of the learning rate a parameter learns, where it is not 1: in a trained network.
        labeller: the network whose labels of whole scans the stage learns from (``SliceSampler.pseudo``), or None. It
            is the same from ``begin`` to the end of the stage.
    """

    name: str
    share: float
    learning_rate: float
    weight_decay: float = 1e-4
    segments = False
    reads_labels = False
    curve = (0.0, 1.0)
    paces: Mapping[nn.Parameter, float] = MappingProxyType({})
    labeller: UNet | None = None

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def parameters(self) -> Iterable[nn.Parameter]:
        """Return what this stage trains."""
        raise NotImplementedError

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        """Return what is trained at which learning rate; one group unless a method has networks of different pace."""
        return [(list(self.parameters()), self.learning_rate)]

    def begin(self) -> None:
        """Do what comes before the first step of the stage; nothing by default. A resumed stage has begun before."""

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        """Return the next batch on the device."""
        raise NotImplementedError

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """Return the named, weighted terms of the loss; ``progress`` runs from 0 to 1 over the stage."""
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Do what follows an optimiser step (an averaged teacher, a memory); nothing by default."""


class Method(nn.Module):
    """A published method or our own: its networks, and its stages in order.

    Attributes:
        network: what segments in the end, and the only part that is kept.
        stages: run one after the other; weights move from stage to stage because the network is the same.
        refines: whether its results are refined by a dense CRF, where that helps on the check cases.
    """

    network: UNet
    stages: tuple[Stage, ...]
    refines = False


def augmented(
    drawn: Slices,
    plan: Plan,
    generator: torch.Generator,
    device: torch.device,
    *,
    spatial: Spatial | None = None,
    strength: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return one augmented copy (N, C, H, W) of drawn slices with its labels (N, H, W), on the device.

    Args:
        spatial: where the pixels come from, if it is not to be drawn.
        strength: of what happens to the numbers.
    """
    count = len(drawn.images)
    if spatial is None:
        spatial = draw_spatial(drawn, plan, generator)
    intensity = sample_intensity(count, generator, strength=strength)

    def changed(part: slice) -> list[Tensor]:
        images, labels = moved(drawn, part, spatial, plan, device)
        return [apply_intensity(images, intensity[part]), labels]

    images, labels = shared(changed, count)
    return images.contiguous(memory_format=torch.channels_last), labels


def moved(drawn: Slices, part: slice, spatial: Spatial, plan: Plan, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a part of drawn slices (n, C, H, W) and labels (n, H, W) in their new places, on the device."""
    images, labels = drawn.images[part].to(device), drawn.labels[part].to(device)
    return apply_spatial(images, labels, spatial[part], plan.slice_size)


def draw_spatial(drawn: Slices, plan: Plan, generator: torch.Generator) -> Spatial:
    """Draw where the pixels of each slice come from; pictures may be mirrored, bodies have sides."""
    scale = plan.slice_size / drawn.images.shape[-1]
    return sample_spatial(len(drawn.images), scale, generator, mirror=plan.pictures)
