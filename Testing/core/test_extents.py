"""How far labels reach: sparse slices in any direction are found, filled structures are left alone, codes are right."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import MEANINGS, ball_scan, write

from mmgl.data.cache import prepare_case
from mmgl.data.plan import Normalisation, Plan
from mmgl.evaluation.metrics import score
from mmgl.messages import MMGLError
from mmgl.study import Extent, Study
from mmgl.study.extents import known_slices, looks_like_strokes, pieces, sparse_slices
from mmgl.study.label_codes import encode

SIZE = (40, 44, 48)


def ball(size=SIZE, middle=(20, 22, 24), radius=13):
    """Return a labelmap of a shell (1) around a core (2)."""
    away = np.sqrt(((np.moveaxis(np.indices(size), 0, -1) - middle) ** 2).sum(-1))
    return (away < radius).astype(np.int32) + (away < radius / 2)


def only(labelmap, axis, slices):
    """Return the labelmap with only these slices painted."""
    result = np.zeros_like(labelmap)
    place = (slice(None),) * axis + (list(slices),)
    result[place] = labelmap[place]
    return result


def slices_of(mask):
    found = pieces(np.asarray(mask).astype(np.int32), 1)
    return known_slices(found[1])


def test_filled_structures_are_labelled_everywhere():
    labelmap = ball()
    assert slices_of(labelmap > 0) == slices_of(labelmap == 1) == slices_of(labelmap == 2) == []
    two = (ball(middle=(20, 22, 9), radius=8) > 0) | (ball(middle=(20, 22, 39), radius=8) > 0)
    assert slices_of(two) == []  # as kidneys lie: far apart along one axis
    assert slices_of(ball((9, 60, 60), (4, 30, 30), 20) > 0) == []  # thick slices
    assert slices_of(np.ones((1, 30, 30), bool)) == []  # a picture


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("step", [2, 3, 8])
def test_every_so_many_th_slice_is_found_in_every_direction(axis, step):
    painted = range(2, SIZE[axis], step)
    labelmap = only(ball(), axis, painted)
    shown = [k for k in painted if np.take(labelmap, k, axis).any()]
    for mask in (labelmap > 0, labelmap == 1):
        (known,) = slices_of(mask)
        assert known.axis == axis
        assert set(known.slices) <= set(shown)
        assert len(known.slices) >= len(shown) - 1


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_and_a_forgotten_one(axis):
    middle = SIZE[axis] // 2
    (known,) = slices_of(only(ball(), axis, [middle]) > 0)
    assert known == (axis, (middle,))
    (known,) = slices_of(only(ball(), axis, set(range(SIZE[axis])) - {middle}) > 0)
    assert known.axis == axis
    assert set(range(SIZE[axis])) - set(known.slices) == {middle}


def test_crossing_slices_of_three_planes():
    labelmap = ball(radius=16)
    crossed = sum((only(labelmap, axis, [18, 26]) for axis in range(3)), np.zeros_like(labelmap)) > 0
    assert slices_of(crossed) == [(0, (18, 26)), (1, (18, 26)), (2, (18, 26))]


def test_a_structure_too_small_to_tell_goes_with_the_others():
    labelmap = only(ball(), 0, range(2, 40, 8))
    labelmap[labelmap == 2] = 1
    labelmap[18, 20:24, 20:25] = 2  # on one of the slices that were painted
    found = sparse_slices(pieces(labelmap, 2))
    assert found[2] == [(0, (18,))]
    labelmap[19, 20:24, 20:25] = 2  # on a slice that was not
    assert set(sparse_slices(pieces(labelmap, 2))) == {1}
    forgotten = only(ball(), 0, set(range(40)) - {20})
    forgotten[forgotten == 2] = 1
    forgotten[25:28, 20:24, 20:25] = 2
    assert set(sparse_slices(pieces(forgotten, 2))) == {1}  # all slices but one were looked at


def test_strokes():
    strokes = np.zeros((6, 60, 60), bool)
    for k in range(6):
        strokes[k, 10 + k : 50 : 20, 5:55] = True
    assert looks_like_strokes(strokes)
    assert not looks_like_strokes(ball() > 0)
    assert not looks_like_strokes(only(ball(), 0, range(0, 40, 8)) > 0)


def test_codes_say_what_may_be_where():
    labelmap = np.zeros((3, 2, 2), np.int32)
    labelmap[0, 0, 0], labelmap[2, 1, 1] = 1, 2
    extents = {1: Extent.EVERYWHERE, 2: Extent.EVERYWHERE, 3: Extent.NOWHERE, 4: Extent.ABSENT}
    coded, sets = encode(labelmap, labelmap > 0, extents)
    assert sets == ((3,),)
    assert np.array_equal(coded, np.where(labelmap > 0, labelmap, -2))
    coded, sets = encode(labelmap, labelmap > 0, dict.fromkeys((1, 2), Extent.PAINTED))
    assert sets == ()
    assert np.array_equal(coded, np.where(labelmap > 0, labelmap, -1))
    assert encode(labelmap, labelmap > 0, dict.fromkeys((1, 2), Extent.EVERYWHERE))[0] is labelmap


def test_a_slice_that_was_looked_at_counts_for_all_that_are_labelled_on_slices():
    labelmap = only(ball(), 0, range(4, 40, 4))
    labelmap[12][labelmap[12] == 2] = 1  # the core is there on 16 and up to 24 only
    coded, sets = encode(labelmap, labelmap > 0, {1: Extent.SLICES, 2: Extent.SLICES, 3: Extent.NOWHERE})
    assert sets == ((3,),)
    assert set(np.unique(coded[5])) == {-1}
    assert set(np.unique(coded[12])) == {-2, 1}  # not painted, not inside the core's own slices: no core there
    gap = only(ball(radius=19), 0, range(4, 40, 4))
    gap[20][gap[20] == 2] = 0
    coded, sets = encode(gap, gap > 0, {1: Extent.SLICES, 2: Extent.SLICES})
    assert sets == ((2,),)
    assert (coded[20][gap[20] == 0] == -2).all()  # between two painted slices of its own: the core is not labelled


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_codes_against_the_rule_written_out(data):
    extents = {v: data.draw(st.sampled_from([Extent.EVERYWHERE, Extent.PAINTED, Extent.NOWHERE, Extent.ABSENT]))
               for v in range(1, data.draw(st.integers(1, 70)) + 1)}  # fmt: skip
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    there = [0, 0, -1, *(v for v, e in extents.items() if e in (Extent.EVERYWHERE, Extent.PAINTED))]
    labelmap = generator.choice(there, (2, 3, 3)).astype(np.int32)
    painted = (labelmap > 0) | (generator.random(labelmap.shape) < 0.2) & (labelmap == 0)
    coded, sets = encode(labelmap, painted, extents)
    for place in itertools.product(*map(range, labelmap.shape)):
        open_ = {v for v, e in extents.items() if e is Extent.NOWHERE or (e is Extent.PAINTED and not painted[place])}
        if labelmap[place] != 0:
            assert coded[place] == labelmap[place]
        elif coded[place] == -1:
            assert open_ == set(extents)
        else:
            assert open_ == set(sets[-2 - coded[place]] if coded[place] < -1 else ())


# On disk


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study")


def add(study, name, labelmap, meanings=None, seed=0):
    image, _, grid = ball_scan(seed, labelmap.shape)
    folder = study.folder.parent
    label = write(folder / "labels" / f"{name}.nii.gz", labelmap.astype(np.uint8), grid)
    return study.add_case(write(folder / f"{name}.nii.gz", image, grid), label=label, meanings=meanings or MEANINGS)


def test_what_was_said_is_kept_and_holds(study):
    case = add(study, "a", only(ball((16, 40, 36), (8, 20, 18), 7), 0, range(0, 16, 3)))
    study.add_structure("Aorta")
    label = study.read_label(case)
    assert label.extents == {1: Extent.SLICES, 2: Extent.SLICES, 3: Extent.NOWHERE}
    assert set(np.unique(label.labelmap[9])) == {-2, 1, 2}
    assert set(np.unique(label.labelmap[10])) == {-1}
    study.set_extent("a", "Shell", "everywhere")
    study.set_extent("a", "Core", Extent.EVERYWHERE)
    study.set_extent("a", "Aorta", "absent")
    study.save()
    again = Study.open(study.folder)
    assert again == study
    case = again.case("a")
    assert again.read_labelmap(case).min() == 0
    assert again.set_label("a", case.label.path).label.extents == case.label.extents
    with pytest.raises(ValueError, match="somewhere"):
        study.set_extent("a", "Shell", "somewhere")
    study.remove_structure("Aorta")
    assert set(study.case("a").label.extents) == {1, 2}


def test_scribbles(study):
    labelmap = np.full((4, 20, 20), 4)
    labelmap[1, 5, 5:9], labelmap[1, 10, 5:9], labelmap[1, 15] = 1, 2, 0
    case = add(study, "values", labelmap, {**MEANINGS, "4": "?"})
    assert np.array_equal(study.read_labelmap(case), np.where(labelmap == 4, -1, labelmap))
    case = add(study, "strokes", np.where(labelmap == 4, 0, np.where(labelmap == 0, 3, labelmap)),
               {**MEANINGS, "3": "background"})  # fmt: skip
    assert np.array_equal(study.read_labelmap(case), np.where(labelmap == 4, -1, labelmap))
    assert study.set_label("strokes", case.label.path).label.meanings == case.label.meanings
    study.save()
    assert Study.open(study.folder) == study


def test_a_scan_in_which_nothing_is_there(study):
    add(study, "full", ball((16, 40, 36), (8, 20, 18), 7))
    empty = add(study, "empty", np.zeros((16, 40, 36)), seed=1)
    with pytest.raises(MMGLError, match="empty"):
        study.read_label(empty)
    for name in ("Shell", "Core"):
        study.set_extent("empty", name, "absent")
    assert not study.read_labelmap(study.case("empty")).any()


def test_codes_survive_preparing_and_scores_leave_out_what_is_not_labelled(study, tmp_path):
    labelmap = ball((16, 40, 36), (8, 20, 18), 7)
    add(study, "whole", labelmap)
    case = add(study, "a", np.where(labelmap == 2, 1, labelmap), seed=1)
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),))
    prepared = prepare_case(study, case, plan, tmp_path / "cache")
    assert prepared.sets == ((2,),)
    assert set(np.unique(prepared.labelmap)) == {-2, 1}
    assert prepare_case(study, case, plan, tmp_path / "cache") == prepared
    reference = study.read_label(case)
    result = labelmap.copy()
    result[0, :5] = 2  # a core where nobody said whether there is one
    found = score("a", result, reference.labelmap, (1, 1, 1), ["Shell", "Core"], reference.sets)
    assert np.isnan(found[1].dice)  # nobody labelled a core, and that the shell is none tells nothing of it
    assert (found[1].volume, found[1].labelled) == (0, 0)
    assert found[0].labelled == 1
    with pytest.raises(ValueError, match="sets"):
        score("a", result, reference.labelmap, (1, 1, 1), ["Shell", "Core"])
    study.set_extent("a", "Core", "absent")
    absent = study.read_label(study.case("a"))
    assert score("a", result, absent.labelmap, (1, 1, 1), ["Shell", "Core"], absent.sets)[1].dice == 0
    assert prepare_case(study, study.case("a"), plan, tmp_path / "cache").labelmap.min() == 0
