"""Model files: what is written comes back, and whatever is wrong with one gives its own line."""

import json
import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from mmgl.data.plan import Normalisation, Plan
from mmgl.messages import MMGLError
from mmgl.model import Card, read_card, read_model, write_model
from mmgl.structures import Structure

STRUCTURES = (
    Structure(3, "Left ventricle", (1, 2, 3), "a~b~SCT^87878005^Left ventricle~^^"),
    Structure(9, "右心室", (9, 8, 7)),
)
PLAN = Plan((None, 1.5, 1.5), ("axial",), 64, (Normalisation("scan"),), width=4)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "heart.mmgl"
    weights = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array([1], np.int64)}
    known = {"scores": {"Left ventricle": 0.9}, "one_piece": {"右心室": 0.02}}
    write_model(path, Card("heart", STRUCTURES, PLAN, "mmgl", {"labelled": 2}, **known), weights)
    return path


def test_what_is_written_comes_back(model):
    card, weights = read_model(model)
    assert card.structures == STRUCTURES
    assert card.plan == PLAN
    assert card.scores == {"Left ventricle": 0.9}
    assert card.one_piece == {"右心室": 0.02}
    assert read_card(model) == card
    assert np.array_equal(weights["a"], np.arange(6).reshape(2, 3))
    assert weights["b"].dtype == np.int64


def test_a_card_of_before_suggests_nothing(model):
    old = {key: value for key, value in read_card(model).to_json().items() if key != "one_piece"}
    assert Card.from_json(old) == replace(read_card(model), one_piece={})


def test_a_model_is_never_overwritten(model):
    before = model.read_bytes()
    with pytest.raises(MMGLError) as error:
        write_model(model, read_card(model), {})
    assert error.value.key == "file.exists"
    assert model.read_bytes() == before


def test_changed_weights_are_noticed(model):
    content = bytearray(model.read_bytes())
    content[-5] ^= 1
    model.write_bytes(content)
    with pytest.raises(MMGLError) as error:
        read_model(model)
    assert error.value.key == "model.changed"


def damaged(model, how):
    content = model.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    card = json.loads(header["__metadata__"]["card"])
    if how == "empty":
        return b""
    if how == "cut short":
        return content[:-3]
    if how == "garbage":
        return b"\x80\x04garbage" * 50
    if how == "huge header":
        return struct.pack("<Q", 1 << 60) + content[8:]
    if how == "no card":
        del header["__metadata__"]
    elif how == "another kind":
        card["format"] = "something"
    elif how == "newer":
        card["version"] = 99
    elif how == "no structures":
        card["structures"] = []
    elif how == "bad structure":
        card["structures"][0]["id"] = -1
    elif how == "bad plan":
        card["plan"]["width"] = 10**9
    elif how == "missing scores":
        del card["scores"]
    elif how == "a piece of nothing":
        card["one_piece"] = {"Kidney": 0.1}
    elif how in ("pieces that gain no number", "pieces that gain nothing"):
        card["one_piece"] = {"右心室": float("nan") if "number" in how else 0}
    elif how == "pieces without names":
        card["one_piece"] = ["右心室"]
    elif how == "not a card":
        card = [1, 2]
    if "__metadata__" in header:
        header["__metadata__"]["card"] = json.dumps(card)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


@pytest.mark.parametrize(
    ("how", "key"),
    [
        ("empty", "model.invalid"),
        ("cut short", "model.invalid"),
        ("garbage", "model.invalid"),
        ("huge header", "model.invalid"),
        ("no card", "model.invalid"),
        ("another kind", "model.invalid"),
        ("newer", "file.newer"),
        ("no structures", "model.invalid"),
        ("bad structure", "model.invalid"),
        ("bad plan", "model.invalid"),
        ("missing scores", "model.invalid"),
        ("not a card", "model.invalid"),
        ("a piece of nothing", "model.invalid"),
        ("pieces that gain no number", "model.invalid"),
        ("pieces that gain nothing", "model.invalid"),
        ("pieces without names", "model.invalid"),
    ],
)
def test_a_bad_model_gives_one_line(model, how, key):
    model.write_bytes(damaged(model, how))
    with pytest.raises(MMGLError) as error:
        read_model(model)
    assert error.value.key == key
    assert "\n" not in str(error.value)


def test_a_missing_model(tmp_path):
    with pytest.raises(MMGLError) as error:
        read_model(tmp_path / "no.mmgl")
    assert error.value.key == "file.missing"


def test_weights_that_do_not_fit_the_plan(tmp_path):
    from mmgl.inference.predictor import Predictor

    write_model(tmp_path / "a.mmgl", Card("a", STRUCTURES, PLAN, "mmgl"), {"a": np.zeros(3, np.float32)})
    with pytest.raises(MMGLError) as error:
        Predictor(tmp_path / "a.mmgl", "cpu")
    assert error.value.key == "model.invalid"


def test_a_model_of_pictures_refuses_a_volume(tmp_path):
    from mmgl.imaging.grid import Grid
    from mmgl.imaging.scan import Scan
    from mmgl.inference.predictor import Predictor, network_of

    card = Card("a", STRUCTURES, replace(PLAN, pictures=True, spacing=(None, None, None)), "mmgl")
    write_model(tmp_path / "a.mmgl", card, {k: v.numpy() for k, v in network_of(card).state_dict().items()})
    predictor = Predictor(tmp_path / "a.mmgl", "cpu")
    assert predictor.segment(Scan(np.random.rand(1, 1, 40, 50), Grid((1, 40, 50)))).shape == (1, 40, 50)
    with pytest.raises(MMGLError) as error:
        predictor.segment(Scan(np.random.rand(1, 3, 40, 50), Grid((3, 40, 50))))
    assert error.value.key == "model.pictures"


def test_a_plain_safetensors_file_is_no_model(tmp_path):
    save_file({"a": np.zeros(3)}, tmp_path / "a.mmgl")
    with pytest.raises(MMGLError, match="no card"):
        read_card(tmp_path / "a.mmgl")


def test_reading_a_card_loads_no_torch(model):
    code = f"import sys, mmgl.model; mmgl.model.read_card({str(model)!r}); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
