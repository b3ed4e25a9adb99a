"""Projection heads: small networks that exist only while learning by contrast."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class GlobalHead(nn.Module):
    """One embedding for a whole map: mean over the map, Linear, ReLU, Linear (MMGL's global heads).

    The parent method has no activation between the two layers; the ReLU of SimCLR is used here, because two linear
    layers in a row are one.

    Args:
        channels: of the map.
        length: of the embedding.
    """

    def __init__(self, channels: int, length: int = 256) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, length))

    def forward(self, maps: Tensor) -> Tensor:
        """Return unit embeddings (N, length) of maps (N, channels, h, w)."""
        return F.normalize(self.layers(maps.mean((2, 3))).float(), dim=1)


class LocalHead(nn.Module):
    """One embedding for every pixel: two 1 x 1 convolutions (MMGL's local heads, "mlp" mode of the parent method).

    Args:
        channels: of the map.
        length: of the embedding.
    """

    def __init__(self, channels: int, length: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, 2 * length, 1), nn.Conv2d(2 * length, length, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Return unit embeddings (N, length, h, w) of maps (N, channels, h, w)."""
        return F.normalize(self.layers(maps).float(), dim=1)
