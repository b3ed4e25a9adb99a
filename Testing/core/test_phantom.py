"""The phantom: a heart whose anatomy holds, and a scan that no threshold solves."""

from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from mmgl.demo.acquisition import thick
from mmgl.demo.canvas import Canvas
from mmgl.demo.phantom import STRUCTURES, heart_phantom
from mmgl.imaging.grid import Array
from mmgl.imaging.scan import Scan
from mmgl.structures import UNLABELLED

SEEDS = range(7)
RIGHT, MUSCLE, LEFT = (s.id for s in STRUCTURES)


@cache
def phantom(seed: int, phase: float = 0.0) -> tuple[Scan, Array]:
    scan, labelmap, _ = heart_phantom(seed, phase=phase)
    return scan, labelmap


def test_same_arguments_give_the_same_scan() -> None:
    first, labels, _ = heart_phantom(3, phase=0.4)
    again, labels_again, _ = heart_phantom(3, phase=0.4)
    assert np.array_equal(first.array, again.array)
    assert np.array_equal(labels, labels_again)
    assert first.grid == again.grid


def test_another_seed_is_another_patient() -> None:
    sizes = [int((phantom(s)[1] == LEFT).sum()) for s in SEEDS]
    assert len(set(sizes)) == len(sizes)
    assert max(sizes) > 1.7 * min(sizes)
    scales = [float(np.percentile(phantom(s)[0].array, 99)) for s in SEEDS]
    assert max(scales) > 2 * min(scales)


def test_scan_and_labelmap_fit() -> None:
    scan, labelmap = phantom(0)
    assert scan.modality == "MR"
    assert scan.array.dtype == np.int16
    assert scan.array.shape == (1, *labelmap.shape)
    assert labelmap.shape[1:] == (96, 96)
    assert 8 <= len(labelmap) <= 13
    assert scan.grid.size == labelmap.shape
    assert scan.grid.spacing == (8.0, 1.8, 1.8)
    assert np.allclose(scan.grid.position((np.array(scan.grid.size) - 1) / 2), 0)
    assert labelmap.dtype == np.uint8


@pytest.mark.parametrize("seed", SEEDS)
def test_every_structure_is_there_and_nothing_else(seed: int) -> None:
    assert set(np.unique(phantom(seed)[1])) == {0, RIGHT, MUSCLE, LEFT}
    assert UNLABELLED not in phantom(seed)[1].astype(int)


def test_structures_are_named_coloured_and_coded() -> None:
    assert [s.name for s in STRUCTURES] == ["Right ventricle", "Myocardium", "Left ventricle"]
    assert [s.code for s in STRUCTURES] == ["SCT^53085002", "SCT^74281007", "SCT^87878005"]
    assert len({s.colour for s in STRUCTURES}) == 3


@pytest.mark.parametrize("phase", [0.0, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_muscle_closes_around_the_left_cavity(seed: int, phase: float) -> None:
    labelmap = phantom(seed, phase)[1]
    for cut in labelmap:
        cavity = cut == LEFT
        assert ndimage.label(cavity)[1] <= 1
        assert ndimage.label(cut == MUSCLE)[1] <= 1
        around = ndimage.binary_dilation(cavity, np.ones((3, 3))) & ~cavity
        assert set(np.unique(cut[around])) <= {MUSCLE}


@pytest.mark.parametrize("seed", SEEDS)
def test_right_ventricle_is_a_crescent_that_ends_before_the_left_one(seed: int) -> None:
    labelmap = phantom(seed)[1]
    right, muscle = ((labelmap == part).any(axis=(1, 2)) for part in (RIGHT, MUSCLE))
    assert right.sum() < muscle.sum()
    assert not right[np.argmax(muscle)]  # the first slice is at the apex
    widest = labelmap[int(np.argmax((labelmap == RIGHT).sum(axis=(1, 2))))]
    assert np.argwhere(widest == RIGHT)[:, 1].mean() < np.argwhere(widest == LEFT)[:, 1].mean()
    parts, count = ndimage.label(widest == RIGHT)
    assert np.bincount(parts.ravel())[1:].max() > 0.95 * (widest == RIGHT).sum(), count


@pytest.mark.parametrize("seed", SEEDS)
def test_heart_beats(seed: int) -> None:
    diastole, systole = phantom(seed)[1], phantom(seed, 1.0)[1]
    left, right, muscle = ((systole == part).sum() / (diastole == part).sum() for part in (LEFT, RIGHT, MUSCLE))
    assert 0.35 <= 1 - left <= 0.75
    assert 0.35 <= 1 - right <= 0.8
    assert 0.75 <= muscle <= 1.25  # muscle is not compressible
    halfway = (heart_phantom(seed, phase=0.5)[1] == LEFT).sum()
    assert (systole == LEFT).sum() < halfway < (diastole == LEFT).sum()


def test_body_stays_the_same_while_the_heart_beats() -> None:
    first, last = (phantom(1, phase)[0].array[0].astype(float) for phase in (0.0, 1.0))
    rim = np.s_[:, :, :15]
    assert np.corrcoef(first[rim].ravel(), last[rim].ravel())[0, 1] > 0.95


@pytest.mark.parametrize("seed", SEEDS)
def test_signal_of_the_tissues(seed: int) -> None:
    scan, labelmap = phantom(seed)
    right, muscle, left = (float(np.median(scan.array[0][labelmap == part])) for part in (RIGHT, MUSCLE, LEFT))
    assert right == pytest.approx(left, rel=0.15)
    assert muscle < 0.65 * left
    assert 100 < scan.array.max() < 3000
    assert scan.array.min() >= 0


@pytest.mark.parametrize("seed", SEEDS)
def test_no_threshold_finds_the_left_ventricle(seed: int) -> None:
    scan, labelmap = phantom(seed)
    image, left = scan.array[0], labelmap == LEFT
    for level in np.linspace(0.5, 1.2, 8) * np.median(image[left]):
        bright = image > level
        assert 2 * (bright & left).sum() / (bright.sum() + left.sum()) < 0.7


@pytest.mark.parametrize("seed", SEEDS)
def test_heart_lies_inside_the_body_and_the_picture(seed: int) -> None:
    scan, labelmap = phantom(seed)
    heart = labelmap > 0
    margins = np.ones_like(heart)
    margins[:, 1:-1, 1:-1] = False
    assert not (heart & margins).any()
    air = ndimage.gaussian_filter(scan.array[0].astype(float), (0, 2, 2)) < 0.04 * np.percentile(scan.array, 99)
    assert not (air & heart).any()


def test_thin_slices_show_the_same_patient() -> None:
    scan, labelmap, _ = heart_phantom(2, thickness=4.0)
    thick_labels = phantom(2)[1]
    assert scan.grid.spacing[0] == 4.0
    assert abs(len(labelmap) - 2 * len(thick_labels)) <= 2
    volumes = [(labelmap == part).sum() * 4.0 / ((thick_labels == part).sum() * 8.0) for part in (RIGHT, MUSCLE, LEFT)]
    assert volumes == pytest.approx([1, 1, 1], abs=0.15)


def test_finer_voxels_show_the_same_patient() -> None:
    _, labelmap, _ = heart_phantom(2, in_plane=1.2, size=144)
    volumes = [(labelmap == part).sum() * 1.2**2 / ((phantom(2)[1] == part).sum() * 1.8**2) for part in (1, 2, 3)]
    assert labelmap.shape[1:] == (144, 144)
    assert volumes == pytest.approx([1, 1, 1], abs=0.1)


@pytest.mark.parametrize(
    "arguments",
    [{"seed": -1}, {"phase": 1.5}, {"phase": -0.1}, {"thickness": 0.0}, {"in_plane": -1.0}, {"size": 4}],
)
def test_what_cannot_be_scanned_is_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        heart_phantom(**{"seed": 0, **arguments})  # type: ignore[arg-type]


def test_paint_covers_in_order_with_soft_edges() -> None:
    canvas = Canvas(np.zeros(1), np.arange(4.0), np.arange(6.0))
    canvas.paint(np.float32(5.0), 1.0, fat=1)
    canvas.paint(canvas.x - 2, 3.0)
    assert canvas.image[0, 0] == pytest.approx([1, 1, 2, 3, 3, 3])
    assert canvas.fat[0, 0] == pytest.approx([1, 1, 0.5, 0, 0, 0])


def test_field_belongs_to_the_place_and_not_to_the_grid() -> None:
    coarse = Canvas(np.array([0.0, 8.0]), np.arange(-40.0, 40.0, 2), np.arange(-40.0, 40.0, 2))
    fine = Canvas(np.array([0.0, 4.0, 8.0]), np.arange(-40.0, 40.0), np.arange(-40.0, 40.0))
    one, other = (c.field(np.random.default_rng(5), 20, 10) for c in (coarse, fine))
    assert one == pytest.approx(other[::2, ::2, ::2], abs=1e-4)
    assert 0.5 < one.std() < 1.5


def test_thick_slices_are_means_of_thin_ones() -> None:
    thin = np.arange(6.0)[:, None, None] * np.ones((1, 2, 2))
    assert thick(thin, 3)[:, 0, 0] == pytest.approx([1, 4])
