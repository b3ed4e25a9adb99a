"""The plan: spacing, planes, sizes and normalisation follow from the data, and survive JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from phantoms import write

from mmgl.data.facts import ChannelFacts, ScanFacts, channel_facts, known_facts, scan_facts
from mmgl.data.plan import Normalisation, Plan, make_plan
from mmgl.data.prepare import normalise, prepare_scan
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.messages import MMGLError
from mmgl.study import Study
from mmgl.study.statistics import statistics

GIGABYTE = 1 << 30


def facts(size, spacing, modality="MR", painted=None, channels=1, low=0.0):
    return ScanFacts("a", size, spacing, modality, (ChannelFacts(low, 200.0, 80.0, 30.0),) * channels, painted)


def plan_of(*scans, memory=8 * GIGABYTE, on_gpu=False, published=False):
    return make_plan(scans, free_memory=memory, on_gpu=on_gpu, published=published)


def test_near_isotropic_scans_are_learned_from_in_three_planes():
    plan = plan_of(facts((35, 50, 36), (1.0, 1.0, 1.0)), facts((38, 48, 36), (1.0, 1.0, 1.0)))
    assert plan.planes == ("axial", "coronal", "sagittal")
    assert plan.spacing == (1.0, 1.0, 1.0)
    assert plan.slice_size == 64


@pytest.mark.parametrize(
    ("spacing", "plane"), [((8.0, 1.4, 1.4), "axial"), ((1.4, 8.0, 1.4), "coronal"), ((1.0, 1.0, 6.0), "sagittal")]
)
def test_thick_slices_are_learned_from_in_their_own_plane_only(spacing, plane):
    size = tuple(10 if s > 5 else 200 for s in spacing)
    plan = plan_of(facts(size, spacing))
    assert plan.planes == (plane,)
    assert [s is None for s in plan.spacing] == [s > 5 for s in spacing]
    assert plan.size_on_grid(size, spacing)[spacing.index(max(spacing))] == 10


def test_planes_that_are_asked_for_are_kept_where_they_fit():
    cube, thick = facts((35, 50, 36), (1.0, 1.0, 1.0)), facts((10, 200, 200), (8.0, 1.4, 1.4))
    whole = make_plan([cube], free_memory=GIGABYTE, on_gpu=False)
    plan = make_plan([cube], free_memory=GIGABYTE, on_gpu=False, planes=["sagittal", "axial"])
    assert plan.planes == ("axial", "sagittal")
    assert replace(plan, planes=whole.planes) == whole
    for scan in (thick, facts((1, 300, 200), (1.0, 0.9, 0.9), "picture")):
        assert make_plan([scan], free_memory=GIGABYTE, on_gpu=False, planes=["axial"]).planes == ("axial",)
        with pytest.raises(MMGLError, match="that fit are: axial") as raised:
            make_plan([scan], free_memory=GIGABYTE, on_gpu=False, planes=["coronal"])
        assert raised.value.key == "plan.planes"


def test_one_slice_is_its_own_plane():
    assert plan_of(facts((1, 300, 200), (1.0, 0.9, 0.9))).planes == ("axial",)


def test_large_structures_make_the_grid_coarser_so_that_they_fit_into_a_slice():
    fine = plan_of(facts((300, 512, 512), (0.8, 0.7, 0.7), "CT", painted=(60.0, 50.0, 40.0)))
    coarse = plan_of(facts((300, 512, 512), (0.8, 0.7, 0.7), "CT", painted=(200.0, 240.0, 250.0)))
    assert fine.spacing[0] == pytest.approx(1.3 * 0.73, abs=0.02)
    assert coarse.spacing[0] == pytest.approx(1.5 * 250 / 128, abs=0.01)


def test_the_grid_is_coarser_where_a_slice_would_cover_little_of_a_scan():
    small, wide = ((9, 120, 120), (8.0, 1.5, 1.5)), ((9, 230, 260), (8.0, 1.5, 1.5))
    assert plan_of(facts(*small)).spacing[1] == 1.5
    assert plan_of(facts(*wide)).spacing[1] == pytest.approx(1.3 * 1.5, abs=0.01)
    assert plan_of(facts(*wide), on_gpu=True).spacing[1] == 1.5


def test_normalisation_follows_the_modality():
    assert plan_of(facts((9, 90, 90), (1, 1, 1), "MR")).normalisation == (Normalisation("scan"),)
    assert plan_of(facts((9, 90, 90), (1, 1, 1), "CT")).normalisation[0].kind == "fixed"
    assert plan_of(facts((9, 90, 90), (1, 1, 1), "", low=-1000.0)).normalisation[0].kind == "fixed"
    picture = plan_of(facts((1, 300, 200), (1, 1, 1), "picture", channels=3))
    assert [n.kind for n in picture.normalisation] == ["fixed"] * 3
    assert picture.pictures
    assert max(picture.size_on_grid((1, 300, 200), (1, 1, 1))) == picture.slice_size


def test_little_memory_makes_a_smaller_batch():
    scan = facts((100, 512, 512), (1.0, 0.7, 0.7))
    assert plan_of(scan, memory=200 << 20).batch < plan_of(scan).batch <= 16
    assert plan_of(scan, memory=1).batch == 2


def test_the_published_size():
    plan = plan_of(facts((200, 512, 512), (1.0, 1.0, 1.0)), published=True)
    assert (plan.width, plan.slice_size, plan.published) == (64, 160, True)


def test_scans_of_other_channel_counts_are_refused():
    with pytest.raises(MMGLError) as error:
        plan_of(facts((9, 9, 9), (1, 1, 1)), facts((9, 9, 9), (1, 1, 1), channels=2))
    assert error.value.key == "scan.other_channels"


def test_no_scans():
    with pytest.raises(MMGLError):
        plan_of()


@pytest.mark.parametrize("modality", ["MR", "CT", "picture"])
def test_json_and_back(modality):
    plan = plan_of(facts((9, 90, 90), (8.0, 1.0, 1.0), modality))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spacing", [1.0, 1.0]),
        ("spacing", [0.0, 1.0, 1.0]),
        ("planes", []),
        ("planes", ["oblique"]),
        ("slice_size", 10**9),
        ("width", 10**6),
        ("levels", 99),
        ("normalisation", []),
        ("normalisation", [{"kind": "eval"}]),
        ("normalisation", [{"kind": "scan", "other": 1}]),
        ("normalisation", [{"kind": "scan", "deviation": {"a": {}}}]),
        ("normalisation", [{"kind": "scan", "low": "0"}]),
        ("normalisation", [{"kind": "fixed", "high": float("inf")}]),
        ("normalisation", [{"kind": ["scan"]}]),
        ("batch", "many"),
    ],
)
def test_impossible_plans_are_refused(key, value):
    good = plan_of(facts((9, 90, 90), (1, 1, 1))).to_json()
    with pytest.raises(ValueError, match="its plan"):
        Plan.from_json({**good, key: value})
    with pytest.raises(ValueError, match="its plan"):
        Plan.from_json({k: v for k, v in good.items() if k != key})


def test_facts_of_a_scan_are_those_of_its_canonical_orientation(tmp_path):
    grid = Grid((40, 30, 12), (0.8, 0.9, 5.0), directions=((0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)))
    labelmap = np.zeros(grid.size, np.uint8)
    labelmap[10:20, 5:8, 2:4] = 1
    array = np.random.default_rng(0).normal(100, 10, (1, *grid.size))
    found = scan_facts("a", Scan(array, grid, "MR"))
    assert found.size == (30, 12, 40)
    assert found.spacing == (0.9, 5.0, 0.8)
    assert found.channels[0].mean == pytest.approx(100, abs=1)
    study = Study.create(tmp_path / "study")
    image, label = (
        write(tmp_path / "a.nii.gz", array[0].astype(np.float32), grid),
        write(tmp_path / "l.nrrd", labelmap, grid),
    )
    case = study.add_case(image, label=label, name="a", meanings={"1": "Box"})
    for _ in range(2):  # read, then remembered
        known = known_facts(case, statistics(case, study.structures, study.folder / "statistics"))
        assert known.painted == pytest.approx((3 * 0.9, 2 * 5.0, 10 * 0.8))
        assert replace(known, painted=None) == scan_facts("a", study.read_scan(case))


def test_normalised_numbers_lie_around_zero():
    array = np.random.default_rng(0).normal(500, 90, (1, 20, 30, 40)).astype(np.float32)
    result = normalise(array, [Normalisation("scan")])
    assert abs(result.mean()) < 0.02
    assert abs(result.std() - 1) < 0.02


def test_a_spacing_that_cannot_be_true_is_refused_before_memory_runs_out():
    plan = plan_of(facts((8, 90, 90), (1, 1, 1)))
    scan = Scan(np.zeros((1, 30, 40, 50), np.int16), Grid((30, 40, 50), (50.0, 80.0, 800.0)), "MR")
    with pytest.raises(MMGLError) as error:
        prepare_scan(scan, plan)
    assert error.value.key == "scan.too_large"


def test_an_outlier_does_not_move_the_others():
    array = np.random.default_rng(0).normal(500, 90, (1, 20, 30, 40)).astype(np.float32)
    spiked = array.copy()
    spiked[0, 0, 0, 0] = 1e6
    first, second = (normalise(a.copy(), [Normalisation("scan")]) for a in (array, spiked))
    assert np.abs(first - second)[0, 1:].max() < 1e-2
    assert second.max() < 5


def test_preparing_does_not_change_the_scan():
    array = np.random.default_rng(0).normal(500, 90, (1, 8, 9, 10)).astype(np.float32)
    before = array.copy()
    plan = plan_of(facts((8, 9, 10), (1, 1, 1)))
    prepare_scan(Scan(array, Grid((8, 9, 10)), "MR"), plan)
    assert np.array_equal(array, before)


def test_channel_facts_ignore_the_outermost_half_percent():
    values = np.concatenate([np.full(1000, 10.0), np.full(4, 1e9)])
    assert channel_facts(values.reshape(1, 1, -1)).high == pytest.approx(10.0)
