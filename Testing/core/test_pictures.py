"""Overlay pictures: which slices, which way up, which colours, and a PNG that others can read."""

import numpy as np
import pytest
import SimpleITK as sitk

from mmgl.evaluation.pictures import GAP, TILE, overlay
from mmgl.imaging.grid import Grid
from mmgl.imaging.scan import Scan
from mmgl.report.png import png_bytes
from mmgl.structures import Structure

RED, GREEN = (255, 0, 0), (0, 255, 0)
STRUCTURES = [Structure(5, "one", RED), Structure(9, "two", GREEN)]


def grey(size, spacing=(1.0, 1.0, 1.0), directions=None, seed=0):
    array = np.random.default_rng(seed).normal(100, 10, (1, *size))
    grid = Grid(size, spacing, directions=directions) if directions else Grid(size, spacing)
    return Scan(array.astype(np.float32), grid, "MR")


def is_colour(rgb, colour):
    return (rgb == np.array(colour, np.uint8)).all(-1)


def test_slices_are_spread_over_what_is_painted():
    scan, labelmap = grey((40, 20, 20), (5, 1, 1)), np.zeros((40, 20, 20), int)
    labelmap[10:20, 8:12, 8:12] = 1
    rgb = overlay(scan, labelmap, STRUCTURES)
    assert rgb.dtype == np.uint8
    assert rgb.shape == (TILE, 5 * TILE + 4 * GAP, 3)
    for i in range(5):
        tile = rgb[:, i * (TILE + GAP) : i * (TILE + GAP) + TILE]
        rows, columns = np.nonzero(is_colour(tile, RED))
        assert abs(rows.mean() - columns.mean()) < 2
    assert overlay(scan, labelmap, STRUCTURES, slices=3).shape[1] == 3 * TILE + 2 * GAP
    labelmap[12:] = 0
    assert overlay(scan, labelmap, STRUCTURES).shape[1] == 2 * TILE + GAP


def test_the_slices_are_those_in_the_middle_of_equal_parts():
    scan, labelmap = grey((40, 64, 64), (5, 1, 1)), np.zeros((40, 64, 64), int)
    for z in range(10, 30):  # a line that wanders with the slice, between two corners that keep the tile whole
        labelmap[z, :, 2 * z : 2 * z + 2] = 1
    labelmap[20, ::63, ::63] = 2
    rgb = overlay(scan, labelmap, STRUCTURES, slices=4)
    centres = []
    for i in range(4):
        tile = rgb[:, i * (TILE + GAP) : i * (TILE + GAP) + TILE]
        centres.append(np.nonzero(is_colour(tile, RED))[1].mean() / TILE * 64)
    assert centres == pytest.approx([2 * z + 1 for z in (12, 17, 22, 27)], abs=0.6)


def test_pixels_are_square():
    scan, labelmap = grey((10, 30, 30), (8, 1, 2)), np.zeros((10, 30, 30), int)
    labelmap[5] = 1
    height, width, _ = overlay(scan, labelmap, STRUCTURES).shape
    assert (height, width) == (TILE // 2, TILE)


@pytest.mark.parametrize(("spacing", "shape"), [((6, 1, 1), (20, 30)), ((1, 6, 1), (10, 30)), ((1, 1, 6), (10, 20))])
def test_the_plane_is_the_acquired_one(spacing, shape):
    scan, labelmap = grey((10, 20, 30), spacing), np.ones((10, 20, 30), int)
    height, width, _ = overlay(scan, labelmap, STRUCTURES, slices=1).shape
    assert height / width == pytest.approx(shape[0] / shape[1], abs=0.01)


def test_cubes_are_shown_axial_and_a_single_slice_as_it_is():
    assert overlay(grey((10, 20, 40)), np.ones((10, 20, 40), int), STRUCTURES, slices=1).shape == (128, 256, 3)
    assert overlay(grey((20, 1, 40)), np.ones((20, 1, 40), int), STRUCTURES).shape == (128, 256, 3)


def corner(rgb):
    """Where the colour red is: up or down, left or right."""
    rows, columns = np.nonzero(is_colour(rgb, RED))
    up = "up" if rows.mean() < rgb.shape[0] / 2 else "down"
    return up, "left" if columns.mean() < rgb.shape[1] / 2 else "right"


@pytest.mark.parametrize(
    ("spacing", "expected"),
    [((6, 1, 1), ("up", "right")), ((1, 6, 1), ("up", "right")), ((1, 1, 6), ("up", "left"))],
)
@pytest.mark.parametrize("turned", [False, True])
def test_orientation(spacing, expected, turned):
    """A spot that is superior, anterior and left is seen where a radiologist expects it, however the file lies."""
    labelmap = np.full((12, 12, 12), 2)
    labelmap[9, 2, 9] = 1
    scan = grey((12, 12, 12), spacing)
    if turned:  # stored with every axis the other way round, and x before z
        labelmap = np.flip(labelmap.transpose(2, 1, 0))
        directions = ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0))
        scan = grey((12, 12, 12), spacing[::-1], directions)
    labelmap = np.where(labelmap == 1, 1, 0)
    labelmap[0, 0, 0] = labelmap[-1, -1, -1] = labelmap[0, -1, 0] = 2  # so that the whole slice is shown
    planes = overlay(scan, labelmap, STRUCTURES, slices=12)
    tiles = np.split(planes, range(TILE, planes.shape[1], TILE + GAP), axis=1)
    assert [corner(t[:, -TILE:]) for t in tiles if is_colour(t, RED).any()] == [expected]


def test_colours_fill_and_outline():
    scan = Scan(np.full((1, 1, 64, 64), 50.0), Grid((1, 64, 64)), "MR")
    labelmap = np.zeros((1, 64, 64), np.int32)
    labelmap[0, 16:48, 16:32], labelmap[0, 16:48, 32:48] = 1, 2
    labelmap[0, :2] = 7  # a value without a structure
    rgb = overlay(scan, labelmap, STRUCTURES)
    assert is_colour(rgb, RED).sum() == is_colour(rgb, GREEN).sum() > 500
    assert tuple(rgb[2, 128]) == (0, 0, 0)
    assert tuple(rgb[128, 100]) == (round(0.3 * 255), 0, 0)


def test_reference_above_and_its_outline_in_white():
    scan = Scan(np.zeros((1, 1, 64, 64)), Grid((1, 64, 64)))
    labelmap, reference = np.zeros((2, 1, 64, 64), int)
    labelmap[0, 20:40, 20:40], reference[0, 24:44, 20:40] = 1, 1
    reference[0, 0, 0] = -1
    rgb = overlay(scan, labelmap, STRUCTURES, reference=reference)
    height = (rgb.shape[0] - GAP) // 2
    above, below = rgb[:height], rgb[height + GAP :]
    assert np.nonzero(is_colour(above, RED))[0].min() > np.nonzero(is_colour(below, RED))[0].min() + 8
    outline = np.array(np.nonzero(is_colour(below, (255, 255, 255))))
    assert np.ptp(outline, axis=1) == pytest.approx(np.ptp(np.nonzero(is_colour(above, RED)), axis=1), abs=2)
    assert not is_colour(above, (255, 255, 255)).any()


def test_pictures_keep_their_colours():
    generator = np.random.default_rng(1)
    array = generator.integers(0, 256, (3, 1, 300, 200), dtype=np.uint8)
    rgb = overlay(Scan(array, Grid((1, 300, 200)), "picture"), np.zeros((1, 300, 200), int), STRUCTURES)
    np.testing.assert_array_equal(rgb, np.moveaxis(array[:, 0], 0, -1))


def test_grey_is_windowed_and_constant_scans_work():
    array = np.arange(1000.0).reshape(1, 1, 25, 40)
    array[0, 0, 0, 0] = 1e9
    rgb = overlay(Scan(array, Grid((1, 25, 40)), "CT"), np.zeros((1, 25, 40), int), STRUCTURES)
    assert rgb.min() == 0
    assert 120 < np.median(rgb) < 135
    constant = overlay(Scan(array * 0, Grid((1, 25, 40))), np.zeros((1, 25, 40), int), STRUCTURES)
    assert not constant.any()


def test_inputs_stay_and_sizes_must_fit():
    scan, labelmap = grey((3, 8, 8)), np.ones((3, 8, 8), np.int16)
    before = scan.array.copy(), labelmap.copy()
    overlay(scan, labelmap, STRUCTURES, reference=labelmap)
    np.testing.assert_array_equal(scan.array, before[0])
    np.testing.assert_array_equal(labelmap, before[1])
    for wrong in ({"labelmap": np.ones((3, 8, 7), int)}, {"labelmap": labelmap, "reference": np.ones((8, 8), int)}):
        with pytest.raises(ValueError, match="must have the size"):
            overlay(scan, structures=STRUCTURES, **wrong)


def test_png_is_read_back_by_others(tmp_path):
    rgb = np.random.default_rng(2).integers(0, 256, (13, 7, 3), dtype=np.uint8)
    path = tmp_path / "picture.png"
    path.write_bytes(png_bytes(rgb))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), rgb)


@pytest.mark.data
def test_real_short_axis_slices(data):
    image = sitk.ReadImage(str(data / "acdc/images/patient001_frame01.nii.gz"))
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(data / "acdc/labels/patient001_frame01.nii.gz"))).astype(int)
    scan = Scan(sitk.GetArrayFromImage(image)[None], Grid(label.shape, image.GetSpacing()[::-1]), "MR")
    structures = [*STRUCTURES, Structure(3, "three", (0, 0, 255))]
    rgb = overlay(scan, label, structures, reference=label)
    assert rgb.shape[1] == 5 * TILE + 4 * GAP
    assert all(is_colour(rgb, s.colour).any() for s in structures)
