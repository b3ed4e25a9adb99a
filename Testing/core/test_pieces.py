"""A scan in pieces is the scan; a lower threshold finds what is nearly as probable as nothing."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from models import predictor, random_model
from phantoms import ball_scan

from mmgl.data import prepare
from mmgl.data.plan import PLANES, Normalisation, Plan
from mmgl.finding import Finding
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.inference import serving
from mmgl.inference.doubt import Doubt, StructureDoubt
from mmgl.inference.own_grid import labelmap_on_own_grid
from mmgl.inference.pieces import cut, joined
from mmgl.inference.settings import LOWER, Result, Settings
from mmgl.jobs.exchange import MOST_PIECES, Wish
from mmgl.messages import MMGLError

TURNED = ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0), (-1.0, 0.0, 0.0))


def scan_of(size=(70, 66, 75), directions=None, spacing=(1.0, 1.0, 1.0)):
    image, _, grid = ball_scan(0, size, spacing)
    return Scan(image[None], replace(grid, directions=directions) if directions else grid, "MR")


@pytest.mark.parametrize(("directions", "planes"), [(None, ("axial",)), (TURNED, PLANES)])
def test_in_pieces_it_is_what_it_is_in_one(tmp_path, directions, planes):
    plan = Plan((1.1, 1.1, 1.1), planes, 32, (Normalisation("scan"),), width=4, levels=2)
    segmenter, scan, shares = predictor(tmp_path, plan=plan), scan_of(directions=directions), []
    names = tuple(s.name for s in segmenter.structures)
    wanted = Settings(largest=names, doubt_map=True)
    whole = segmenter.result(scan, wanted)
    parts = segmenter.result(scan, replace(wanted, pieces=3), shares.append)
    assert len(np.unique(whole.labelmap)) > 1
    assert (parts.labelmap == whole.labelmap).mean() > 0.999
    assert np.abs(parts.doubt_map - whole.doubt_map).max() < 0.05
    assert [f.key for f in parts.findings] == [f.key for f in whole.findings]  # tidied up once, all of it
    for one, other in zip(parts.doubt.structures, whole.doubt.structures, strict=True):
        assert one.doubt == pytest.approx(other.doubt, abs=0.05)
    assert len(parts.doubt.slices) == len(whole.doubt.slices)
    assert parts.doubt.slices[0].index == pytest.approx(whole.doubt.slices[0].index, abs=2)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_in_pieces_a_chosen_structure_is_as_doubtful_as_in_one(tmp_path):
    segmenter, scan = predictor(tmp_path), scan_of((16, 40, 36), spacing=(2.0, 1.0, 1.0))
    (whole,) = segmenter.result(scan, Settings(structures=("Core",))).doubt.structures
    (parts,) = segmenter.result(scan, Settings(structures=("Core",), pieces=3)).doubt.structures
    assert whole.structure == parts.structure == "Core"
    assert parts.doubt == pytest.approx(whole.doubt, abs=0.05)
    assert whole.doubt < 0.9


def test_a_region_is_cut_across_the_slices_and_never_into_more_parts_than_it_has():
    grid, plan = Grid((9, 20, 30)), Plan((1.0, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),))
    assert cut(None, grid, plan, 2) == [((0, 4), (0, 20), (0, 30)), ((4, 9), (0, 20), (0, 30))]
    parts = cut(((2, 5), (1, 3), (4, 8)), grid, plan, 16)
    assert parts == [((z, z + 1), (1, 3), (4, 8)) for z in (2, 3, 4)]
    (first, *_rest) = cut(None, replace(grid, directions=TURNED), plan, 3)
    assert first == ((0, 9), (0, 7), (0, 30))  # its axial slices lie along y


def test_what_happened_in_any_part_is_told_once():
    """Not only what happened in the first one."""
    grid = Grid((3, 2, 2))

    def parts():
        for number, keys in enumerate(([], ["segment.on_processor"], ["segment.on_processor", "segment.not_faster"])):
            findings = tuple(Finding(key) for key in keys)
            labelmap, doubt = np.zeros(grid.size, np.uint8), Doubt((StructureDoubt("Core", 1.0, True),), ())
            yield ((number, number + 1), (0, 2), (0, 2)), Result(labelmap, grid, grid, doubt, None, findings)

    assert [f.key for f in joined(parts(), ["Core"], {}).findings] == ["segment.on_processor", "segment.not_faster"]


def test_a_region_of_a_scan_that_is_too_large_as_a_whole(monkeypatch):
    scan, plan = scan_of((8, 20, 20)), Plan((1.0, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),))
    monkeypatch.setattr(prepare, "MOST_VOXELS", 1000)
    with pytest.raises(MMGLError) as error:
        prepare.prepare_scan(scan, plan)
    assert error.value.key == "scan.too_large"
    assert prepare.prepare_scan(scan, plan, ((0, 2), (0, 20), (0, 20))).shape == (1, 2, 20, 20)


def test_a_lower_threshold_is_one_fifth_beside_the_background():
    shares = torch.tensor([0.7, 0.79, 0.81])  # of the background, in three voxels
    probabilities = torch.stack([shares, 1 - shares, torch.zeros(3)])[:, None, None]
    assert labelmap_on_own_grid(probabilities, Grid((1, 1, 3))).tolist() == [[[0, 0, 0]]]
    weights = [1, 1 / LOWER, 1]
    assert labelmap_on_own_grid(probabilities, Grid((1, 1, 3)), weights=weights).tolist() == [[[1, 1, 0]]]


def test_only_the_structure_that_was_named_gains(tmp_path):
    segmenter, scan = predictor(tmp_path), scan_of((16, 40, 36), spacing=(2.0, 1.0, 1.0))
    usual = segmenter.result(scan).labelmap
    lower = segmenter.result(scan, Settings(lower=("Core",))).labelmap
    assert (lower[usual == 2] == 2).all()
    assert (lower == 2).sum() > (usual == 2).sum()
    assert (lower[lower != 2] == usual[lower != 2]).all()
    with pytest.raises(MMGLError, match="no structure called Cor"):
        segmenter.result(scan, Settings(lower=("Cor",)))


@pytest.mark.parametrize(("given", "key", "next_"), [({}, "memory.segment", 4), ({"pieces": 8}, "memory.segment", 16)])
def test_too_little_memory_asks_for_pieces_and_for_more_of_them(tmp_path, monkeypatch, given, key, next_):
    error = refused(tmp_path, monkeypatch, given)
    assert (error.key, error.parameters["pieces"]) == (key, next_)


def test_at_last_there_is_nothing_but_to_crop_it(tmp_path, monkeypatch):
    assert refused(tmp_path, monkeypatch, {"pieces": MOST_PIECES}).key == "memory.scan"


def refused(folder, monkeypatch, settings):
    """Return the error of an order for which the memory is too small."""

    def too_large(*_arguments):
        raise MemoryError

    monkeypatch.setattr(serving, "_segment", too_large)
    wish = Wish(str(random_model(folder / "a.mmgl")), "cpu", "Scan", {"shape": [1, 2, 3, 4]}, settings)
    with pytest.raises(MMGLError) as error:
        serving.Serving().serve(wish, folder)
    return error.value


@pytest.mark.parametrize(
    ("device", "there", "said"), [("auto", True, True), ("auto", False, False), ("cpu", True, False)]
)
def test_a_card_that_cannot_be_used_is_told_to_who_did_not_ask_for_the_processor(
    tmp_path, monkeypatch, device, there, said
):
    if torch.cuda.is_available():
        pytest.skip("there is a card that can be used")
    monkeypatch.setattr("mmgl.device.shutil.which", lambda name: "/there" if name == "nvidia-smi" and there else None)
    scan = scan_of((16, 40, 36))
    grid = {name: value for name, value in asdict(scan.grid).items() if name != "size"}
    header = {"shape": list(scan.array.shape), "kind": scan.array.dtype.name, "modality": "MR", **grid}
    (tmp_path / "scan.raw").write_bytes(scan.array.tobytes())
    told = []
    monkeypatch.setattr(serving, "tell", lambda _folder, event, **facts: told.append((event, facts)))
    serving.Serving().serve(Wish(str(random_model(tmp_path / "a.mmgl")), device, "Scan", header), tmp_path)
    events = dict(told)
    assert told[-1][0] == "done"
    assert ("device.unusable" in [finding["key"] for finding in events["fit"]["findings"]]) is said
