"""The real worker: geometry from end to end as for the core itself, and the same results as without it."""

import os
import signal
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from models import random_model
from phantoms import ball_scan
from test_own_grid import AXES, GRIDS, NOTHING, directions, labelmap_of, oracle_scan
from test_worker import HOME, key_of, until

from mmgl.data.plan import PLANES, Plan
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.inference.predictor import Predictor, network_of
from mmgl.inference.settings import Settings
from mmgl.jobs import Worker
from mmgl.jobs.exchange import NAMES, SWITCHES
from mmgl.model import Card, write_model
from mmgl.structures import Structure


@pytest.fixture(scope="module")
def worker():
    """A worker for all tests of this file, as it would be in an application."""
    environment = {**os.environ, "PYTHONPATH": HOME}
    worker = Worker(lambda: (sys.executable, "-m", "mmgl"), lambda: environment)
    yield worker
    worker.close()


def ask(worker, scan, model, **settings):
    grid = vars(scan.grid)
    return worker.ask(scan.array, grid, model, name="Müller ☤", modality=scan.modality, device="cpu", settings=settings)


def answer_of(order):
    until(lambda: order.ended)
    try:
        return order.answer()
    finally:
        order.close()


def knowing_model(path, plan):
    """Write a model that says what the channels of an oracle's scan say: its weights hand them on."""
    plan = replace(plan, width=4, levels=2)
    card = Card("oracle", tuple(Structure(i, f"Ball {i}", (i, 0, 0)) for i in (1, 2, 3)), plan, "supervised")
    network = network_of(card).eval()
    with torch.no_grad():
        for name, values in network.state_dict().items():
            values.fill_(1 - 1e-5 if name.endswith("running_var") else 0)
        for norm in [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]:
            norm.weight.fill_(1)
        convolutions = [m for m in (*network.encoder[0], *network.decoder[0]) if isinstance(m, torch.nn.Conv2d)]
        for number, convolution in enumerate(convolutions):
            for i in range(4):
                convolution.weight[i, i + 4 * (number == 2), 1, 1] = 1  # the decoder's first one takes the skip
        for i in range(4):
            network.classifiers[0].weight[i, i] = 50
    if not path.exists():
        write_model(path, card, {k: v.numpy() for k, v in network.state_dict().items()})
    return path


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize(("grid", "planes"), [*((grid, ("axial",)) for grid in GRIDS), ("cubes", PLANES)])
def test_voxel_for_voxel_where_the_spacing_is_the_scans(worker, tmp_path, axes, grid, planes):
    size, spacing = GRIDS[grid]
    own = Grid(size, spacing, (12.5, -40.0, 7.25), directions(axes))
    plan = Plan(own.reorientation().apply_to_grid(own).spacing, planes, 64, (NOTHING,) * 4)
    labelmap = labelmap_of(own)
    answer = answer_of(ask(worker, oracle_scan(labelmap, own), knowing_model(tmp_path / "oracle.mmgl", plan)))
    assert np.array_equal(answer.labelmap, labelmap)
    assert answer.grid == {
        "spacing": list(own.spacing),
        "origin": list(own.origin),
        "directions": [list(row) for row in own.directions],
    }


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize(("grid", "spacing"), [("cubes", 1.31), ("thick slices", 0.63)])
def test_no_shift_where_the_spacing_is_another(worker, tmp_path, axes, grid, spacing):
    size, own_spacing = GRIDS[grid]
    own = Grid(size, own_spacing, (12.5, -40.0, 7.25), directions(axes))
    canonical = own.reorientation().apply_to_grid(own).spacing
    plan = Plan(tuple(None if s > 5 else spacing for s in canonical), ("axial",), 64, (NOTHING,) * 4)
    labelmap = labelmap_of(own)
    found = answer_of(ask(worker, oracle_scan(labelmap, own), knowing_model(tmp_path / "oracle.mmgl", plan))).labelmap
    for value in (1, 2):  # the third is a slice thick in some of the grids
        a, b = found == value, labelmap == value
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) >= 0.9
        assert np.abs(np.argwhere(a).mean(0) - np.argwhere(b).mean(0)).max() <= 0.2


def scan_of(seed=0, spacing=(2.0, 1.0, 1.0)):
    image, _, grid = ball_scan(seed, (16, 40, 36), spacing)
    return Scan(image[None], grid, "MR")


ALL = {
    "region": ((2, 14), (0, 33), (3, 36)),
    "structures": ("Core",),
    "largest": ("Core",),
    "filled": ("Core",),
    "finer": True,
    "doubt_map": True,
    "lower": ("Core",),
    "pieces": 2,
    "fast": True,  # which such a small scan is not
}


@pytest.mark.parametrize("settings", [{}, {"doubt_map": True}, ALL], ids=["none", "doubt", "all"])
def test_the_worker_says_what_the_core_says(worker, tmp_path, settings):
    model, scan = random_model(tmp_path / "random.mmgl"), scan_of(spacing=(4.0, 1.0, 1.0))
    predictor = Predictor(model, "cpu")
    expected, found = predictor.result(scan, Settings(**settings)), answer_of(ask(worker, scan, model, **settings))
    assert np.array_equal(found.labelmap, expected.labelmap)
    assert found.labelmap.any()
    assert found.grid["spacing"] == list(expected.grid.spacing)
    assert found.structures == [vars(s) for s in expected.doubt.structures]
    assert found.slices == [vars(s) for s in expected.doubt.slices]
    assert [f["key"] for f in found.findings] == [f.key for f in expected.findings]
    assert [f["key"] for f in found.fit] == [f.key for f in predictor.fit(scan)]
    if settings.get("doubt_map"):
        assert found.doubt_map.dtype == np.float32
        assert np.array_equal(found.doubt_map, expected.doubt_map)
    else:
        assert found.doubt_map is None


def test_every_setting_of_the_core_can_be_asked_for():
    assert {"region", "pieces", *SWITCHES, *NAMES} == {field.name for field in fields(Settings)} == {*ALL, "mirror"}


def test_it_says_how_far_it_is(worker, tmp_path):
    order = ask(worker, scan_of(), random_model(tmp_path / "random.mmgl"))
    until(lambda: order.ended)
    events = order.events()
    order.close()
    stages = list(dict.fromkeys(event["stage"] for event in events))
    assert stages == ["progress." + s for s in ("starting", "loading", "segmenting", "finishing")]
    shares = [event["share"] for event in events]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert events[-1]["seconds_left"] >= 0


def test_a_model_that_was_written_anew_is_loaded_anew(worker, tmp_path):
    scan, model = scan_of(), tmp_path / "model.mmgl"
    answers = []
    for seed in (1, 2):
        random_model(tmp_path / f"{seed}.mmgl", seed=seed).replace(model)
        answers.append(answer_of(ask(worker, scan, model)).labelmap)
        assert np.array_equal(answers[-1], Predictor(model, "cpu").segment(scan))
    assert not np.array_equal(*answers)


def test_what_is_wrong_is_told_in_words_and_the_process_stays(worker, tmp_path):
    model, scan = random_model(tmp_path / "random.mmgl"), scan_of()
    answer_of(ask(worker, scan, model))
    pid = worker.pid
    skew = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.3), (0.0, 0.0, 1.0))
    hole = scan.array.astype(np.float32)
    hole[0, 3, 3, 3] = np.nan
    wrong = {
        "scan.constant": (Scan(np.zeros_like(scan.array), scan.grid), model, {}),
        "scan.not_numbers": (Scan(hole, scan.grid), model, {}),
        "scan.sheared": (Scan(scan.array, replace(scan.grid, directions=skew)), model, {}),
        "model.channels": (Scan(np.repeat(scan.array, 2, 0), scan.grid), model, {}),
        "file.missing": (scan, tmp_path / "gone.mmgl", {}),
        "model.invalid": (scan, Path(__file__), {}),
        "segment.region": (scan, model, {"region": ((50, 60), (0, 5), (0, 5))}),
        "segment.unknown_structure": (scan, model, {"structures": ("Liver",)}),
        "device.unknown": (scan, model, None),
    }
    for key, (image, file, settings) in wrong.items():
        if settings is None:
            order = worker.ask(image.array, vars(image.grid), file, name="Scan", device="tpu")
        else:
            order = ask(worker, image, file, **settings)
        assert key_of(lambda order=order: answer_of(order)) == key
    assert np.array_equal(answer_of(ask(worker, scan, model)).labelmap, Predictor(model, "cpu").segment(scan))
    assert worker.pid == pid


@pytest.mark.skipif(sys.platform == "win32", reason="plays with signals")
def test_killed_from_outside_the_next_one_goes_well(worker, tmp_path):
    model, scan = random_model(tmp_path / "random.mmgl"), scan_of()
    answer_of(ask(worker, scan, model))
    order = ask(worker, scan, model)
    os.kill(worker.pid, signal.SIGSTOP)  # whatever it is at, it does not end before it is killed
    if not order.ended:
        os.kill(worker.pid, signal.SIGKILL)
        assert key_of(lambda: answer_of(order)) == "worker.died"
    assert np.array_equal(answer_of(ask(worker, scan, model)).labelmap, Predictor(model, "cpu").segment(scan))
