"""Where to look twice, and whether a scan fits a model."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import RANGES, STRUCTURES
from phantoms import ball_scan, ball_study

from mmgl import Budget, Predictor, train
from mmgl.data.facts import Ranges, scan_facts
from mmgl.data.plan import PLANES, Normalisation, Plan
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.inference import fused as fused_module
from mmgl.inference.doubt import CHECK, Doubt, StructureDoubt, doubt_of, entropy
from mmgl.inference.fit import fit
from mmgl.inference.fused import Fused
from mmgl.inference.usual import usual_doubts

PLAN = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), scans=RANGES)


def sure(size=(12, 10, 10)):
    """Probabilities of a shell in rows 2 to 9 and a core in rows 4 to 6, nearly certain."""
    labelmap = np.zeros(size, int)
    labelmap[2:10, 2:8, 2:8] = 1
    labelmap[4:7, 4:6, 4:6] = 2
    probabilities = torch.nn.functional.one_hot(torch.from_numpy(labelmap), 3).movedim(-1, 0).float()
    return probabilities * 0.97 + 0.01


def test_a_sure_result_need_not_be_checked():
    doubt = doubt_of(Fused.of(sure()), Grid((12, 10, 10)), PLAN, STRUCTURES)
    assert [s.check for s in doubt.structures] == [False, False]
    assert doubt.structures[0].doubt == pytest.approx(0.02, abs=1e-3)
    assert doubt.slices == ()


def test_doubt_is_found_in_its_structure_and_its_slice():
    probabilities = sure()
    probabilities[:, 5, 4:6, 4:6] = torch.tensor([0.01, 0.47, 0.52])[:, None, None]
    probabilities[:, 8, 2:8, 2:8] = torch.tensor([0.45, 0.54, 0.01])[:, None, None]
    doubt = doubt_of(Fused.of(probabilities), Grid((12, 10, 10)), PLAN, STRUCTURES)
    shell, core = doubt.structures
    assert core.doubt == pytest.approx((8 * 0.02 + 4 * 0.48) / 12, abs=1e-3)
    assert shell.doubt < core.doubt
    assert [(s.index, s.structure) for s in doubt.slices] == [(8, "Shell"), (5, "Core")]
    assert doubt.slices[0].area == pytest.approx(36 * 0.46, rel=0.01)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_index_of_a_slice_is_the_scans_own(axis, flip):
    """The plan's axial slice 5 of 12 is slice 11 of 24 in the scan, along whatever axis the scan was stored."""
    directions = np.roll(np.eye(3), axis, axis=1)
    directions[:, axis] *= -1 if flip else 1
    size = [20, 20, 20]
    size[axis] = 24
    grid = Grid(tuple(size), directions=tuple(map(tuple, directions.tolist())))
    probabilities = sure()
    probabilities[:, 5, 2:8, 2:8] = torch.tensor([0.45, 0.54, 0.01])[:, None, None]
    (worst,) = doubt_of(Fused.of(probabilities), grid, PLAN, STRUCTURES).slices
    assert worst.axis == axis
    assert worst.plane == "axial"
    assert worst.index in ((12, 13) if flip else (10, 11))


def test_a_structure_that_is_not_found_is_to_be_checked():
    probabilities = sure()[:2]
    doubt = doubt_of(
        Fused.of(torch.cat([probabilities, torch.zeros_like(probabilities[:1])])), Grid((12, 10, 10)), PLAN, STRUCTURES
    )
    assert doubt.structures[1] == StructureDoubt("Core", 1.0, True)


def test_what_is_usual_for_a_model_decides():
    doubts = [Doubt((StructureDoubt("Core", value, False),), ()) for value in (0.3, 0.4, 0.5, 1.0)]
    usual = usual_doubts(doubts)
    assert usual == {"Core": 0.45}
    assert usual["Core"] > CHECK
    probabilities = sure()
    probabilities[:, 4:7, 4:6, 4:6] = torch.tensor([0.0, 0.4, 0.6])[:, None, None, None]
    grid = Grid((12, 10, 10))
    assert doubt_of(Fused.of(probabilities), grid, PLAN, STRUCTURES).structures[1].check
    assert not doubt_of(Fused.of(probabilities), grid, PLAN, STRUCTURES, usual).structures[1].check


@pytest.mark.parametrize("planes", [("axial",), ("coronal",), PLANES])
def test_slabs_give_what_the_whole_gives(planes, monkeypatch):
    torch.manual_seed(0)
    fused, grid = Fused.of((4 * torch.randn(3, 12, 10, 10)).softmax(0)), Grid((12, 10, 10))
    plan = replace(PLAN, planes=planes)
    whole, bits = doubt_of(fused, grid, plan, STRUCTURES), entropy(fused)
    monkeypatch.setattr(fused_module, "SLAB", 3 * 10 * 10 * 2)
    assert len(list(fused.slabs())) == 6
    assert doubt_of(fused, grid, plan, STRUCTURES) == whole
    assert np.array_equal(fused.labelmap(), fused.tensor().argmax(0))
    assert torch.equal(entropy(fused), bits)


def test_entropy_is_one_bit_between_two_and_holds_disagreement():
    probabilities = torch.zeros(3, 2, 2, 2)
    probabilities[0] = 1
    probabilities[:2, 0] = 0.5  # planes that are each sure, of different things
    bits = entropy(Fused.of(probabilities))
    assert torch.equal(bits[0], torch.ones(2, 2))
    assert torch.equal(bits[1], torch.zeros(2, 2))


def scan(size=(16, 40, 36), spacing=(2.0, 1.0, 1.0), modality="MR", change=lambda image: image):
    image, _, grid = ball_scan(0, size, spacing)
    return Scan(change(image)[None], grid, modality)


PLAN_OF_BALLS = replace(PLAN, scans=Ranges.of([scan_facts("a", scan()), scan_facts("b", scan(size=(18, 42, 36)))]))


@pytest.mark.parametrize(
    ("strange", "keys"),
    [
        (scan(), []),
        (scan(modality=""), []),
        (scan(modality="CT"), ["fit.modality"]),
        (scan(size=(4, 40, 36), spacing=(8.0, 1.0, 1.0)), ["fit.coarse"]),
        (scan(size=(160, 40, 36), spacing=(0.2, 1.0, 1.0)), ["fit.fine"]),
        (scan(size=(8, 40, 36)), ["fit.part"]),
        (scan(size=(64, 40, 36)), ["fit.more"]),
        (scan(change=lambda image: 400 - image), ["fit.intensity"]),
        (scan(change=lambda image: 3 * image + 50), []),
    ],
)
def test_a_scan_of_another_kind_is_told(strange, keys):
    findings = fit(strange, PLAN_OF_BALLS)
    assert [f.key for f in findings] == keys
    assert all(f.words.endswith(".") for f in findings)


def test_numbers_with_a_meaning_are_compared_as_they_are():
    plan = replace(PLAN_OF_BALLS, normalisation=(Normalisation("fixed", 0, 200, 60, 40),))
    assert fit(scan(), plan) == []
    assert [f.key for f in fit(scan(change=lambda image: 3 * image + 50), plan)] == ["fit.intensity"]


def test_plans_of_earlier_versions_say_nothing():
    assert fit(scan(modality="CT"), replace(PLAN, scans=None)) == []
    assert Plan.from_json({**PLAN.to_json(), "scans": None}).scans is None
    old = {key: value for key, value in PLAN.to_json().items() if key != "scans"}
    assert Plan.from_json(old).scans is None


def test_ranges_survive_json():
    assert Plan.from_json(PLAN_OF_BALLS.to_json()) == PLAN_OF_BALLS
    with pytest.raises(ValueError, match="its plan"):
        Plan.from_json({**PLAN.to_json(), "scans": {"spacing": 3}})


def test_training_leaves_what_is_usual_on_the_check_cases_in_the_card(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=1)
    segmenter = Predictor(train(study, method="supervised", budget=Budget(2, None), device="cpu"), "cpu")
    results = [segmenter.result(study.read_scan(case)).doubt for case in study.checks]
    wanted = usual_doubts(results)
    assert set(segmenter.card.doubts) == set(wanted)
    for name, doubt in segmenter.card.doubts.items():
        assert doubt == pytest.approx(wanted[name], abs=0.02)  # training may use another precision
    assert segmenter.card.plan.scans == Ranges.of([scan_facts("", study.read_scan(case)) for case in study.labelled])
    assert all(segmenter.fit(study.read_scan(case)) == [] for case in study.checks)
