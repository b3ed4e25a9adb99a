"""Stages change what they should and nothing else, and read labels only where they say so."""

import dataclasses
import sys

import pytest
import torch
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.messages import CATALOGUE, MMGLError
from mmgl.methods import LABELS_SCANS, METHODS, build_method

PLAN = dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3)
CPU = torch.device("cpu")


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    sampler = SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))
    sampler.pseudo = dict(enumerate(cases))
    return sampler


def stages(name):
    torch.manual_seed(0)
    method = build_method(name, PLAN, 1)
    return [(method, stage) for stage in method.stages]


# the stages that all methods share; the tests of the other methods are in files of their own
ALL = [(name, i) for name, count in (("supervised", 1), ("mmgl", 3)) for i in range(count)]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_and_segments(name, slices):
    torch.manual_seed(0)
    method = build_method(name, PLAN, 1)
    method.train()
    for stage in method.stages:
        assert f"stage.{stage.name}" in CATALOGUE
        optimiser = torch.optim.AdamW([{"params": p, "lr": rate} for p, rate in stage.groups()])
        total = torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.9).values())).sum()
        total.backward()
        assert torch.isfinite(total)
        optimiser.step()
        stage.after_step(0.9)
    assert sum(stage.share for stage in method.stages) == pytest.approx(1)
    assert any(stage.segments for stage in method.stages)
    assert any(stage.labeller for stage in method.stages) is (name in LABELS_SCANS)
    assert method.network(torch.zeros(1, 3, 16, 16)).shape == (1, 2, 16, 16)


@pytest.mark.parametrize(("name", "number"), ALL)
def test_a_stage_trains_its_parameters_and_no_others(name, number, slices):
    method, stage = stages(name)[number]
    trained = {id(p) for p in stage.parameters()}
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    method.train()
    for _ in range(3):
        optimiser.zero_grad()
        torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum().backward()
        optimiser.step()
    moved = {n for n, p in method.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in method.named_parameters() if id(p) in trained}


def test_what_each_stage_of_mmgl_trains():
    method, _ = stages("mmgl")[0]
    parts = []
    for stage in method.stages:
        trained = {id(p) for p in stage.parameters()}
        names = {n for n, p in method.named_parameters() if id(p) in trained}
        parts.append({".".join(n.split(".")[: 2 if n.startswith("network") else 1]) for n in names})
    encoder = {"network.encoder", "network.centre", "network.up"}
    assert parts[0] == encoder | {"global_heads"}
    assert parts[1] == encoder | {"network.decoder", "local_heads"}
    assert parts[2] == encoder | {"network.decoder", "network.classifiers"}


@pytest.mark.parametrize(("name", "number"), ALL)
def test_labels_matter_only_to_stages_that_say_so(name, number, slices):
    method, stage = stages(name)[number]
    method.train()
    batch = stage.batch(slices, CPU)
    state = {k: v.clone() for k, v in method.state_dict().items()}

    def loss(labels):
        method.load_state_dict(state)
        return float(sum(stage.loss(dataclasses.replace(batch, labels=labels), 0.5).values()).detach())

    changed = loss(batch.labels) != loss(batch.labels.roll(5, 1))
    assert changed == stage.reads_labels


@pytest.mark.parametrize(("name", "number"), ALL)
def test_unlabelled_pixels_do_not_matter(name, number, slices):
    """Where a pixel is unlabelled, what would have been painted there changes nothing."""
    method, stage = stages(name)[number]
    method.train()
    batch = stage.batch(slices, CPU)
    hidden = torch.rand(batch.labels.shape) < 0.5
    state = {k: v.clone() for k, v in method.state_dict().items()}
    losses = []
    for labels in (batch.labels, (batch.labels + 1) % 2):
        method.load_state_dict(state)
        masked = labels.masked_fill(hidden | (batch.labels < 0), -1)
        masked[~hidden & (batch.labels >= 0)] = batch.labels[~hidden & (batch.labels >= 0)]
        losses.append(float(sum(stage.loss(dataclasses.replace(batch, labels=masked), 0.5).values()).detach()))
    assert losses[0] == losses[1]


def test_global_views_are_two_different_copies_of_the_same_slices(slices):
    _, stage = stages("mmgl")[0]
    first, second = stage.batch(slices, CPU).views
    assert first.shape == second.shape == (8, 3, 16, 16)
    assert not torch.equal(first, second)


def test_local_views_differ_in_intensity_only(slices):
    _, stage = stages("mmgl")[1]
    batch = stage.batch(slices, CPU)
    first, second = (v.flatten(1) for v in batch.views)
    assert not torch.equal(first, second)
    correlation = torch.nn.functional.cosine_similarity(
        first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True)
    )
    assert (correlation > 0.8).all()


def test_an_unknown_method_lists_the_known_ones():
    with pytest.raises(MMGLError, match="supervised, mmgl"):
        build_method("magic", PLAN, 1)


def test_a_method_with_a_transformer_says_that_it_needs_monai(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "monai" or name == "mmgl.networks.swin"]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("mmgl.methods.mcsc", "mmgl.methods.two_networks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "monai.networks.blocks.patchembedding", None)
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(MMGLError, match="needs the package monai"):
        build_method("mcsc", PLAN, 1)


@pytest.mark.parametrize("name", ["supervised", "mmgl"])
def test_the_published_variant_trains_too(name, slices):
    plan = dataclasses.replace(PLAN, published=True)
    method = build_method(name, plan, 1)
    for stage in method.stages:
        total = torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum()
        total.backward()
        assert torch.isfinite(total)
