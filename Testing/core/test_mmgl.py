"""MMGL's contrast against loops over pairs: which maps meet, in which places, and what they weigh."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.methods.mmgl import Mmgl

PLAN = dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3)


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))


def loss_and_maps(number, slices, *modules):
    """The batch of a stage, its loss, and what some parts of the network made of both views meanwhile."""
    torch.manual_seed(0)
    method = Mmgl(PLAN, 1)
    method.train()
    maps = []
    for module in modules:
        module(method.network).register_forward_hook(lambda _module, _given, made: maps.append(made.detach().clone()))
    stage = method.stages[number]
    batch = stage.batch(slices, torch.device("cpu"))
    (value,) = stage.loss(batch, 0.5).values()
    return method, batch, float(value.detach()), maps


def cosine(a, b):
    return float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


def test_global_contrast_is_its_equation(slices):
    parts = (lambda n: n.encoder[-2], lambda n: n.encoder[-1], lambda n: n.up[0])
    method, batch, found, maps = loss_and_maps(0, slices, *parts)
    pooled = [F.max_pool2d(maps[0], 2), F.max_pool2d(maps[1], 2), maps[2]]
    n = len(batch.views[0])
    assert n == 2 * PLAN.batch
    scales = []
    for head, m in zip(method.global_heads, pooled, strict=True):
        z = head(m).detach()
        losses = []
        for i in range(2 * n):
            other = (i + n) % (2 * n)  # the other view of the same slice
            shares = [math.exp(cosine(z[i], z[k]) / 0.5) for k in range(2 * n)]
            losses.append(-math.log(shares[other] / (sum(shares) - shares[i])))
        scales.append(sum(losses) / len(losses))
    assert found == pytest.approx(sum(scales) / 3, rel=1e-4)


def test_local_contrast_is_its_equation(slices):
    parts = (lambda n: n.decoder[-1], lambda n: n.decoder[-2], lambda n: n.decoder[-3])
    method, batch, found, maps = loss_and_maps(1, slices, *parts)
    maps.reverse()  # made from the deepest on
    scales = []
    for head, m, step, side in zip(method.local_heads, maps, (1, 2, 4), (16, 16, 8), strict=True):
        z = head(m).detach()
        labels = batch.labels[:, step // 2 :: step, step // 2 :: step]  # the nearest of the finest pixels
        labels = torch.cat([labels, labels])  # both views
        assert z.shape[-2:] == labels.shape[-2:]
        blocks = [(slice(None), slice(y, y + side), slice(x, x + side)) for y in (0, side) for x in (0, side)]
        scales.append(literal_blocks(z.movedim(1, -1), labels, blocks))
    assert found == pytest.approx(sum(scales) / 3, rel=1e-4)


def literal_blocks(z, labels, blocks):
    """The mean over the blocks in which something is painted of the contrast between their pixels."""
    found = []
    for block in blocks:
        pixels, y = z[block].flatten(0, 2), labels[block].flatten()
        if not (y > 0).any():
            continue
        pixels, y = pixels[y >= 0], y[y >= 0]
        losses = []
        for u in (y > 0).nonzero().flatten().tolist():
            shares = (F.cosine_similarity(pixels, pixels[u], dim=1) / 0.1).exp()
            partners = [p for p in (y == y[u]).nonzero().flatten().tolist() if p != u]
            logs = (shares / (shares.sum() - shares[u])).log()
            losses += [-sum(float(logs[p]) for p in partners) / len(partners)] if partners else []
        found.append(sum(losses) / len(losses) if losses else 0.0)
    return sum(found) / len(found)
