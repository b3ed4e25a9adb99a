"""A scan segmented: regions, chosen structures, a small graphics card, and what must not matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import STRUCTURES, predictor, random_model
from phantoms import ball_scan

from mmgl.data import prepare
from mmgl.data.plan import PLANES, Normalisation, Plan
from mmgl.device import _bfloat16_is_faster, bfloat16_pays
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.inference.crf import Crf
from mmgl.inference.fused import Fused
from mmgl.inference.planes import fuse
from mmgl.inference.predictor import Predictor, network_of
from mmgl.inference.refining import refine_fused
from mmgl.inference.region import on_plan
from mmgl.inference.settings import Settings
from mmgl.messages import MMGLError
from mmgl.networks.folding import fold_norms

TURNED = ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0))


def scan_of(seed=0, size=(16, 40, 36), spacing=(2.0, 1.0, 1.0), directions=None):
    image, _, grid = ball_scan(seed, size, spacing)
    return Scan(image[None], replace(grid, directions=directions) if directions else grid, "MR")


@pytest.mark.parametrize("directions", [None, TURNED])
@pytest.mark.parametrize("planes", [("axial",), PLANES])
def test_a_region_comes_out_as_in_the_whole_scan(tmp_path, directions, planes):
    plan = Plan((1.1, 1.1, 1.1), planes, 32, (Normalisation("scan"),), width=4, levels=2)
    segmenter = predictor(tmp_path, plan=plan)
    scan = scan_of(size=(70, 66, 75), spacing=(1.0, 1.0, 1.0), directions=directions)
    whole = segmenter.segment(scan)
    region = ((30, 36), (2, 9), (60, 75))
    size = prepare.plan_size(scan, plan)
    box = on_plan(region, scan.grid, size, plan, segmenter.network.stride)
    assert np.prod([b - a for a, b in box]) < 0.5 * np.prod(size)
    part = segmenter.result(scan, Settings(region=region)).labelmap
    inside = tuple(slice(*side) for side in region)
    assert len(np.unique(whole[inside])) > 1
    assert (part[inside] == whole[inside]).mean() > 0.999
    part[inside] = 0
    assert not part.any()


def test_a_region_outside_of_the_scan_is_refused(tmp_path):
    with pytest.raises(MMGLError) as error:
        predictor(tmp_path).result(scan_of(), Settings(region=((20, 30), (0, 5), (0, 5))))
    assert error.value.key == "segment.region"


def test_chosen_structures_are_what_they_are_among_all(tmp_path):
    segmenter, scan = predictor(tmp_path), scan_of()
    every = segmenter.segment(scan)
    result = segmenter.result(scan, Settings(structures=("Core",)))
    assert set(np.unique(every)) == {0, 1, 2}
    assert np.array_equal(result.labelmap == 2, every == 2)
    assert not (result.labelmap == 1).any()
    assert [s.structure for s in result.doubt.structures] == ["Core"]


def test_a_structure_the_model_has_not_is_refused(tmp_path):
    for settings in (Settings(structures=("Cor",)), Settings(largest=("Cor",)), Settings(filled=("Cor",))):
        with pytest.raises(MMGLError, match="no structure called Cor"):
            predictor(tmp_path / str(settings.__hash__())).result(scan_of(), settings)


def test_folding_the_norms_changes_nothing(tmp_path):
    card = Predictor(random_model(tmp_path / "a.mmgl"), "cpu").card
    torch.manual_seed(0)
    network = network_of(card)
    network.train()(torch.randn(4, 1, 32, 32))
    network.eval()
    slices = torch.randn(2, 1, 32, 32)
    before = network(slices)
    fold_norms(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    assert torch.allclose(network(slices), before, atol=1e-4)


class SmallCard(torch.nn.Module):
    """A network on a device whose memory holds only so many slices at once."""

    def __init__(self, holds):
        super().__init__()
        self.holds, self.sizes = holds, []

    def forward(self, slices):
        self.sizes.append(len(slices))
        if len(slices) > self.holds:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return torch.cat([slices, -slices], 1)


def test_batches_become_smaller_until_they_fit():
    plan = Plan((1.0, 1.0, 1.0), PLANES, 32, (Normalisation("scan"),))
    image = torch.rand(1, 12, 13, 14)
    small, large = SmallCard(3), SmallCard(100)
    first = fuse(small, image, plan, stride=1).tensor()
    assert torch.allclose(first, fuse(large, image, plan, stride=1).tensor(), atol=1e-5)
    assert max(small.sizes) > 3
    assert small.sizes.index(next(s for s in small.sizes if s <= 3)) <= 3  # it learns once what fits
    assert all(s <= 3 for s in small.sizes[4:])


def test_the_processor_takes_over_from_a_card_that_holds_not_one_slice(tmp_path, monkeypatch):
    """For this scan: the next one may fit again."""
    segmenter, scan = predictor(tmp_path), scan_of()
    wanted = segmenter.segment(scan)
    own, card = segmenter.network, SmallCard(0)
    card.stride, card.to = own.stride, lambda device: setattr(segmenter, "network", own)
    own.to = lambda device: setattr(segmenter, "network", card)
    segmenter.network = card
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    for number in (1, 2):
        result = segmenter.result(scan)
        assert [f.key for f in result.findings] == ["segment.on_processor"]
        assert np.array_equal(result.labelmap, wanted)
        assert segmenter.network is card
        assert card.sizes.count(1) == number


def test_slabs_of_a_prepared_scan_are_those_of_the_whole(monkeypatch):
    plan = Plan((1.3, 0.9, 1.2), ("axial",), 32, (Normalisation("scan"), Normalisation("fixed", 0, 150, 60, 40)))
    array = np.random.default_rng(0).normal(100, 30, (2, 25, 30, 28)).astype(np.int16)
    scan = Scan(array, Grid((25, 30, 28), directions=TURNED), "MR")
    whole = prepare.prepare_scan(scan, plan)
    monkeypatch.setattr(prepare, "SLAB", 5 * whole.shape[2] * whole.shape[3])
    assert np.allclose(prepare.prepare_scan(scan, plan), whole, atol=1e-5)
    part = prepare.prepare_scan(scan, plan, ((3, 9), (4, 20), (1, 17)), np.float16)
    assert part.dtype == np.float16
    assert np.allclose(part, whole[:, 3:9, 4:20, 1:17], atol=5e-3)


def test_mirrored_slices_are_averaged():
    plan = Plan((1.0, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),))
    image = torch.rand(1, 3, 8, 8)

    def network(slices):  # sees left and right differently
        return torch.cat([slices.cumsum(3), slices], 1)

    mirrored = fuse(network, image, plan, stride=1, mirror=True).tensor()
    alone = fuse(network, image, plan, stride=1).tensor()
    flipped = fuse(network, image.flip(-1), plan, stride=1).tensor().flip(-1)
    assert torch.allclose(mirrored, (alone + flipped) / 2, atol=1e-6)
    assert not torch.allclose(mirrored, alone, atol=1e-2)


def test_mirrored_slices_are_for_models_that_saw_them(tmp_path):
    """Averaged with their mirror images, slices of hippocampi lost two thirds of their Dice."""
    with pytest.raises(MMGLError) as error:
        predictor(tmp_path).result(scan_of(), Settings(mirror=True))
    assert error.value.key == "segment.mirror"
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=3, pictures=True)
    picture = scan_of(size=(1, 40, 36))
    segmenter = predictor(tmp_path / "pictures", plan=plan)
    assert (segmenter.result(picture, Settings(mirror=True)).labelmap != segmenter.segment(picture)).any()


def test_precision_is_measured_once(monkeypatch):
    _bfloat16_is_faster.cache_clear()
    before = torch.get_rng_state()
    assert _bfloat16_is_faster() in (True, False)
    _bfloat16_is_faster()
    assert _bfloat16_is_faster.cache_info().misses == 1
    assert torch.equal(torch.get_rng_state(), before)  # measuring takes no random number
    assert bfloat16_pays(torch.device("cpu")) in (True, False)


def test_refining_and_a_finer_grid_go_through(tmp_path):
    segmenter, scan = predictor(tmp_path), scan_of(spacing=(4.0, 1.0, 1.0))
    plain = segmenter.segment(scan)
    result = segmenter.result(scan, Settings(finer=True, doubt_map=True))
    assert result.grid.size == (16 * 5, 40, 36)
    assert np.array_equal(result.labelmap[2::5], plain)
    assert result.doubt_map.dtype == np.float32
    assert result.doubt_map.shape == (16, 40, 36)
    segmenter.card = replace(segmenter.card, crf=Crf().to_json())
    refined = segmenter.result(scan)
    assert 0 < (refined.labelmap != plain).mean() < 0.5
    assert refined.doubt == result.doubt  # it is the network's, and refining does not hide it


def test_refining_tells_when_it_takes_much_away():
    """A small structure the network is unsure of, without an edge around it: the field gives it away."""
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),))
    probabilities = torch.zeros(3, 2, 20, 20)
    probabilities[0] = 0.98
    probabilities[1:] = 0.01
    probabilities[:, :, 9:11, 9:11] = torch.tensor([0.45, 0.01, 0.54])[:, None, None, None]
    probabilities[:, :, 2:7, 2:16] = torch.tensor([0.01, 0.98, 0.01])[:, None, None, None]
    image = torch.zeros(1, 2, 20, 20)
    image[:, :, 2:7, 2:16] = 5.0
    fused = Fused.of(probabilities)
    (finding,) = refine_fused(fused, image, Grid((2, 20, 20)), plan, STRUCTURES)
    assert finding.parameters == {"structure": "Core", "percent": -100}
    assert fused.tensor().argmax(0)[0, 4, 8] == 1
