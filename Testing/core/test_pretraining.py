"""SimCLR, PCL, GCL and GLRP: what their stages train, what they read, and that they are their equations."""

import dataclasses

import pytest
import torch
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.losses.contrastive import nt_xent
from mmgl.losses.position_contrast import (
    partition_contrast,
    partitions,
    position_contrast,
    position_differences,
    region_contrast,
    soft_position_contrast,
)
from mmgl.methods.gcl import Gcl, PartitionContrast, sample_others, sample_regions
from mmgl.methods.glrp import Glrp, RelativePosition
from mmgl.methods.pcl import Pcl, threshold_of
from mmgl.methods.pretraining import decoder_map, encoder_maps, places
from mmgl.methods.simclr import SimClr
from mmgl.methods.stage import Batch
from mmgl.networks.unet import UNet

PLAN = dataclasses.replace(PLAN, width=4, batch=4, levels=4, normalisation=PLAN.normalisation * 3)
CPU = torch.device("cpu")
METHODS = {"simclr": SimClr, "pcl": Pcl, "gcl": Gcl, "glrp": Glrp}
STAGES = [(name, i) for name, count in (("simclr", 2), ("pcl", 2), ("gcl", 3), ("glrp", 3)) for i in range(count)]
PRETRAINING = [(name, i) for name, i in STAGES if i < (1 if name in ("simclr", "pcl") else 2)]


@pytest.fixture
def slices(tmp_path):
    box = (slice(5, 8), slice(10, 15), slice(20, 26))
    cases = [prepared(tmp_path, "labelled", (12, 30, 40), box), prepared(tmp_path, "unlabelled", (9, 14, 50))]
    return SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))


def stage_of(name, number, plan=PLAN):
    torch.manual_seed(0)
    method = METHODS[name](plan, 1)
    method.train()
    return method, method.stages[number]


@pytest.mark.parametrize(("name", "number"), STAGES)
def test_a_stage_trains_its_parameters_and_no_others(name, number, slices):
    method, stage = stage_of(name, number)
    trained = {id(p) for p in stage.parameters()}
    before = {n: p.detach().clone() for n, p in method.named_parameters()}
    optimiser = torch.optim.AdamW(stage.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum().backward()
        optimiser.step()
    moved = {n for n, p in method.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n, p in method.named_parameters() if id(p) in trained}


@pytest.mark.parametrize("name", METHODS)
def test_what_each_stage_trains(name):
    method = METHODS[name](dataclasses.replace(PLAN, levels=5), 1)
    parts = []
    for stage in method.stages:
        trained = {id(p) for p in stage.parameters()}
        names = {n for n, p in method.named_parameters() if id(p) in trained}
        parts.append({".".join(n.split(".")[: 3 if ".up." in n or ".decoder." in n else 2]) for n in names})
    assert parts[0] == {"network.encoder", "network.centre", "global_head.layers"}
    if name in ("gcl", "glrp"):
        blocks = {f"network.{part}.{i}" for part in ("up", "decoder") for i in range(3)}
        assert parts[1] == blocks | {"local_head.layers"}
    assert {"network.encoder", "network.centre", "network.decoder.3", "network.classifiers"} < parts[-1]


@pytest.mark.parametrize(("name", "number"), STAGES)
def test_labels_matter_only_to_stages_that_say_so(name, number, slices):
    method, stage = stage_of(name, number)
    batch = stage.batch(slices, CPU)
    state = {k: v.clone() for k, v in method.state_dict().items()}

    def loss(labels):
        method.load_state_dict(state)
        return float(sum(stage.loss(dataclasses.replace(batch, labels=labels), 0.5).values()).detach())

    assert (loss(batch.labels) != loss(batch.labels.roll(5, 1))) == stage.reads_labels
    assert stage.reads_labels == stage.segments == (stage.name == "segmentation")


@pytest.mark.parametrize(("name", "number"), PRETRAINING)
def test_the_global_generator_is_left_alone_and_batches_can_be_repeated(name, number, slices):
    _, stage = stage_of(name, number)
    state, randomness = slices.generator.get_state(), torch.get_rng_state()
    first = stage.batch(slices, CPU)
    slices.generator.set_state(state)
    second = stage.batch(slices, CPU)
    for field in dataclasses.fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        pairs = zip(one, other, strict=True) if isinstance(one, list) else [(one, other)]
        assert all(a is b or torch.equal(torch.as_tensor(a), torch.as_tensor(b)) for a, b in pairs)
    assert torch.equal(torch.get_rng_state(), randomness)


@pytest.mark.parametrize("name", METHODS)
def test_the_global_stage_is_its_loss_of_the_centre(name, slices):
    method, stage = stage_of(name, 0)
    batch = stage.batch(slices, CPU)
    maps = torch.cat(batch.views)
    for i, block in enumerate(method.network.encoder):
        maps = block(torch.nn.functional.max_pool2d(maps, 2) if i else maps)
    z = method.global_head(method.network.centre(torch.nn.functional.max_pool2d(maps, 2)))
    first, second = z[:8], z[8:]
    differences = position_differences(batch.positions, batch.planes)
    parts = partitions(batch.positions, batch.planes, 4)
    expected = {
        "simclr": nt_xent(first, second, 0.1),
        "pcl": position_contrast(first, second, differences, 0.1, 0.1),
        "gcl": partition_contrast(first, second, parts, batch.cases, 0.1),
        "glrp": soft_position_contrast(first, second, differences, 0.1, 0.1),
    }[name]
    assert stage.loss(batch, 0.5)["global"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_switches(slices):
    _, gcl = stage_of("gcl", 0)
    _, glrp = stage_of("glrp", 0)
    first, second = torch.randn(2, 8, 16)
    batch = gcl.batch(slices, CPU)
    batch = dataclasses.replace(batch, planes=torch.zeros(8, dtype=torch.long), cases=torch.arange(8))
    paper = gcl.contrast(first, second, batch)
    assert isinstance(gcl, PartitionContrast)
    gcl.released = True
    assert gcl.contrast(first, second, batch) != paper
    soft = glrp.contrast(first, second, batch)
    assert isinstance(glrp, RelativePosition)
    glrp.soft = False
    hard = glrp.contrast(first, second, batch)
    assert hard != soft
    assert hard == stage_of("pcl", 0)[1].contrast(first, second, batch)


@pytest.mark.parametrize("published", [False, True])
def test_the_maps_are_those_of_the_network(published):
    network = UNet(1, 2, 4, 4, published=published).eval()
    images = torch.randn(2, 1, 16, 16)
    maps = encoder_maps(network, images)
    *skips, _ = network.encode(images)
    assert len(maps) == 4
    assert all(torch.equal(a, b) for a, b in zip(maps, skips, strict=False))
    for blocks, expected in zip((3, 2, 1), network.decode(network.encode(images)), strict=True):
        assert torch.allclose(decoder_map(network, maps, blocks), expected, atol=1e-6)


def test_the_threshold_is_that_of_the_like_data():
    assert threshold_of(PLAN) == 0.1
    assert threshold_of(dataclasses.replace(PLAN, spacing=(None, 1.0, 1.0))) == 0.35


def test_batches_say_where_their_slices_lie(slices):
    _, stage = stage_of("pcl", 0)
    batch = stage.batch(slices, CPU)
    first, second = batch.views
    assert first.shape == second.shape == (8, 3, 16, 16)
    assert not torch.equal(first, second)
    assert ((batch.positions > 0) & (batch.positions <= 1)).all()
    assert set(batch.planes.tolist()) <= {0, 1, 2}
    assert set(batch.cases.tolist()) == {0, 1}


def test_pictures_are_all_negatives_of_one_another(slices):
    drawn = slices.draw(6)
    planes, positions, _ = places(drawn, dataclasses.replace(PLAN, pictures=True), CPU)
    apart = position_differences(positions, planes)
    assert torch.isinf(apart.fill_diagonal_(torch.inf)).all()


@pytest.mark.parametrize("name", ["gcl", "glrp"])
def test_the_local_stage_is_its_loss_of_the_regions(name, slices):
    method, stage = stage_of(name, 1)
    positions = torch.tensor([0.1, 0.15, 0.27, 0.9])  # near, between near and far, and far
    batch = dataclasses.replace(stage.batch(slices, CPU), planes=torch.zeros(4), positions=positions)
    maps = encoder_maps(method.network, torch.cat(batch.views))
    pixels = method.local_head(decoder_map(method.network, maps, 3)).movedim(1, -1).flatten(1, 2)
    z = torch.stack([pixels[:, region].flatten(1) for region in batch.regions], 1)
    near = far = None
    if name == "glrp":
        differences = position_differences(batch.positions, batch.planes)
        near, far = differences < 0.1, differences >= 0.2
    expected = region_contrast(z[:4], z[4:], batch.others, 0.1, near=near, far=far)
    found = stage.loss(batch, 0.5)["local"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    found.backward()
    assert all(p.grad is None for p in method.network.encoder.parameters())
    assert batch.regions.shape == (13, 9)
    assert (batch.others.sum(1) == (5 if name == "gcl" else 12)).all()


@pytest.mark.parametrize("name", ["gcl", "glrp"])
def test_local_views_differ_in_intensity_only(name, slices):
    _, stage = stage_of(name, 1)
    first, second = (v.flatten(1) for v in stage.batch(slices, CPU).views)
    assert not torch.equal(first, second)
    first, second = first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True)
    assert (torch.nn.functional.cosine_similarity(first, second) > 0.8).all()


def test_glrp_turns_all_slices_of_a_local_batch_alike(slices):
    drawn = slices.draw(5)
    alike = stage_of("glrp", 1)[1].spatial(drawn, slices.generator)
    assert (alike.theta == alike.theta[:1]).all()
    assert (alike.elastic == alike.elastic[:1]).all()
    each = stage_of("gcl", 1)[1].spatial(drawn, slices.generator)
    assert not (each.theta == each.theta[:1]).all()


@pytest.mark.parametrize(("map_side", "count"), [(16, 13), (20, 13), (9, 9), (2, 1)])
def test_regions_are_squares_that_do_not_overlap(map_side, count):
    regions = sample_regions(map_side, 3, 13, torch.Generator().manual_seed(1))
    side = min(3, map_side)
    assert regions.shape == (count, side * side)
    assert len(regions.unique()) == regions.numel()
    y, x = regions // map_side, regions % map_side
    assert ((y.amax(1) - y.amin(1)) == side - 1).all()
    assert ((x.amax(1) - x.amin(1)) == side - 1).all()
    assert regions.min() >= 0
    assert regions.max() < map_side**2


def test_others_are_never_the_region_itself():
    generator = torch.Generator().manual_seed(1)
    for negatives, expected in ((5, 5), (None, 12), (50, 12)):
        others = sample_others(13, negatives, generator)
        assert not others.diagonal().any()
        assert (others.sum(1) == expected).all()
    assert not torch.equal(sample_others(13, 5, generator), sample_others(13, 5, generator))


@pytest.mark.parametrize(("name", "number"), PRETRAINING)
def test_a_batch_of_another_stage_is_refused(name, number, slices):
    _, stage = stage_of(name, number)
    plain = Batch([torch.randn(4, 3, 16, 16)] * 2, torch.zeros(4, 16, 16))
    with pytest.raises(TypeError, match="this stage needs a batch"):
        stage.loss(plain, 0.0)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("levels", [2, 5])
def test_every_size_and_the_published_network_train(name, levels, slices):
    plan = dataclasses.replace(PLAN, published=levels == 5, levels=levels, slice_size=32 if levels == 5 else 16)
    method = METHODS[name](plan, 2)
    assert sum(stage.share for stage in method.stages) == pytest.approx(1)
    slices.size = round(plan.slice_size * 1.25)
    for stage in method.stages:
        total = torch.stack(list(stage.loss(stage.batch(slices, CPU), 0.5).values())).sum()
        total.backward()
        assert torch.isfinite(total)
        assert stage.learning_rate > 0
