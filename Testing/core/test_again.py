"""Training again: what was learned is kept, structures come and go, and what cannot start from a model says so."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from models import random_model
from phantoms import write

from mmgl.data.facts import ChannelFacts, ScanFacts
from mmgl.data.plan import Normalisation, Plan, make_plan
from mmgl.imaging.grid import Grid
from mmgl.messages import MMGLError
from mmgl.methods import METHODS, TWO_NETWORKS, build_method
from mmgl.methods.stage import CALM, HURRY
from mmgl.methods.two_networks import TwoNetworks
from mmgl.model import read_card, read_model
from mmgl.networks.unet import UNet
from mmgl.study import Study, Use
from mmgl.training.again import RARE, begin_with, grown, model_file, plan_again, start_from
from mmgl.training.budget import Budget
from mmgl.training.loop import Trainer
from mmgl.training.optimiser import optimiser_of
from mmgl.training.rehearsal import TIMED, UNTIMED
from mmgl.training.train import resume, train

MEANINGS = {"1": "Left", "2": "Right"}


def key_of(call):
    with pytest.raises(MMGLError) as error:
        call()
    return error.value.key


@pytest.fixture(scope="module", autouse=True)
def _small_steps():
    """Few slices at once: what is tested is what is kept, not how well it can be learned."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmgl.training.preparing.make_plan", lambda *a, **k: replace(make_plan(*a, **k), batch=4))
        patch.setattr("mmgl.training.again.fitting_batch", lambda *a, **k: 4)
        yield


def two_discs(seed, size=(6, 48, 48)):
    """Return image, labelmap and grid of two discs of different brightness, somewhere in noise."""
    generator = np.random.default_rng(seed)
    _, y, x = np.indices(size)
    labelmap = np.zeros(size, np.uint8)
    for value, radius, column in ((1, 9, 13), (2, 8, 35)):
        row, column = 24 + generator.uniform(-5, 5), column + generator.uniform(-3, 3)
        labelmap[(y - row) ** 2 + (x - column) ** 2 < radius**2] = value
    image = np.array([20.0, 90.0, 150.0])[labelmap] + generator.normal(0, 12, size)
    return image.astype(np.float32), labelmap, Grid(size, (4.0, 1.0, 1.0), (0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study in which only one of two discs was painted at first, with a model of it; now both are."""
    folder = tmp_path_factory.mktemp("again")
    study = Study.create(folder / "study")
    for number in range(4):
        image, labelmap, grid = two_discs(number)
        scan, label = (write(folder / k / f"case-{number}.nii.gz", a, grid) for k, a in (("i", image), ("l", labelmap)))
        use = Use.TRAIN if number < 2 else Use.CHECK
        study.add_case(scan, label=label, use=use, meanings={"1": "Left", "2": ""})
    study.save()
    train(study, method="supervised", budget=Budget(steps=40), device="cpu", name="first")
    for case in study.cases:
        study.set_label(case.name, case.label.path, MEANINGS)
    study.save()
    return study


def test_old_structures_keep_their_dice_and_a_new_one_is_learned(study):
    events = []
    again = train(study, budget=Budget(steps=20), device="cpu", start="first", on_event=events.append)
    before, after = (read_card(study.folder / "models" / f"{name}.mmgl").scores for name in ("first", again.stem))
    assert set(before) == {"Left"}
    assert before["Left"] > 0.8
    assert after["Left"] > before["Left"] - 0.02
    assert after["Right"] > 0.8
    told = next(event for event in events if event["event"] == "again")
    assert (told["model"], told["new"], told["gone"]) == ("first", ["Right"], [])


def test_a_new_structure_that_is_painted_in_one_scan_only_is_learned_from_that_one(study):
    partly = Study.open(study.folder)
    partly.set_label("case-0", partly.case("case-0").label.path, {"1": "Left", "2": ""})
    events = []
    train(partly, budget=Budget(steps=40), device="cpu", start="first", name="partly", on_event=events.append)
    assert [e["case"] for e in events if e["event"] == "finding" and e["key"] == "check.missing"] == ["case-0"]
    before, after = (read_card(study.folder / "models" / f"{name}.mmgl").scores for name in ("first", "partly"))
    assert after["Left"] > before["Left"] - 0.02
    assert after["Right"] > 0.8


@torch.no_grad()
def test_at_the_beginning_old_structures_are_where_they_were():
    torch.manual_seed(0)
    network = UNet(1, 3, width=4, levels=3)
    images = torch.randn(2, 1, 32, 32)
    network.eval()
    before = network(images).softmax(1)
    weights = grown(network.state_dict(), (1, None, 0), torch.Generator().manual_seed(0))
    after = UNet(1, 4, width=4, levels=3)
    after.load_state_dict(weights)
    found = after.eval()(images).softmax(1)
    assert torch.allclose(found[:, 1] / found[:, 0], before[:, 2] / before[:, 0], rtol=1e-4)
    assert torch.allclose(found[:, 3] / found[:, 0], before[:, 1] / before[:, 0], rtol=1e-4)
    new = weights["classifiers.0.weight"][2]
    assert not any(torch.equal(new, weights["classifiers.0.weight"][i]) for i in (0, 1, 3))
    share = found[:, 2] / found[:, 0]  # of what was background until now
    assert 0 < float(share.min()) < RARE < float(share.max())
    assert float(share.mean()) < 2 * RARE
    dropped = grown(network.state_dict(), (1,), torch.Generator().manual_seed(0))
    assert torch.equal(dropped["classifiers.0.weight"], network.state_dict()["classifiers.0.weight"][[0, 2]])


@pytest.mark.parametrize("name", ["supervised", "mmgl+"])
@pytest.mark.parametrize("new", [False, True])
def test_a_trained_network_is_calmed_but_for_what_finds_new_structures(name, new):
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=3, batch=4)
    method = build_method(name, plan, 2)
    begin_with(method, UNet(1, 3, width=4, levels=3).state_dict(), new=new)
    for stage in method.stages:
        network = stage.network
        groups = optimiser_of(stage).param_groups
        learned = [parameter for group in groups for parameter in group["params"]]
        assert len(learned) == len(set(learned)) == len(list(stage.parameters()))
        paces = {p: group["highest"] / stage.learning_rate for group in groups for p in group["params"]}
        assert {paces[p] for p in network.encoder.parameters()} == {CALM}
        assert {paces[p] for p in network.decoder.parameters()} == {1.0 if new else CALM}
        assert {paces[p] for p in network.classifiers.parameters()} == {HURRY if new else CALM}


def test_structures_are_known_by_their_id_here_and_by_their_name_from_elsewhere(study, tmp_path):
    copy = Study.open(study.folder)
    copy.change_structure(replace(copy.structure("Left"), name="Sinister"))
    assert start_from(copy, "first").outputs == (0, None)
    elsewhere = tmp_path / "first.mmgl"
    elsewhere.write_bytes((study.folder / "models" / "first.mmgl").read_bytes())
    assert start_from(study, elsewhere).outputs == (0, None)
    assert start_from(study, elsewhere).seen == frozenset()
    assert key_of(lambda: start_from(copy, elsewhere)) == "again.structures"
    copy.remove_structure("Sinister")
    assert key_of(lambda: start_from(copy, "first")) == "again.structures"


def test_what_cannot_be_started_from(study, tmp_path):
    budget = Budget(steps=1)
    assert key_of(lambda: train(study, budget=budget, start="nothing")) == "again.none"
    assert key_of(lambda: train(study, budget=budget, start="first", method="mcsc")) == "again.method"
    assert key_of(lambda: train(study, budget=budget, start="first", method="magic")) == "method.unknown"
    with pytest.raises(ValueError, match="plan"):
        train(study, budget=budget, start="first", published=True)
    empty = Study.create(tmp_path / "empty")
    assert key_of(lambda: model_file(empty.folder, "latest")) == "again.none"
    coloured = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),) * 3, width=4, levels=3)
    model = random_model(tmp_path / "coloured.mmgl", coloured, structures=study.structures)
    assert key_of(lambda: train(study, budget=budget, start=model, name="never")) == "again.scans"
    assert not (study.folder / "runs" / "never" / "config.json").exists()


def test_the_plan_of_the_model_stays():
    known = Plan((None, 1.5, 1.5), ("axial",), 64, (Normalisation("scan"),), width=24, levels=4, batch=3)
    facts = [ScanFacts("a", (20, 90, 90), (9.0, 0.7, 0.7), "MR", (ChannelFacts(0, 1, 0.5, 0.2),))]
    plan = plan_again(known, facts, free_memory=10**10, on_gpu=False)
    assert (plan.spacing, plan.planes, plan.slice_size) == (known.spacing, known.planes, known.slice_size)
    assert (plan.width, plan.levels, plan.normalisation) == (known.width, known.levels, known.normalisation)
    assert plan.batch == 4  # what this computer decides (the fixture)
    assert plan.scans.spacing == ((9.0, 9.0), (0.7, 0.7), (0.7, 0.7))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_of_one_network_goes_on_from_its_weights(name):
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=3, batch=4)
    method = build_method(name, plan, 2)
    assert any(isinstance(stage, TwoNetworks) for stage in method.stages) is (name in TWO_NETWORKS)
    if name in TWO_NETWORKS:
        return
    weights = UNet(1, 3, width=4, levels=3).state_dict()
    begin_with(method, weights, new=True)
    assert all(stage.segments for stage in method.stages)
    assert sum(stage.share for stage in method.stages) == pytest.approx(1)
    networks = [module for module in method.modules() if isinstance(module, UNet)]
    assert any(network is method.network for network in networks)
    for network in networks:
        assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


def test_the_latest_is_the_one_that_the_last_verdict_says_to_use(tmp_path):
    for name in ("good", "worse"):
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / f"{name}.mmgl").touch()
    assert model_file(tmp_path, "latest").stem in ("good", "worse")
    run = tmp_path / "runs" / "worse"
    run.mkdir(parents=True)
    for use, found in (("good", "good"), ("gone", None), ("../models/good", None)):
        (run / "verdict.json").write_text(json.dumps({"findings": [], "use": use}), encoding="utf-8")
        newest = max((tmp_path / "models").iterdir(), key=lambda file: (file.stat().st_mtime_ns, file.stem))
        assert model_file(tmp_path, "latest").stem == (found or newest.stem)


def test_going_on_needs_the_first_model_no_more_and_gives_the_same_weights(study, monkeypatch):
    arguments = {"method": "mmgl+", "budget": Budget(steps=6), "device": "cpu", "start": "first"}
    whole = train(study, name="whole", **arguments)

    class KilledError(Exception):
        pass

    taken, step = [], Trainer._step

    def killed(self, *given):
        if len(taken) == 4 + (UNTIMED + TIMED) * len(self.method.stages):
            raise KilledError
        taken.append(1)
        return step(self, *given)

    monkeypatch.setattr("mmgl.training.loop.SAVE_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", killed)
        with pytest.raises(KilledError):
            train(study, name="killed", **arguments)
    first = study.folder / "models" / "first.mmgl"
    first.rename(first.with_suffix(".away"))
    try:
        gone_on = resume(study, "killed", device="cpu")
    finally:
        first.with_suffix(".away").rename(first)
    one, two = read_model(whole)[1], read_model(gone_on)[1]
    assert all(np.array_equal(one[key], two[key]) for key in one)


def test_check_cases_that_the_first_model_learned_from_are_told(study, tmp_path):
    other = Study.open(study.folder)
    image, labelmap, grid = two_discs(9)
    scan, label = (write(tmp_path / f"{kind}.nii.gz", array, grid) for kind, array in (("i", image), ("l", labelmap)))
    other.add_case(scan, label=label, name="new", meanings=MEANINGS)
    for case in other.checks:
        other.set_use(case.name, Use.LEAVE_OUT)
    other.set_use("case-0", Use.CHECK)  # the first model has seen it, and so the second has
    events = []
    train(other, budget=Budget(steps=1), device="cpu", name="seen", start="first", on_event=events.append)
    findings = next(event for event in events if event["event"] == "verdict")["findings"]
    assert {"key": "verdict.seen", "parameters": {"cases": 1, "model": "first"}} in findings
    assert not [finding for finding in findings if finding["key"].startswith("compare.")]
