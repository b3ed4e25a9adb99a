"""What the methods that first learn from slices without labels share: the batch, the encoder and its embedding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor

from mmgl.data.plan import Plan
from mmgl.data.slices import Slices, SliceSampler
from mmgl.methods.stage import Batch, Stage, augmented
from mmgl.networks.heads import GlobalHead
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


@dataclass(kw_only=True)
class PlacedBatch(Batch):
    """Slices that know where they lie; the labels are not read.

    Attributes:
        planes: (N,) number of the plane; positions of different planes say nothing about one another.
        positions: (N,) relative position (k + 1) / D in (0, 1].
        cases: (N,) number of the case.
    """

    planes: Tensor
    positions: Tensor
    cases: Tensor

    @staticmethod
    def of(batch: Batch) -> PlacedBatch:
        """Return the batch as what it must be.

        Raises:
            TypeError: it came from another stage.
        """
        if not isinstance(batch, PlacedBatch):
            raise TypeError("this stage needs a batch whose slices know where they lie")
        return batch


class GlobalPretraining(Stage):
    """One embedding for each of two views of all slices, labelled or not; a method gives the contrast.

    The embedding is that of the papers: the mean over the centre's map, two linear layers with a ReLU between.
    Published plans learn at MMGL's rate, because SimCLR's and PCL's are for other optimisers than the loop's.
    """

    name = "global"
    weight_decay = 1e-5
    temperature = 0.1

    def __init__(self, plan: Plan, network: UNet, head: GlobalHead, share: float) -> None:
        super().__init__(plan)
        self.network, self.head, self.share = network, head, share
        self.learning_rate = 3e-4 if plan.published else 2e-3

    def parameters(self) -> Iterable[torch.nn.Parameter]:
        parts = (self.network.encoder, self.network.centre, self.head)
        return chain(*(part.parameters() for part in parts))

    def batch(self, slices: SliceSampler, device: torch.device) -> PlacedBatch:
        drawn = slices.draw(2 * self.plan.batch)
        first, labels = augmented(drawn, self.plan, slices.generator, device)
        second, _ = augmented(drawn, self.plan, slices.generator, device)
        planes, positions, cases = places(drawn, self.plan, device)
        return PlacedBatch([first, second], labels, planes=planes, positions=positions, cases=cases)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        z = divided(self.embed, torch.cat(batch.views))
        n = len(batch.views[0])
        return {"global": self.contrast(z[:n], z[n:], PlacedBatch.of(batch))}

    def embed(self, images: Tensor) -> Tensor:
        """Return the embeddings (N, D) of images."""
        z: Tensor = self.head(encoder_maps(self.network, images)[-1])
        return z

    def contrast(self, first: Tensor, second: Tensor, batch: PlacedBatch) -> Tensor:
        """Return the loss of two views' embeddings (N, D)."""
        raise NotImplementedError


def places(drawn: Slices, plan: Plan, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return planes, positions and cases of drawn slices on the device, each (N,).

    Pictures have no place in a body: each is a plane of its own, and so a negative of all others.
    """
    planes = torch.arange(len(drawn.planes)) if plan.pictures else drawn.planes
    return planes.to(device), drawn.positions.to(device), drawn.cases.to(device)


def encoder_maps(network: UNet, images: Tensor) -> list[Tensor]:
    """Return the encoder's maps, finest first, and the centre's at its own size (not yet enlarged by the decoder)."""
    maps = [network.encoder[0](images)]
    for block in network.encoder[1:]:
        maps.append(block(F.max_pool2d(maps[-1], 2)))
    return [*maps, network.centre(F.max_pool2d(maps[-1], 2))]


def decoder_map(network: UNet, maps: list[Tensor], blocks: int) -> Tensor:
    """Return the map of the decoder's block number ``blocks``, counted from the deepest, of what the encoder gave."""
    *skips, x = maps
    for i in range(blocks):
        x = network.up[i](x) if i else network.enlarged(x)
        x = network.decoder[i](torch.cat([x, skips[-1 - i]], 1))
    return x
