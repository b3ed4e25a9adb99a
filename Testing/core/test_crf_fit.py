"""Parameters of the dense CRF, chosen for a model on its check cases, or none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from models import random_model
from phantoms import ball_study

from mmgl import Budget, train
from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Normalisation, Plan
from mmgl.inference import crf_fit
from mmgl.inference.crf import Crf
from mmgl.inference.crf_fit import CANDIDATES, best_of, fit_crf
from mmgl.methods.glrp import Glrp
from mmgl.methods.stage import Method
from mmgl.methods.supervised import Supervised
from mmgl.model import Card, read_card

PLAN = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=3)


class Speckled(torch.nn.Module):
    """A network that sees where the image is bright, through speckles; ``blind`` it finds it where it is not."""

    stride = 4

    def __init__(self, blind=False):
        super().__init__()
        self.blind = blind

    def forward(self, slices):
        generator = torch.Generator().manual_seed(0)
        signal = -slices if self.blind else slices
        noise = 0 if self.blind else 2.5 * torch.randn(slices.shape, generator=generator)
        return torch.cat([-(signal + noise), signal + noise], 1)


def cases(folder, count):
    """Squares on a dark ground; one of them is not labelled to its end."""
    found = []
    for number in range(count):
        labelmap = np.zeros((2, 24, 24), np.int16)
        labelmap[:, 4 + number : 17, 6:19] = 1
        image = np.where(labelmap > 0, 1.0, -1.0).astype(np.float16)[None]
        if number == 1:
            labelmap[1] = -1
        files = folder / f"{number}.npy", folder / f"{number}-label.npy"
        np.save(files[0], image)
        np.save(files[1], labelmap)
        found.append(PreparedCase(str(number), str(number), *files, (1.0, 1.0, 1.0)))
    return found


def test_what_helps_on_cases_that_had_no_say_is_taken(tmp_path):
    network = Speckled().train()
    crf = fit_crf(network, cases(tmp_path, 4), PLAN, torch.device("cpu"))
    assert crf in CANDIDATES
    assert network.training
    assert fit_crf(Speckled(), cases(tmp_path, 3), PLAN, torch.device("cpu")) is None


def test_a_network_that_it_does_not_help_is_not_refined(tmp_path):
    assert fit_crf(Speckled(blind=True), cases(tmp_path, 4), PLAN, torch.device("cpu")) is None


def test_each_half_judges_what_the_other_one_chose():
    one, two = CANDIDATES[:2]
    halves = np.array([0, 1, 0, 1])
    agreed = np.array([[0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [0.4, 0.3, 0.5], [0.4, 0.5, 0.6]])
    assert best_of(agreed, halves, (one, two)) is two
    apart = np.array([[0.5, 0.9, 0.4], [0.5, 0.4, 0.9], [0.5, 0.9, 0.4], [0.5, 0.4, 0.9]])
    assert best_of(apart, halves, (one, two)) is None
    assert best_of(np.full((4, 3), 0.5), halves, (one, two)) is None


def test_scans_of_one_patient_are_in_one_half(tmp_path, monkeypatch):
    """Both phases of a heart are alike: what one of them chooses the other one could not judge."""
    asked = []
    monkeypatch.setattr(crf_fit, "best_of", lambda rows, half, candidates: asked.append(half.tolist()))
    pairs = [replace(case, patient=patient) for case, patient in zip(cases(tmp_path, 4), "aabb", strict=True)]
    fit_crf(Speckled(), pairs, PLAN, torch.device("cpu"), CANDIDATES[:1])
    assert asked == [[0, 0, 1, 1]]
    alone = [replace(case, patient="a") for case in pairs]
    assert fit_crf(Speckled(), alone, PLAN, torch.device("cpu"), CANDIDATES[:1]) is None
    assert len(asked) == 1


def test_only_the_method_whose_paper_has_it_is_refined():
    assert Glrp.refines
    assert not Method.refines
    assert not Supervised.refines


def test_the_card_keeps_what_was_chosen(tmp_path, monkeypatch):
    chosen = Crf(appearance=1.5, intensity=0.25)
    monkeypatch.setattr("mmgl.training.ending.fit_crf", lambda *_: chosen)
    monkeypatch.setattr(Supervised, "refines", True)
    study = ball_study(tmp_path, 1, 0, 1, size=(4, 32, 32))
    model = train(study, method="supervised", budget=Budget(2, None), device="cpu")
    assert Crf.from_json(read_card(model).crf) == chosen


@pytest.mark.parametrize("crf", [{"appearance": 1.0}, {**Crf().to_json(), "iterations": 9}])
def test_parameters_that_are_none_are_refused(tmp_path, crf):
    card = read_card(random_model(tmp_path / "a.mmgl"))
    assert Card.from_json(replace(card, crf=Crf().to_json()).to_json()).crf == Crf().to_json()
    for wrong in (crf, {**Crf().to_json(), "intensity": float("nan")}, {**Crf().to_json(), "smoothness": -1.0}):
        with pytest.raises(ValueError, match="refining"):
            Card.from_json(replace(card, crf=wrong).to_json())
