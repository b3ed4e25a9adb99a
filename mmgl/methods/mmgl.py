"""MMGL: multi-scale multi-view global-local contrastive learning (Zhao Z. et al., ICIP 2022, arXiv 2207.01883).

Three stages on one U-Net, weights moving from each to the next (figure 2, boxes a, b, c):

a. multi-scale global contrast on all slices, labelled or not, of all planes;
b. multi-scale local contrast between the pixels of labelled slices;
c. deeply supervised segmentation.

Read in the paper's figure: network, places of the heads, the three stages. Reconstructed from the method it extends
(Hu et al., MICCAI 2021), because the paper's text and code are not public: the equations of both losses, the
temperatures, the equal weights of the scales, the blocks of the local loss, optimiser and learning rates. "View" means
plane in the paper's title; here a view is an augmented copy, and positives never cross planes. Ours: all stages learn
from all planes, which are fused when a scan is segmented, and slices are drawn at random, so that now and then one
stands in a batch twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.contrastive import block_supervised_contrast, nt_xent
from mmgl.methods.stage import Batch, Method, Stage, augmented, draw_spatial
from mmgl.methods.supervised import Segmentation
from mmgl.networks.heads import GlobalHead, LocalHead
from mmgl.networks.unet import UNet
from mmgl.ranks import divided


class GlobalContrast(Stage):
    """Multi-scale global contrast (stage a): two views of a slice attract, all other slices of the batch repel.

    L_g^M = mean over scales e of NT-Xent(z^e), with z^e from the pooled maps of the two deepest encoder blocks and
    from the enlarged centre.
    """

    name = "global"
    share = 0.3
    weight_decay = 1e-5
    temperature = 0.5

    def __init__(self, plan: Plan, network: UNet, heads: nn.ModuleList) -> None:
        super().__init__(plan)
        self.network, self.heads = network, heads
        self.learning_rate = 3e-4 if plan.published else 1e-3

    def parameters(self) -> Iterable[nn.Parameter]:
        parts = (self.network.encoder, self.network.centre, self.network.up[0], self.heads)
        return chain(*(part.parameters() for part in parts))

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        drawn = slices.draw(2 * self.plan.batch)
        first, labels = augmented(drawn, self.plan, slices.generator, device)
        second, _ = augmented(drawn, self.plan, slices.generator, device)
        return Batch([first, second], labels)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        scales = divided(self.embed, torch.cat(batch.views))
        n = len(batch.views[0])
        terms = [nt_xent(z[:n], z[n:], self.temperature) for z in scales]
        return {"global": torch.stack(terms).mean()}

    def embed(self, images: Tensor) -> list[Tensor]:
        """Return the embeddings (N, D) of images at the three scales."""
        *_, second, last, centre = self.network.encode(images)
        maps = [F.max_pool2d(second, 2), F.max_pool2d(last, 2), centre]
        return [head(m) for head, m in zip(self.heads, maps, strict=True)]


class LocalContrast(Stage):
    """Multi-scale local contrast (stage b): pixels of one structure attract, all other pixels repel.

    L_l^M = mean over scales d of the block-wise supervised contrast of the decoder's pixels, over two views that
    differ in intensity only, so that one label fits both.
    """

    name = "local"
    share = 0.1
    reads_labels = True
    temperature = 0.1
    blocks = (16, 16, 8)  # finest scale first

    def __init__(self, plan: Plan, network: UNet, heads: nn.ModuleList) -> None:
        super().__init__(plan)
        self.network, self.heads = network, heads
        self.learning_rate = 1e-4 if plan.published else 5e-4

    def parameters(self) -> Iterable[nn.Parameter]:
        parts: tuple[nn.Module, ...] = (*self.network.children(), self.heads)
        unused = set(self.network.classifiers.parameters())
        return (p for part in parts for p in part.parameters() if p not in unused)

    def batch(self, slices: SliceSampler, device: torch.device) -> Batch:
        drawn = slices.draw_labelled(4, painted=1.0)
        spatial = draw_spatial(drawn, self.plan, slices.generator)
        first, labels = augmented(drawn, self.plan, slices.generator, device, spatial=spatial)
        second, _ = augmented(drawn, self.plan, slices.generator, device, spatial=spatial)
        return Batch([first, second], labels)

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        terms = []
        for z, block in zip(divided(self.embed, torch.cat(batch.views)), self.blocks, strict=True):
            labels = F.interpolate(batch.labels[:, None].float(), size=z.shape[-2:], mode="nearest-exact")[:, 0].long()
            both = labels.repeat(len(batch.views), 1, 1)
            terms.append(block_supervised_contrast(z, both, self.temperature, block))
        return {"local": torch.stack(terms).mean()}

    def embed(self, images: Tensor) -> list[Tensor]:
        """Return the embeddings (N, D, h, w) of the pixels of images at the three finest scales."""
        decoded = self.network.decode(self.network.encode(images))
        return [head(m) for head, m in zip(self.heads, decoded[:3], strict=True)]


class Mmgl(Method):
    """MMGL on the plan's network and planes; ``plan.published`` gives the paper's size, layers and learning rates."""

    def __init__(self, plan: Plan, structures: int) -> None:
        super().__init__()
        network = UNet(plan.channels, structures + 1, plan.width, plan.levels, published=plan.published)
        finest = network.widths
        self.network = network
        self.global_heads = nn.ModuleList(GlobalHead(c) for c in (finest[-3], finest[-2], finest[-2]))
        self.local_heads = nn.ModuleList(LocalHead(c) for c in finest[:3])
        self.stages = (
            GlobalContrast(plan, network, self.global_heads),
            LocalContrast(plan, network, self.local_heads),
            Segmentation(plan, network, share=0.6),
        )
