"""Swin-UNet: a U-Net of shifted-window transformer blocks (Cao et al. 2021), the second network of MCSC.

Blocks, patch embedding and patch merging are MONAI's; the mirrored decoder is written here, because MONAI has none.
Without ImageNet weights, which are not ours to ship and expect three colour channels: every channel of a scan enters
as it is, and the network starts from random numbers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.networks.blocks.patchembedding import PatchEmbed
from monai.networks.nets.swin_unetr import PatchMerging, SwinTransformerBlock, compute_mask, get_window_size
from torch import Tensor, nn

from mmgl.ranks import drawn

PATCH = 4
"""Pixels a side that become one token."""

DEPTHS = (2, 2, 2, 2)
"""Blocks of each stage on the way down; the last one is the bottom, the others come again on the way up."""

HEAD_LENGTH = 32
"""Numbers that one attention head works on: heads (3, 6, 12, 24) at the published width of 96."""

WINDOWS = range(4, 9)
"""Sides of attention windows in tokens to choose from; the published one is 7."""


def window_for(size: int) -> int:
    """Return the attention window that needs the least padding for slices of ``size`` pixels, near 7 on a tie."""

    def cost(window: int) -> tuple[int, int]:
        side = _coarsest(window)
        return -(-size // side) * side, abs(window - 7)

    return min(WINDOWS, key=cost)


class SwinUNet(nn.Module):
    """A transformer with four resolutions of tokens, from 1/4 to 1/32 of the slice, and skips as in a U-Net.

    Slices of any size are taken: they are continued at the edge until every resolution is whole windows, and the
    result is cut back. So no window is ever partly empty, whatever the size.

    Dropping whole paths while training draws from torch's own generator, which has no parameter for another one.

    Args:
        channels: of the scan.
        outputs: structures plus background.
        width: numbers of a token at the finest resolution, made a multiple of the heads (published: 96).
        window: side of the attention windows in tokens.
        drop_path: probability of leaving out the deepest block; the ones before it rise to it in equal steps.
    """

    def __init__(
        self, channels: int, outputs: int, width: int = 96, *, window: int = 7, drop_path: float = 0.2
    ) -> None:
        super().__init__()
        heads = max(1, round(width / HEAD_LENGTH))
        width = heads * round(width / heads)
        self.multiple = _coarsest(window)
        self.widths = [width * 2**i for i in range(len(DEPTHS))]
        drops = _drops(drop_path)

        def stage(i: int) -> _Stage:
            return _Stage(self.widths[i], heads * 2**i, window, drops[i])

        self.embed = PatchEmbed(PATCH, channels, width, nn.LayerNorm, spatial_dims=2)
        self.down = nn.ModuleList(stage(i) for i in range(len(DEPTHS)))
        self.merge = nn.ModuleList(PatchMerging(w, nn.LayerNorm, spatial_dims=2) for w in self.widths[:-1])
        self.bottom_norm = nn.LayerNorm(self.widths[-1])
        self.expand = nn.ModuleList(_Expand(w, w // 2, 2) for w in self.widths[:0:-1])
        self.join = nn.ModuleList(nn.Linear(2 * w, w) for w in self.widths[-2::-1])
        self.up = nn.ModuleList(stage(i) for i in reversed(range(len(DEPTHS) - 1)))
        self.top_norm = nn.LayerNorm(width)
        self.enlarge = _Expand(width, width, PATCH)
        self.apply(_start)
        self.classifier = nn.Conv2d(width, outputs, 3, padding=1)
        nn.init.xavier_normal_(self.classifier.weight)

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last map of the way up, and the one that arrives at 1/8 of the slice before its skip joins.

        Args:
            x: (N, channels, H, W).

        Returns:
            (N, width, H, W) and (N, 2 width, H / 8, W / 8), rounded up.
        """
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        tokens = self.embed(x).movedim(1, -1)
        skips: list[Tensor] = []
        for i, stage in enumerate(self.down):
            tokens = stage(self.merge[i - 1](tokens) if i else tokens)
            skips.append(tokens)
        tokens = self.bottom_norm(skips.pop())
        arriving: list[Tensor] = []
        for expand, join, stage in zip(self.expand, self.join, self.up, strict=True):
            tokens = expand(tokens)
            arriving.insert(0, tokens)
            tokens = stage(join(torch.cat([tokens, skips.pop()], -1)))
        full = self.enlarge(self.top_norm(tokens)).movedim(-1, 1)
        eighth = arriving[1].movedim(-1, 1)
        return full[..., :height, :width], eighth[..., : -(-height // 8), : -(-width // 8)]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (N, outputs, H, W) of slices (N, channels, H, W)."""
        logits: Tensor = self.classifier(self.maps(x)[0])
        return logits


class _Stage(nn.Module):
    """Blocks on tokens of one resolution, every other one with its windows shifted by half a window."""

    def __init__(self, width: int, heads: int, window: int, drops: list[float]) -> None:
        super().__init__()
        self.window, self.shift = (window, window), (window // 2, window // 2)
        self.blocks = nn.ModuleList(
            SwinTransformerBlock(width, heads, self.window, self.shift if i % 2 else (0, 0), drop_path=drop)
            for i, drop in enumerate(drops)
        )
        for block, drop in zip(self.blocks, drops, strict=True):
            block.drop_path = _DroppedPath(drop)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens like ``tokens`` (N, h, w, width); h and w are multiples of the window."""
        size = tokens.shape[1:3]
        window, shift = get_window_size(size, self.window, self.shift)  # type: ignore[no-untyped-call]
        # a shifted window wraps around the map; the mask keeps opposite edges from seeing each other
        mask: Tensor | None = None
        if any(shift):
            mask = compute_mask(size, window, shift, tokens.device)  # type: ignore[no-untyped-call]
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens


class _DroppedPath(nn.Module):
    """MONAI's, but for what it draws where several processes train together (``mmgl/ranks.py``)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (N, h, w, width), those of some slices as zeros and the others enlarged to make up for it."""
        if not self.rate or not self.training:
            return tokens
        shape = (1,) * (tokens.ndim - 1)
        kept = drawn(lambda n: tokens.new_empty(n, *shape).bernoulli_(1 - self.rate), len(tokens))
        return tokens * (kept / (1 - self.rate))


class _Expand(nn.Module):
    """Every token becomes ``factor`` x ``factor`` tokens of ``after`` numbers: the opposite of patch merging."""

    def __init__(self, before: int, after: int, factor: int) -> None:
        super().__init__()
        self.factor, self.after = factor, after
        self.linear = nn.Linear(before, after * factor**2, bias=False)
        self.norm = nn.LayerNorm(after)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return tokens (N, factor h, factor w, after) of tokens (N, h, w, before)."""
        n, h, w, _ = tokens.shape
        x = self.linear(tokens).reshape(n, h, w, self.factor, self.factor, self.after)
        x = x.transpose(2, 3).reshape(n, self.factor * h, self.factor * w, self.after)
        result: Tensor = self.norm(x)
        return result


def _coarsest(window: int) -> int:
    """Return how many pixels one window of the coarsest tokens covers: slices are padded to a multiple of it."""
    return int(PATCH * 2 ** (len(DEPTHS) - 1) * window)


def _drops(highest: float) -> list[list[float]]:
    """Return the probability of leaving out each block of each stage, in equal steps from 0 to ``highest``."""
    rates = [highest * i / (sum(DEPTHS) - 1) for i in range(sum(DEPTHS))]
    return [rates[sum(DEPTHS[:i]) : sum(DEPTHS[: i + 1])] for i in range(len(DEPTHS))]


def _start(module: nn.Module) -> None:
    """Give linear layers the start of the Swin transformer: truncated normal weights, no bias."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
