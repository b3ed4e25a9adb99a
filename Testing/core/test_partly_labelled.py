"""Partly labelled cases on their way into training: sampled, learned from, and never taken for background."""

import numpy as np
import pytest
import torch
from phantoms import MEANINGS, ball_scan, write

from mmgl.data.cache import PreparedCase, prepare_case
from mmgl.data.plan import Normalisation, Plan
from mmgl.data.slices import SliceSampler
from mmgl.losses.marginal import sets_table
from mmgl.methods import METHODS, build_method
from mmgl.structures import UNLABELLED
from mmgl.study import Study
from mmgl.training.check import dice, find

PLAN = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=4, batch=4)


def prepared(folder, name, labelmap, sets=()):
    image = np.random.default_rng(0).normal(size=(1, *labelmap.shape)).astype(np.float16)
    np.save(folder / f"{name}.image.npy", image)
    np.save(folder / f"{name}.labelmap.npy", labelmap.astype(np.int16))
    return PreparedCase(
        name, name, folder / f"{name}.image.npy", folder / f"{name}.labelmap.npy", (2.0, 1.0, 1.0), sets
    )


@pytest.fixture
def cases(tmp_path):
    """One case labelled on every third slice, one without structure 2, one without structure 1."""
    labelmap = ball_scan(0)[1].astype(int)
    sparse = np.where((np.arange(16) % 3 == 0)[:, None, None], labelmap, UNLABELLED)
    first = np.where(labelmap == 1, 1, -2)
    second = np.where(labelmap == 2, 2, -2)
    return [
        prepared(tmp_path, "sparse", sparse),
        prepared(tmp_path, "first", first, ((2,),)),
        prepared(tmp_path, "second", second, ((1,),)),
    ]


def test_codes_of_all_cases_mean_the_same(cases):
    sampler = SliceSampler(cases, PLAN, torch.Generator().manual_seed(0))
    assert sampler.sets == ((1,), (2,))
    drawn = sampler.draw_labelled(120, painted=0.0)
    for number, code in ((0, -1), (1, -3), (2, -2)):
        labels = drawn.labels[drawn.cases == number]
        assert set(labels.unique().tolist()) - {1, 2} <= {code, -1, 0}
        assert (labels == code).any()
    labelled = drawn.positions[drawn.cases == 0] * 16 - 1
    assert ((labelled.round() % 3) == 0).all()


def test_slices_with_something_unlabelled_serve_as_unlabelled_data(cases, tmp_path):
    whole = prepared(tmp_path, "whole", ball_scan(1)[1].astype(int))
    drawn = SliceSampler([whole, cases[0]], PLAN, torch.Generator().manual_seed(0)).draw_unlabelled(60)
    assert (drawn.cases == 1).all()
    assert (((drawn.positions * 16 - 1).round() % 3) != 0).all()
    alone = SliceSampler([whole], PLAN, torch.Generator().manual_seed(0)).draw_unlabelled(20)
    assert (alone.cases == 0).all()


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_knows_what_may_be_there(cases, name):
    """Each stage that segments reads the codes; the same labels without their meaning give another loss."""
    torch.manual_seed(0)
    method = build_method(name, PLAN, 2)
    sampler = SliceSampler(cases[1:], PLAN, torch.Generator().manual_seed(0))
    sampler.pseudo = dict(enumerate(sampler.cases))
    for stage in (stage for stage in method.stages if stage.segments):
        batch = stage.batch(sampler, torch.device("cpu"))
        assert (batch.labels < -1).any()
        with torch.no_grad():
            masked = torch.stack(list(stage.loss(batch, 0.5).values())).sum()
            batch.sets = sets_table(sampler.sets, 2, torch.device("cpu"))
            merged = torch.stack(list(stage.loss(batch, 0.5).values())).sum()
        assert torch.isfinite(merged)
        assert merged != masked


def test_check_dice_counts_only_what_is_labelled(cases):
    found = torch.from_numpy(ball_scan(0)[1].astype(int))
    found[1] = 2  # wrong, on a slice that is not labelled in the first case
    assert dice(found, cases[0], 2) == [1.0, 1.0]
    found[8] = 2
    one, two = dice(found, cases[1], 2)
    assert one == pytest.approx(1.0, abs=0.2)
    assert np.isnan(two)  # never labelled there: that it is found on painted voxels of the other tells nothing


SMALL = Plan((1.0, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=8, levels=3, batch=6)


def learned(folder, change, steps=90, labelled=4):
    """Return the Dice of shell and core on a whole case, after a few steps of a small network on changed labels, and
    what it finds there, with the label.
    """
    size, spacing = (24, 32, 30), (1.0, 1.0, 1.0)
    cases = []
    for number in range(5):
        image, labelmap, _ = ball_scan(number, size, spacing)
        labelmap, sets = change(number, labelmap.astype(int)) if number < 4 else (labelmap, ())
        cases.append(prepared(folder, f"c{number}", labelmap, sets))
        np.save(cases[-1].image_file, ((image - 60) / 50)[None].astype(np.float16))
    torch.manual_seed(0)
    method = build_method("supervised", SMALL, 2)
    sampler = SliceSampler(cases[:labelled], SMALL, torch.Generator().manual_seed(0))
    optimiser = torch.optim.AdamW(method.parameters(), lr=5e-3)
    for step in range(steps):
        batch = method.stages[0].batch(sampler, torch.device("cpu"))
        batch.sets = sets_table(sampler.sets, 2, torch.device("cpu"))
        optimiser.zero_grad()
        method.stages[0].loss(batch, step / steps)["segmentation"].backward()
        optimiser.step()
    found = find(method.network, cases[4], SMALL, torch.device("cpu"))
    return dice(found, cases[4], 2), found.numpy(), np.array(cases[4].labelmap)


def test_each_structure_is_learned_from_labels_that_never_show_both(tmp_path):
    """Shell is labelled in two cases and core in two others: nowhere is anything known to be background."""

    def change(number, labelmap):
        value = 1 + number % 2
        return np.where(labelmap == value, value, -2), ((3 - value,),)

    assert min(learned(tmp_path, change)[0]) > 0.8


def slices_along(axis, labelmap):
    """Every eighth slice is labelled."""
    shown = np.arange(labelmap.shape[axis]) % 8 == 4
    return np.where(np.expand_dims(shown, [a for a in range(3) if a != axis]), labelmap, UNLABELLED), ()


def missing(number, labelmap):
    """The core is not labelled in half of the cases."""
    return (labelmap, ()) if number < 2 else (np.where(labelmap == 1, 1, -2), ((2,),))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """What small networks find in a whole case, after as many steps with labels of several kinds."""
    kinds = {
        "full": lambda number, labelmap: (labelmap, ()),
        "axial": lambda number, labelmap: slices_along(0, labelmap),
        "sagittal": lambda number, labelmap: slices_along(2, labelmap),
        "missing": missing,
        "absent": lambda number, labelmap: (labelmap if number < 2 else np.minimum(labelmap, 1) * (labelmap < 2), ()),
    }
    found = {kind: learned(tmp_path_factory.mktemp(kind), change, STEPS) for kind, change in kinds.items()}
    return {**found, "complete": learned(tmp_path_factory.mktemp("complete"), kinds["full"], STEPS, labelled=2)}


STEPS = 45


@pytest.mark.parametrize(("kind", "axis"), [("axial", 0), ("sagittal", 2)])
def test_every_eighth_slice_teaches_nearly_as_much_as_all(models, kind, axis):
    """Need 8: nine tenths of the Dice on a whole case, and no stripes along the labelled axis."""
    assert np.mean(models[kind][0]) >= 0.9 * np.mean(models["full"][0])

    def jump(found):
        return np.abs(np.diff((found > 0).sum(tuple(a for a in range(3) if a != axis)))).max()

    assert jump(models[kind][1]) < 2 * max(jump(models["full"][1]), jump(models["full"][2]))


def test_a_structure_that_half_of_the_cases_lack_is_found_as_without_them(models):
    """Need 16: the recall on a whole case is nearly that of a model of the complete cases; absent is something else."""

    def recall(kind):
        _, found, label = models[kind]
        return ((found == 2) & (label == 2)).sum() / (label == 2).sum()

    assert recall("missing") >= 0.95 * recall("complete")
    assert (models["absent"][1] != models["missing"][1]).any()


def test_three_hundred_structures_with_large_values(tmp_path):
    study = Study.create(tmp_path / "study")
    size = (6, 40, 60)
    labelmap = np.zeros(size, np.uint16)
    values = np.linspace(1, 65535, 300).astype(int)
    for i, value in enumerate(values):
        labelmap[i % 6, 2 * (i // 60) * 3 : 2 * (i // 60) * 3 + 4, i % 60] = value
    image, _, grid = ball_scan(0, size)
    label = write(tmp_path / "l.nii.gz", labelmap, grid)
    meanings = {str(value): f"Structure number {i}" for i, value in enumerate(values)}
    case = study.add_case(write(tmp_path / "a.nii.gz", image, grid), label=label, meanings=meanings)
    found = study.read_labelmap(case)
    assert len(study.structures) == 300
    assert np.array_equal(np.bincount(found.ravel())[1:], [np.count_nonzero(labelmap == value) for value in values])
    assert np.array_equal(found > 0, labelmap > 0)
    assert {f.key for f in study.check()} <= {"check.few_patients", "check.strokes"}
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),))
    assert np.array_equal(np.unique(prepare_case(study, case, plan, tmp_path / "cache").labelmap), np.unique(found))
    again = study.add_case(write(tmp_path / "b.nii.gz", image, grid), label=label, meanings=meanings)
    assert again.label.meanings == case.label.meanings


def test_meanings_hold_whatever_the_order(tmp_path):
    """Voxels of each structure after import are those of the original, whatever value each file gives it."""
    study = Study.create(tmp_path / "study")
    image, labelmap, grid = ball_scan(0)
    counts = np.bincount(labelmap.ravel())[1:]
    for number, (shell, core) in enumerate([(1, 2), (2, 1), (9, 40000)]):
        changed = np.select([labelmap == 1, labelmap == 2], [shell, core]).astype(np.uint16)
        label = write(tmp_path / f"{number}_seg.nii.gz", changed, grid)
        meanings = {str(shell): MEANINGS["1"], str(core): MEANINGS["2"]}
        case = study.add_case(write(tmp_path / f"{number}.nii.gz", image, grid), label=label, meanings=meanings)
        assert np.array_equal(np.bincount(study.read_labelmap(case).ravel())[1:], counts)
