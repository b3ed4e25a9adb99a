"""The 2-D U-Net of MMGL (figure 2 of the paper; layers as in the parent method of Hu et al. 2021)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UNet(nn.Module):
    """A U-Net whose encoder and decoder maps can be reached one by one.

    The published network (``published=True``) has instance normalisation in the encoder, none in the decoder and
    ReLU in the centre. Otherwise every convolution has batch normalisation, whose statistics do not depend on the
    size of the slice, so that whole slices of any size can be segmented in one pass and the norm folds away.

    Args:
        channels: of the scan.
        outputs: structures plus background.
        width: channels of the finest level; every level below has twice as many (published: 64).
        levels: resolutions, the centre included; slices are divisible by ``2 ** (levels - 1)``.
        published: the layers of the paper.
    """

    def __init__(
        self, channels: int, outputs: int, width: int = 16, levels: int = 5, *, published: bool = False
    ) -> None:
        super().__init__()
        self.widths = [width * 2**i for i in range(levels)]
        encoder_norm = nn.InstanceNorm2d if published else nn.BatchNorm2d
        decoder_norm = None if published else nn.BatchNorm2d
        encoder = [_block(channels, width, encoder_norm)]
        encoder += [_block(a, b, encoder_norm) for a, b in zip(self.widths[:-2], self.widths[1:-1], strict=True)]
        self.encoder = nn.ModuleList(encoder)
        self.centre = _block(self.widths[-2], self.widths[-1], decoder_norm, nn.ReLU if published else nn.LeakyReLU)
        up, decoder = [], []
        for wide, narrow in zip(self.widths[:0:-1], self.widths[-2::-1], strict=True):
            up.append(nn.ConvTranspose2d(wide, narrow, 2, stride=2))
            decoder.append(_block(2 * narrow, narrow, decoder_norm))
        self.up = nn.ModuleList(up)
        self.decoder = nn.ModuleList(decoder)
        self.activate_centre = published
        self.classifiers = nn.ModuleList(nn.Conv2d(c, outputs, 1) for c in self.widths[: min(3, levels - 1)])

    @property
    def stride(self) -> int:
        """What height and width of a slice must be divisible by."""
        return int(2 ** (len(self.widths) - 1))

    def finest_parameters(self) -> list[nn.Parameter]:
        """Return all parameters but those of the coarser outputs, for methods that have no deep supervision."""
        coarser = set(self.classifiers[1:].parameters())
        return [p for p in self.parameters() if p not in coarser]

    def encode(self, x: Tensor) -> list[Tensor]:
        """Return the encoder's maps, finest first, and the centre's map enlarged to the last one's size.

        Args:
            x: (N, channels, H, W).

        Returns:
            ``levels - 1`` maps (N, width * 2**i, H / 2**i, W / 2**i) and one more as large as the last.
        """
        maps: list[Tensor] = []
        for block in self.encoder:
            x = block(F.max_pool2d(x, 2) if maps else x)
            maps.append(x)
        return [*maps, self.enlarged(self.centre(F.max_pool2d(x, 2)))]

    def enlarged(self, centre: Tensor) -> Tensor:
        """Return the centre's map at twice its size, as the decoder takes it."""
        result: Tensor = self.up[0](centre)
        return F.relu(result) if self.activate_centre else result

    def decode(self, maps: list[Tensor]) -> list[Tensor]:
        """Return the decoder's maps, finest first, from what ``encode`` returned."""
        *skips, x = maps
        decoded: list[Tensor] = []
        for i, (block, skip) in enumerate(zip(self.decoder, reversed(skips), strict=True)):
            x = block(torch.cat([self.up[i](x) if i else x, skip], 1))
            decoded.insert(0, x)
        return decoded

    def deep_logits(self, x: Tensor) -> list[Tensor]:
        """Return the logits of the finest scales, finest first, each at its own size (deep supervision)."""
        decoded = self.decode(self.encode(x))
        return [classify(m) for classify, m in zip(self.classifiers, decoded, strict=False)]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, outputs, H, W) of slices (N, channels, H, W)."""
        logits: Tensor = self.classifiers[0](self.decode(self.encode(x))[0])
        return logits


def _block(
    before: int, after: int, norm: type[nn.Module] | None, activation: type[nn.ReLU] | type[nn.LeakyReLU] = nn.LeakyReLU
) -> nn.Sequential:
    """Return two 3 x 3 convolutions, each with its norm and activation."""
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers.append(nn.Conv2d(channels, after, 3, padding=1, bias=norm is None))
        if norm is not None:
            layers.append(norm(after))
        # in place where nothing needs what it was given: a convolution and a batch norm do not, going backwards
        layers.append(activation(inplace=norm is not nn.InstanceNorm2d))
    return nn.Sequential(*layers)
