"""Pseudo-labels of whole scans: what a network finds, tidied up as labels allow, never against what somebody said."""

import dataclasses

import numpy as np
import pytest
import torch
from test_slices import PLAN, prepared

from mmgl.data.slices import SliceSampler
from mmgl.messages import MMGLError
from mmgl.structures import UNLABELLED, Structure
from mmgl.training import pseudo_labels
from mmgl.training.pseudo_labels import PseudoLabels
from mmgl.training.run import Run

PLAN = dataclasses.replace(PLAN, batch=4, normalisation=PLAN.normalisation * 3)
CPU, SIZE = torch.device("cpu"), (8, 16, 20)
ONE = (slice(2, 4), slice(5, 9), slice(5, 9))
LARGE, ISLAND = (slice(1, 5), slice(2, 8), slice(2, 8)), (slice(6, 7), slice(12, 14), slice(15, 18))


class Finder(torch.nn.Module):
    """Finds structure 1 where the image, which says where each voxel is, lies in one of two boxes."""

    stride = 1

    def __init__(self):
        super().__init__()
        self.slices = 0

    def forward(self, images):
        self.slices += len(images)
        found = torch.zeros(len(images), 2, *images.shape[2:])
        for box in (LARGE, ISLAND):
            inside = torch.ones(len(images), *images.shape[2:], dtype=torch.bool)
            for axis, part in enumerate(box):
                inside &= (images[:, axis] >= part.start) & (images[:, axis] < part.stop)
            found[:, 1][inside] = 10.0
        found[:, 0] = 5.0
        return found


@pytest.fixture
def make(tmp_path):
    """Return a function that makes a sampler of cases, and the pseudo-labels of its unlabelled ones."""
    run = Run(tmp_path / "run")
    run.folder.mkdir(exist_ok=True)

    def made(*cases, stop=lambda: False):
        slices = SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))
        return slices, PseudoLabels(slices, PLAN, [Structure(1, "Ball", (1, 2, 3))], run, CPU, stop)

    return made


def labelled(folder, *boxes, rest=0):
    case = prepared(folder, f"labelled-{len(boxes)}-{rest}", SIZE, boxes[0])
    labelmap = np.full(SIZE, rest, np.int16)
    for box in boxes:
        labelmap[box] = 1
    np.save(case.labelmap_file, labelmap)
    return case


def unlabelled(folder, number=0):
    return prepared(folder, f"unlabelled-{number}", SIZE)


@pytest.mark.parametrize(
    ("boxes", "rest", "island"),
    [((ONE,), 0, 0), ((ONE, ISLAND), 0, 1), ((ONE,), UNLABELLED, UNLABELLED)],
    ids=["one piece", "several", "nobody knows"],
)
def test_of_islands_is_said_what_the_labels_tell(make, tmp_path, boxes, rest, island):
    slices, pseudo = make(labelled(tmp_path, *boxes, rest=rest), unlabelled(tmp_path))
    pseudo.extend(Finder(), 0)
    found = slices.pseudo[1].labelmap
    expected = np.zeros(SIZE, np.int16)
    expected[LARGE], expected[ISLAND] = 1, island
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("rest", [0, UNLABELLED])
def test_where_no_piece_is_clearly_the_largest_nothing_is_said_of_any(make, tmp_path, monkeypatch, rest):
    monkeypatch.setattr("test_pseudo_labels.LARGE", (slice(6, 7), slice(2, 4), slice(2, 5)))  # as large as the island
    slices, pseudo = make(labelled(tmp_path, ONE, rest=rest), unlabelled(tmp_path))
    pseudo.extend(Finder(), 0)
    found = slices.pseudo[1].labelmap
    expected = np.zeros(SIZE, np.int16)
    expected[LARGE] = expected[ISLAND] = UNLABELLED
    assert np.array_equal(found, expected)


def test_what_somebody_said_stays(make, tmp_path):
    partly = prepared(tmp_path, "partly", SIZE, ONE, unlabelled_half=True)
    slices, pseudo = make(labelled(tmp_path, ONE, ISLAND), partly)
    pseudo.extend(Finder(), 0)
    found = slices.pseudo[1].labelmap
    assert np.array_equal(found[:4], partly.labelmap[:4])
    expected = np.zeros(SIZE, np.int16)
    expected[LARGE] = expected[ISLAND] = 1
    assert np.array_equal(found[4:], expected[4:])


def test_what_may_only_be_something_else_is_not_contradicted(make, tmp_path):
    """In one half nobody looked for structure 1 (a code that allows it), in the other the code allows only 2."""
    case = prepared(tmp_path, "partly", SIZE, ONE)
    labelmap = np.full(SIZE, -2, np.int16)
    labelmap[:, 8:] = -3
    np.save(case.labelmap_file, labelmap)
    slices, pseudo = make(labelled(tmp_path, ONE, ISLAND), dataclasses.replace(case, sets=((1,), (2,))))
    pseudo.extend(Finder(), 0)
    found = slices.pseudo[1].labelmap
    assert (found[LARGE] == 1).all()
    assert (found[ISLAND] == -3).all()
    assert found[0, 0, 0] == found[0, 15, 0] == 0


def test_where_all_is_labelled_the_labels_are_learned_from(make, tmp_path):
    slices, pseudo = make(labelled(tmp_path, ONE), labelled(tmp_path, ONE, ISLAND))
    network = Finder()
    pseudo.extend(network, 0)
    assert not network.slices
    assert slices.pseudo == dict(enumerate(slices.cases))


def test_more_and_more_scans_are_labelled(make, tmp_path):
    """Two slices of 16 x 16 are learned from in a step, so as many pixels as in four are labelled in it."""
    slices, pseudo = make(labelled(tmp_path, ONE), *(unlabelled(tmp_path, number) for number in range(4)))
    network, counts = Finder(), []
    for step in range(30):
        assert pseudo.extend(network, step)
        counts.append(len(slices.pseudo))
        assert network.slices == (8 + 16 + 20) * counts[-1]
        assert set(slices.draw_pseudo_labelled(20).cases.tolist()) <= set(slices.pseudo)
    pixels = 3 * 8 * 16 * 20
    begins = [next(step for step in range(30) if 4 * 16 * 16 * (20 + step) > pixels * (n - 1)) for n in (3, 4)]
    assert counts[0] == 3
    assert [counts.index(number) for number in (3, 4)] == begins


def test_large_scans_are_labelled_in_one_plane_in_turns(make, tmp_path, monkeypatch):
    monkeypatch.setattr(pseudo_labels, "SMALL", 8 * 16 * 20 - 1)
    _, pseudo = make(labelled(tmp_path, ONE), *(unlabelled(tmp_path, number) for number in range(4)))
    network, seen = Finder(), []
    monkeypatch.setattr(pseudo_labels, "PER_STEP", 0)
    for _ in range(4):
        before = network.slices
        monkeypatch.setattr(pseudo, "_labelled", -1)
        pseudo.extend(network, 0)
        seen.append(network.slices - before)
    assert seen == [8, 16, 20, 8]


def test_those_there_are_used_again_and_cleared_at_the_end(make, tmp_path):
    cases = [labelled(tmp_path, ONE), unlabelled(tmp_path)]
    first, second = Finder(), Finder()
    _, pseudo = make(*cases)
    pseudo.extend(first, 0)
    slices, going_on = make(*cases)
    going_on.extend(second, 0)
    assert first.slices
    assert not second.slices
    file = slices.pseudo[1].labelmap_file
    assert file.is_file()
    going_on.clear()
    assert not file.parent.exists()
    assert not slices.pseudo


def test_a_stop_is_heard_between_two_scans(make, tmp_path):
    asked = iter([False, False, True])
    slices, pseudo = make(*(unlabelled(tmp_path, number) for number in range(4)), stop=lambda: next(asked))
    assert not pseudo.extend(Finder(), 1000)
    assert len(slices.pseudo) == 2


def test_a_full_disk_is_said(make, tmp_path, monkeypatch):
    slices, pseudo = make(unlabelled(tmp_path))

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pseudo_labels.np, "save", full)
    with pytest.raises(MMGLError, match="No space left"):
        pseudo.extend(Finder(), 0)
    assert not slices.pseudo


def test_labels_of_another_training_are_not_read_any_more(make, tmp_path):
    """As when memory was too small, and it begins anew with smaller steps: the files have the same names."""

    class Other(Finder):
        def forward(self, images):
            return super().forward(images).flip(1)

    cases = [labelled(tmp_path, ONE, ISLAND), unlabelled(tmp_path)]
    found = []
    for network in (Finder(), Other()):
        slices, pseudo = make(*cases)
        pseudo.clear()
        pseudo.extend(network, 0)
        found.append(np.array(slices.pseudo[1].labelmap))
    assert np.array_equal(found[0], 1 - found[1])


def test_what_cannot_be_removed_is_not_learned_from(make, tmp_path, monkeypatch):
    _, pseudo = make(unlabelled(tmp_path))
    pseudo.extend(Finder(), 0)

    def locked(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pseudo_labels.shutil, "rmtree", locked)
    with pytest.raises(MMGLError, match="Permission denied"):
        pseudo.clear()
