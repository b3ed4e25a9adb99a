"""Keeping only the largest piece: suggested where labels are of one piece and the check cases gain, else never."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from models import STRUCTURES, random_model
from phantoms import MEANINGS, ball_scan, write

from mmgl import Budget, Predictor, Study, train
from mmgl.cli import main
from mmgl.commands.segment import _settings
from mmgl.inference.fused import Fused
from mmgl.model import Card, read_card
from mmgl.options import build_parser
from mmgl.structures import Structure
from mmgl.study import Use
from mmgl.training.check import dice
from mmgl.training.one_piece import GAIN, both_dice, gains, is_one_piece
from mmgl.training.train import resume
from mmgl.training.verdict import of_pieces

NAN = float("nan")


def case(labelmap, sets=()):
    """A prepared case with this label, or none."""
    return SimpleNamespace(labelmap=None if labelmap is None else np.asarray(labelmap, np.int16), sets=sets)


def painted(*blocks, size=(8, 12, 12)):
    """A labelmap with blocks: value and first and last corner each."""
    labelmap = np.zeros(size, np.int16)
    for value, (z, y, x), (z_end, y_end, x_end) in blocks:
        labelmap[z:z_end, y:y_end, x:x_end] = value
    return labelmap


HEART = painted((1, (1, 1, 1), (7, 7, 7)))
LUNGS = painted((1, (1, 1, 1), (7, 4, 7)), (1, (1, 8, 1), (7, 11, 7)))
CORNER = painted((1, (1, 1, 1), (4, 4, 4)), (1, (4, 4, 4), (6, 6, 6)))
SLIP = painted((1, (0, 0, 0), (8, 8, 8)), (1, (7, 11, 11), (8, 12, 12)))
SLIPS = painted((1, (0, 0, 0), (4, 4, 4)), (1, (7, 10, 10), (8, 12, 12)))
OTHER = painted((2, (1, 1, 1), (7, 7, 7)))
PARTLY = np.where(np.arange(8)[:, None, None] == 3, HEART, -1)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([HEART], True),
        ([HEART, HEART, None], True),
        ([CORNER], True),
        ([SLIP], True),
        ([SLIPS], False),
        ([LUNGS], False),
        ([HEART, HEART, LUNGS], False),
        ([OTHER], None),
        ([HEART, OTHER], True),
        ([PARTLY], None),
        ([HEART, PARTLY], True),
        ([None], None),
        ([], None),
    ],
)
def test_what_labels_say_of_one_piece(labels, expected):
    assert is_one_piece([case(label) for label in labels], 1) is expected


def test_only_voxels_that_may_be_the_structure_keep_a_label_from_telling():
    label = HEART.copy()
    label[0, 0, 0] = -2  # background or one of a set
    assert is_one_piece([case(label, sets=((2, 3),))], 1)
    assert not is_one_piece([case(label, sets=((1, 2),))], 1)


def found(labelmap):
    """What a network that is sure of a labelmap gives."""
    return Fused.of(torch.nn.functional.one_hot(torch.from_numpy(labelmap.astype(int)), 3).movedim(-1, 0).float())


def test_the_dice_of_the_largest_pieces_is_that_of_the_tidied_labelmap():
    stray = HEART + painted((1, (2, 9, 9), (4, 11, 11)), (2, (0, 8, 0), (2, 9, 2)))
    label = case(HEART)
    whole, largest = both_dice(label, found(stray), STRUCTURES)
    assert whole == dice(torch.from_numpy(stray.astype("int64")), label, 2) == [pytest.approx(432 / 440), 0.0]
    assert largest == [1.0, 0.0]
    whole, largest = both_dice(label, found(HEART), STRUCTURES)
    assert whole is largest  # nothing was taken away


def test_nothing_is_said_of_what_was_never_checked():
    assert of_pieces(STRUCTURES, [], {"Core": 0.02}) == []  # the check cases came when it had been trained
    (said,) = of_pieces(STRUCTURES, [[0.9, 0.8], [NAN, 0.7]], {"Core": 0.02})
    assert said.words.startswith("Core is of one piece")
    assert said.words.endswith("Dice 0.770 instead of 0.750.")


def test_what_gains_is_suggested_and_nothing_else():
    rows, tidied = [[0.8, 0.9], [0.9, 0.9], [0.7, NAN]], [[0.9, 0.9], [0.9, 0.9], [0.8, NAN]]
    assert gains(STRUCTURES, rows, tidied, [case(HEART + OTHER)]) == {}
    both = case(painted((1, (0, 0, 0), (4, 4, 4)), (2, (4, 4, 4), (8, 8, 8))))
    assert gains(STRUCTURES, rows, tidied, [both]) == {"Shell": pytest.approx(0.2 / 3, abs=1e-4)}
    assert gains(STRUCTURES, rows, tidied, [both, case(LUNGS)]) == {}
    assert gains(STRUCTURES, tidied, rows, [both]) == {}  # it costs Dice
    for more, names in ((1.1 * GAIN, {"Core"}), (0.9 * GAIN, set())):
        assert set(gains(STRUCTURES, [[0.8, 0.5]], [[0.8, 0.5 + more]], [both])) == names


def twins(seed):
    """A ball like all others, its label, its grid, and a smaller one that looks alike and is not labelled."""
    image, labelmap, grid = ball_scan(seed, size=(16, 64, 36))
    away = np.sqrt((((np.moveaxis(np.indices(grid.size), 0, -1) - (8, 8, 18)) * grid.spacing) ** 2).sum(-1))
    alike = (away < 7).astype(int) + (away < 4)
    return image + np.array([0.0, 70.0, 130.0])[alike], labelmap, grid


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A study whose check scans show a second, smaller ball, its model, and what the training told."""
    folder, told = tmp_path_factory.mktemp("pieces"), []
    study = Study.create(folder / "study")
    for number in range(3):
        image, labelmap, grid = twins(number) if number > 1 else ball_scan(number, size=(16, 64, 36))
        files = [write(folder / f"{k}{number}.nii.gz", a, grid) for k, a in (("i", image), ("l", labelmap))]
        study.add_case(files[0], label=files[1], use=Use.CHECK if number > 1 else Use.TRAIN, meanings=MEANINGS)
    study.save()
    budget = Budget(steps=50)
    model = train(study, method="supervised", budget=budget, device="cpu", name="ball", on_event=told.append)
    return study, model, told


def test_training_finds_out_that_there_is_one_piece_and_says_so(trained):
    _, model, told = trained
    card = read_card(model)
    assert set(card.one_piece) == {"Shell", "Core"}
    (said,) = [f for e in told if e["event"] == "verdict" for f in e["findings"] if f["key"] == "verdict.pieces"]
    assert (said["parameters"]["structures"], said["parameters"]["count"]) == ("Shell, Core", 2)
    gained = said["parameters"]["new"] - said["parameters"]["old"]
    assert gained == pytest.approx(np.mean(list(card.one_piece.values())), abs=2e-3)
    assert "Shell, Core are of one piece in every label" in model.with_suffix(".html").read_text(encoding="utf-8")


def test_what_is_suggested_is_better_on_the_scans_own_grid_and_off_until_chosen(trained):
    study, model, _ = trained
    predictor = Predictor(model, "cpu")
    assert set(predictor.suggested.largest) == {"Shell", "Core"}
    check = study.checks[0]
    scan, label = study.read_scan(check), study.read_label(check).labelmap
    plain, better = predictor.result(scan), predictor.result(scan, predictor.suggested)
    assert not [f for f in plain.findings if f.key == "tidy.largest"]
    assert [f.key for f in better.findings] == ["tidy.largest"] * 2
    wrong, right = ((result.labelmap != label).sum() for result in (plain, better))
    assert right < wrong / 2


def test_a_verdict_that_is_made_later_says_the_same(trained):
    study, _, told = trained
    said = next(event for event in told if event["event"] == "verdict")
    verdict = study.folder / "runs" / "ball" / "verdict.json"
    rows = json.loads(verdict.read_text(encoding="utf-8"))["dice"]
    verdict.unlink()
    events = []
    resume(study, "ball", device="cpu", on_event=events.append)
    again = next(event for event in events if event["event"] == "verdict")
    assert again["findings"] == said["findings"]
    assert json.loads(verdict.read_text(encoding="utf-8"))["dice"] == rows


def test_the_command_line_takes_what_is_suggested(trained, tmp_path, capsys):
    study, model, _ = trained
    scan = next(iter(study.checks[0].images)).path
    wanted = ["--largest-piece", "suggested"]
    assert main(["segment", str(model), str(scan), "--output", str(tmp_path / "one"), *wanted]) == 0
    assert "smaller piece" in capsys.readouterr().out
    scans = tmp_path / "scans"
    scans.mkdir()
    shutil.copy(scan, scans)
    assert main(["segment", str(model), str(scans), "--output", str(tmp_path / "all"), *wanted]) == 0
    assert "smaller piece" in (tmp_path / "all" / "results.csv").read_text(encoding="utf-8")


def test_what_the_option_means_depends_on_the_model(tmp_path, capsys):
    card = read_card(random_model(tmp_path / "random.mmgl"))

    def largest(card: Card, *given):
        options = ["segment", "model", "scan", "--output", "out", "--largest-piece", *given]
        return _settings(build_parser().parse_args(options), card).largest

    assert largest(card, "suggested") == ()
    assert "so all pieces are kept" in capsys.readouterr().out
    assert largest(replace(card, one_piece={"Core": 0.1}), "suggested") == ("Core",)
    assert largest(replace(card, one_piece={"Core": 0.1})) == ("Shell", "Core")
    named = replace(card, structures=(*card.structures, Structure(3, "suggested", (1, 1, 1))), one_piece={"Core": 0.1})
    assert largest(named, "suggested") == ("suggested",)
    assert capsys.readouterr().out == ""
