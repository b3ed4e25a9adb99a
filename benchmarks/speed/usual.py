"""The training loop most published programs of the field have, written plainly, for ``training.py`` to compare with.

As in SSL4MIS (``train_fully_supervised_2D.py``): a data set that gives one slice at a time, turned and mirrored by
numpy and scipy, zoomed to its size by scipy, made a tensor and stacked by torch's DataLoader; the network in float32
with torch's own memory layout; cross-entropy plus a Dice of one-hot labels, structure by structure; SGD; the losses
read out for the log in every step. Two things flatter it: slices lie in memory instead of in compressed files, and
nothing is copied between processes, because it loads in the process that trains.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mmgl.imaging.grid import Array
from mmgl.networks.unet import UNet


class UsualSlices(Dataset[dict[str, Tensor]]):
    """Slices (h, w) and labels of the same size, one by one."""

    def __init__(self, images: Array, labels: Array, side: int) -> None:
        self.images, self.labels, self.side = images, labels, side

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        image, label = self.images[index], self.labels[index]
        if random.random() > 0.5:
            turns, axis = np.random.randint(0, 4), np.random.randint(0, 2)
            image, label = (np.flip(np.rot90(array, turns), axis).copy() for array in (image, label))
        elif random.random() > 0.5:
            angle = np.random.randint(-20, 20)
            image, label = (ndimage.rotate(array, angle, order=0, reshape=False) for array in (image, label))
        ratio = (self.side / image.shape[0], self.side / image.shape[1])
        image, label = ndimage.zoom(image, ratio, order=0), ndimage.zoom(label, ratio, order=0)
        tensor = torch.from_numpy(image.astype(np.float32)).unsqueeze(0)
        return {"image": tensor, "label": torch.from_numpy(label.astype(np.uint8))}


class UsualLoop:
    """Steps of the usual loop.

    Args:
        network: trained in place.
        outputs: structures plus background.
        deep: with the loss at three scales that ours has, so that both do the same work.
    """

    def __init__(
        self, network: UNet, images: Array, labels: Array, outputs: int, batch: int, side: int, *, deep: bool = False
    ) -> None:
        self.network, self.outputs, self.deep = network.train(), outputs, deep
        self.loader = DataLoader(UsualSlices(images, labels, side), batch_size=batch, shuffle=True, drop_last=True)
        self.batches = self.endless()
        self.optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
        self.entropy = nn.CrossEntropyLoss()
        self.log: list[float] = []

    def endless(self) -> Iterator[dict[str, Tensor]]:
        """Give batches, epoch after epoch."""
        while True:
            yield from self.loader

    def draw(self) -> dict[str, Tensor]:
        """Return the next batch."""
        return next(self.batches)

    def step(self) -> None:
        """Take one step."""
        batch = self.draw()
        scales = self.network.deep_logits(batch["image"]) if self.deep else [self.network(batch["image"])]
        weights = [0.5**i for i in range(len(scales))]
        loss = torch.zeros(())
        for weight, logits in zip(weights, scales, strict=True):
            if logits.shape[-2:] != batch["label"].shape[-2:]:
                logits = F.interpolate(logits, size=batch["label"].shape[-2:], mode="bilinear", align_corners=False)
            entropy = self.entropy(logits, batch["label"].long())
            dice = self.dice(torch.softmax(logits, dim=1), batch["label"])
            loss = loss + weight / sum(weights) * 0.5 * (entropy + dice)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.log += [loss.item(), entropy.item(), dice.item()]

    def dice(self, probability: Tensor, label: Tensor) -> Tensor:
        """Return one minus the Dice, structure by structure."""
        target = torch.cat([(label == i).unsqueeze(1) for i in range(self.outputs)], dim=1).float()
        total = torch.zeros(())
        for i in range(self.outputs):
            shared = torch.sum(probability[:, i] * target[:, i])
            squares = torch.sum(probability[:, i] * probability[:, i]) + torch.sum(target[:, i] * target[:, i])
            total = total + 1 - (2 * shared + 1e-5) / (squares + 1e-5)
        return total / self.outputs
