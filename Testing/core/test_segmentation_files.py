"""Segmentations on disk: reading, placing on a scan, and writing so that Slicer reads the same."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Grid
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation import Segment, Segmentation
from mmgl.imaging.segmentation_files import (
    place,
    read_segmentation,
    write_labelmap,
    write_picture,
    write_segmentation,
)
from mmgl.messages import MMGLError
from mmgl.structures import Structure

TILTED = (0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0)
GRID = Grid((6, 7, 8), (2.5, 0.5, 0.75), (30.0, -20.0, -10.0), TILTED)
LABELMAP = np.zeros((6, 7, 8), np.int32)
LABELMAP[1:3, 2:5, 3:4] = 1
LABELMAP[4, 1:6, 2:7] = 2
LIVER = "Segmentation category and type~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^~Anatomic codes~^^~^^"
STRUCTURES = [
    Structure(4, "Leber, 肝臓 (ré)", (221, 130, 101), LIVER),
    Structure(9, "lv", (0, 255, 7)),
    Structure(2, "x", (1, 2, 3)),
]


def write(path: Path, array: np.ndarray, grid: Grid = GRID, **keys: str) -> Path:
    """A label as another program writes it."""
    image = image_of(array, grid)
    for key, text in keys.items():
        image.SetMetaData(key, text)
    sitk.WriteImage(image, str(path), True)
    return path


def refusal(path: Path) -> MMGLError:
    """The error that reading raises."""
    with pytest.raises(MMGLError) as caught:
        read_segmentation(path)
    assert "\n" not in str(caught.value)
    return caught.value


def turned(grid: Grid, order: tuple[int, ...], signs: tuple[int, ...]) -> Grid:
    """The grid of the same voxels, its axes in another order and direction."""
    corner = [0 if sign > 0 else n - 1 for n, sign in zip(grid.size, signs, strict=True)]
    matrix = (grid.matrix * signs)[:, list(order)]
    size, spacing = (tuple(values[i] for i in order) for values in (grid.size, grid.spacing))
    return Grid(size, spacing, tuple(map(float, grid.position(corner))), tuple(map(tuple, matrix.tolist())))


# plain labelmaps


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_labelmaps_come_back(tmp_path: Path, name: str) -> None:
    write_labelmap(tmp_path / name, LABELMAP, GRID)
    segmentation = read_segmentation(tmp_path / name)
    assert segmentation.segments == (Segment(1), Segment(2))
    assert segmentation.layers.dtype == np.uint8
    assert np.array_equal(segmentation.layers[0], LABELMAP)
    assert segmentation.grid.same_as(GRID)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("largest", "kind"), [(255, np.uint8), (256, np.uint16), (65535, np.uint16), (65536, np.uint32)]
)
def test_the_smallest_type_is_written_and_read(tmp_path: Path, largest: int, kind: type) -> None:
    array = np.zeros((2, 3, 4), np.int64)
    array[0, 0, 0], array[1, 2, 3] = largest, 3
    write_labelmap(tmp_path / "a.nrrd", array, Grid((2, 3, 4)))
    assert sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.nrrd"))).dtype == kind
    segmentation = read_segmentation(tmp_path / "a.nrrd")
    assert segmentation.layers.dtype == kind
    assert [segment.value for segment in segmentation.segments] == [3, largest]


def test_65535_values(tmp_path: Path) -> None:
    array = np.arange(65536).reshape(16, 64, 64)
    write_labelmap(tmp_path / "a.nii.gz", array, Grid((16, 64, 64)))
    assert [s.value for s in read_segmentation(tmp_path / "a.nii.gz").segments] == list(range(1, 65536))
    write_labelmap(tmp_path / "b.nii.gz", array + 1, Grid((16, 64, 64)))
    assert refusal(tmp_path / "b.nii.gz").key == "label.many_values"


@pytest.mark.parametrize("kind", [np.int16, np.uint16, np.int64, np.float32, np.float64])
def test_whole_numbers_of_any_type(tmp_path: Path, kind: type) -> None:
    segmentation = read_segmentation(write(tmp_path / "a.nrrd", LABELMAP.astype(kind)))
    assert np.array_equal(segmentation.layers[0], LABELMAP)
    assert segmentation.layers.dtype == np.uint8


def test_an_empty_labelmap_has_no_segments(tmp_path: Path) -> None:
    assert read_segmentation(write(tmp_path / "a.nii", np.zeros((6, 7, 8), np.uint8))).segments == ()


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (0.5, "label.not_integers"),
        (np.nan, "label.not_integers"),
        (np.inf, "label.not_integers"),
        (-1, "label.negative"),
    ],
)
def test_images_are_not_labels(tmp_path: Path, value: float, key: str) -> None:
    array = LABELMAP.astype(np.float32)
    array[0, 0, 0] = value
    assert refusal(write(tmp_path / "a.nrrd", array)).key == key


def test_more_that_is_no_label(tmp_path: Path) -> None:
    assert refusal(write(tmp_path / "a.nii", LABELMAP.astype(np.complex64))).key == "label.not_integers"
    assert refusal(write(tmp_path / "a.mha", LABELMAP.astype(np.float64) * 1e12)).key == "label.unreadable"
    vector = refusal(write(tmp_path / "b.mha", np.stack([LABELMAP] * 3)))
    assert (vector.key, vector.parameters["reason"]) == ("label.unreadable", "it has 3 values for each voxel")
    sitk.WriteImage(sitk.JoinSeries([image_of(LABELMAP, GRID)] * 2), str(tmp_path / "c.nii"))
    assert refusal(tmp_path / "c.nii").key == "scan.four_dimensional"


def test_unreadable_labels(tmp_path: Path) -> None:
    assert refusal(tmp_path / "a.nii").key == "file.missing"
    assert refusal(tmp_path / "a.xyz").key == "file.missing"
    assert refusal(tmp_path).key == "label.unreadable"
    (tmp_path / "a.nii").write_text("not a label")
    assert refusal(tmp_path / "a.nii").key == "label.unreadable"
    (tmp_path / "b.nrrd").write_bytes(b"")
    assert refusal(tmp_path / "b.nrrd").key == "label.unreadable"
    sitk.WriteImage(sitk.GetImageFromArray(LABELMAP[0].astype(np.uint8)), str(tmp_path / "a.jpg"))
    assert refusal(tmp_path / "a.jpg").key == "label.unreadable"
    whole = write(tmp_path / "c.nii.gz", np.random.default_rng(0).integers(0, 9, (6, 7, 8)).astype(np.uint8))
    whole.write_bytes(whole.read_bytes()[:-20])
    assert refusal(whole).key == "label.unreadable"


def test_masks_of_pictures(tmp_path: Path) -> None:
    mask = (LABELMAP[4:5] > 0) * np.uint8(255)
    write_labelmap(tmp_path / "grey.png", mask, Grid((1, 7, 8)))
    write_picture(tmp_path / "rgb.png", np.repeat(mask[0, ..., None], 3, axis=2))
    clear = np.dstack([np.repeat(mask[0, ..., None], 3, axis=2), np.full((7, 8), 9, np.uint8)])
    sitk.WriteImage(sitk.GetImageFromArray(clear, isVector=True), str(tmp_path / "rgba.png"))
    for name in ("grey.png", "rgb.png", "rgba.png"):
        segmentation = read_segmentation(tmp_path / name)
        assert segmentation.segments == (Segment(255),)
        assert np.array_equal(segmentation.layers, mask[None])
    coloured = np.zeros((7, 8, 3), np.uint8)
    coloured[2, 3] = 200, 0, 0
    write_picture(tmp_path / "coloured.png", coloured)
    assert refusal(tmp_path / "coloured.png").key == "label.coloured"


# segmentations of Slicer


def test_segmentations_come_back(tmp_path: Path) -> None:
    path = tmp_path / "result.seg.nrrd"
    write_segmentation(path, LABELMAP, GRID, STRUCTURES)
    segmentation = read_segmentation(path)
    expected = [Segment(i + 1, s.name, s.colour, s.terminology, 0) for i, s in enumerate(STRUCTURES)]
    assert segmentation.segments == tuple(expected)
    assert np.array_equal(segmentation.labelmap([1, 2, 3]), LABELMAP)
    assert segmentation.grid.same_as(GRID)


def test_the_keys_are_those_of_slicer(tmp_path: Path) -> None:
    path = tmp_path / "result.seg.nrrd"
    write_segmentation(path, LABELMAP, GRID, STRUCTURES)
    header = path.read_bytes().split(b"\n\n")[0].decode("utf-8")
    for line in (
        "Segmentation_MasterRepresentation:=Binary labelmap", "Segmentation_SourceRepresentation:=Binary labelmap",
        "Segmentation_ContainedRepresentationNames:=Binary labelmap|", "Segmentation_ReferenceImageExtentOffset:=0 0 0",
        "Segment0_ID:=Segment_4", "Segment0_Name:=Leber, 肝臓 (ré)", "Segment0_NameAutoGenerated:=0",
        "Segment0_Color:=0.866667 0.509804 0.396078", "Segment0_ColorAutoGenerated:=0", "Segment0_LabelValue:=1",
        "Segment0_Layer:=0", f"Segment0_Tags:=TerminologyEntry:{LIVER}|", "Segment0_Extent:=3 3 2 4 1 2",
        "Segment1_Extent:=2 6 1 5 4 4", "Segment2_Extent:=0 -1 0 -1 0 -1", "space: left-posterior-superior",
        "type: unsigned char", "encoding: gzip", "kinds: domain domain domain",
    ):  # fmt: skip
        assert line in header.splitlines()


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\"), min_size=1, max_size=30),
    st.tuples(*[st.integers(0, 255)] * 3),
)
@settings(max_examples=25, deadline=None)
def test_any_name_and_colour_survive(tmp_path_factory: pytest.TempPathFactory, name: str, colour: tuple) -> None:
    path = tmp_path_factory.mktemp("names") / "a.seg.nrrd"
    write_segmentation(path, LABELMAP, GRID, [Structure(1, name, colour), STRUCTURES[1]])
    segment = read_segmentation(path).segments[0]
    assert (segment.name, segment.colour) == (" ".join(name.split()), colour)


def test_segments_that_overlap_lie_in_layers(tmp_path: Path) -> None:
    layers = np.stack([LABELMAP, np.roll(LABELMAP, 1, axis=2)]).astype(np.uint8)
    keys = {
        "Segment0_Name": "one", "Segment0_LabelValue": "1", "Segment0_Layer": "0", "Segment1_Name": "two",
        "Segment1_LabelValue": "2", "Segment1_Layer": "1", "Segment1_Color": "1 0.5 0", "Segment0_Color": "red",
    }  # fmt: skip
    path = write(tmp_path / "a.seg.nrrd", layers, **keys)
    path.write_bytes(path.read_bytes().replace(b"kinds: vector", b"kinds: list"))
    segmentation = read_segmentation(path)
    named = (Segment(1, "one", None, "", 0), Segment(2, "two", (255, 128, 0), "", 1))
    assert segmentation.segments == (*named, Segment(2, layer=0), Segment(1, layer=1))
    assert np.array_equal(segmentation.layers, layers)
    assert np.array_equal(segmentation.voxels(named[1]), layers[1] == 2)


def test_old_files_have_a_layer_for_each_segment(tmp_path: Path) -> None:
    layers = np.stack([LABELMAP == 1, LABELMAP == 2]).astype(np.uint8)
    path = write(tmp_path / "a.nrrd", layers, Segment0_Name="one", Segment1_Name="two", Segment1_Tags="a:b|c")
    assert read_segmentation(path).segments == (Segment(1, "one"), Segment(1, "two", layer=1))


def test_values_without_a_name_are_not_lost(tmp_path: Path) -> None:
    path = write(tmp_path / "a.seg.nrrd", LABELMAP.astype(np.uint8), Segment0_Name="one", Segment0_LabelValue="1")
    assert read_segmentation(path).segments == (Segment(1, "one"), Segment(2))


@pytest.mark.parametrize("keys", [{"Layer": "1"}, {"Layer": "-1"}, {"LabelValue": "0"}, {"LabelValue": "many"}])
def test_keys_that_make_no_sense(tmp_path: Path, keys: dict[str, str]) -> None:
    told = {f"Segment0_{key}": text for key, text in {"Name": "one", **keys}.items()}
    assert refusal(write(tmp_path / "a.seg.nrrd", LABELMAP.astype(np.uint8), **told)).key == "label.unreadable"


# on the grid of the scan


def segmentation_on(grid: Grid, *layers: np.ndarray) -> Segmentation:
    """Painted layers, as read from a file."""
    return Segmentation(np.stack(layers).astype(np.uint8), grid, (Segment(1, "one"), Segment(2, "two")))


def test_the_same_grid_keeps_the_label() -> None:
    near = Grid(GRID.size, GRID.spacing, (30.0, -20.0, -10.0 + 1e-6), TILTED)
    placed = place(segmentation_on(GRID, LABELMAP), near, Path("a.nrrd"))
    assert placed.grid == near
    assert np.array_equal(placed.layers[0], LABELMAP)


@given(st.tuples(*[st.integers(-3, 3)] * 3), st.tuples(*[st.integers(4, 9)] * 3), st.integers(0, 47))
@settings(max_examples=40, deadline=None)
def test_cuts_of_one_lattice_are_copied(shift: tuple, size: tuple, turn: int) -> None:
    random = np.random.default_rng(turn)
    painted = random.integers(1, 3, GRID.size)
    order = list(permutations(range(3)))[turn // 8]
    signs = list(product((1, -1), repeat=3))[turn % 8]
    cut = Grid(size, GRID.spacing, tuple(map(float, GRID.position(shift))), TILTED)
    scan = turned(cut, order, signs)
    placed = place(segmentation_on(GRID, painted, painted), scan, Path("a.nrrd"))
    assert placed.layers.shape == (2, *scan.size)
    for index in product(*map(range, scan.size)):
        z, y, x = np.rint(GRID.index(scan.position(index))).astype(int)
        inside = all(0 <= i < n for i, n in zip((z, y, x), GRID.size, strict=True))
        assert placed.layers[1][index] == (painted[z, y, x] if inside else 0)


def test_copying_and_nearest_neighbours_agree() -> None:
    moved = Grid(GRID.size, GRID.spacing, tuple(map(float, GRID.position((1.02, -1, 2)))), TILTED)
    exact = Grid(GRID.size, GRID.spacing, tuple(map(float, GRID.position((1, -1, 2)))), TILTED)
    label = segmentation_on(GRID, LABELMAP)
    assert np.array_equal(place(label, moved, Path("a")).layers, place(label, exact, Path("a")).layers)


def test_a_finer_label_is_taken_at_the_centres_of_the_scan() -> None:
    fine = GRID.resized((18, 21, 24))
    painted = np.kron(LABELMAP, np.ones((3, 3, 3), int))
    placed = place(segmentation_on(fine, painted, painted[::-1]), GRID, Path("a.nrrd"))
    assert np.array_equal(placed.layers[0], LABELMAP)
    assert np.array_equal(placed.layers[1], LABELMAP[::-1])
    assert placed.segments == (Segment(1, "one"), Segment(2, "two"))


def test_an_oblique_label_stays_where_it_was() -> None:
    scan = Grid((60, 60, 40), (1.0, 1.0, 1.0), (-10.0, -40.0, -30.0))
    label = Grid((20, 20, 20), (2.0, 2.0, 2.0), (12.31, -35.93, -22.13), TILTED)
    painted = np.zeros(label.size, int)
    painted[5:12, 6:14, 4:9] = 1
    placed = place(segmentation_on(label, painted), scan, Path("a.nrrd"))
    nearest = np.rint(label.index(scan.position(np.moveaxis(np.indices(scan.size), 0, -1)))).astype(int)
    inside = ((nearest >= 0) & (nearest < label.size)).all(-1)
    expected = np.where(inside, painted[tuple(np.moveaxis(np.clip(nearest, 0, 19), -1, 0))], 0)
    assert np.array_equal(placed.layers[0], expected)
    assert expected.sum() == pytest.approx(8 * painted.sum(), rel=0.05)


def test_a_label_somewhere_else_is_told(tmp_path: Path) -> None:
    for shift in ((0, 0, 100), (0.5, 100.2, 0)):
        away = Grid(GRID.size, GRID.spacing, tuple(map(float, GRID.position(shift))), TILTED)
        with pytest.raises(MMGLError) as caught:
            place(segmentation_on(GRID, LABELMAP), away, tmp_path / "a.nrrd")
        assert caught.value.key == "label.outside"
        assert not place(segmentation_on(GRID, 0 * LABELMAP), away, tmp_path / "a.nrrd").layers.any()


def test_a_mask_fits_by_its_pixels_only() -> None:
    mask = Segmentation(np.ones((1, 1, 7, 8), np.uint8), Grid((1, 7, 8)), (Segment(1),))
    slide = Grid((1, 7, 8), (1.0, 0.2, 0.2), (5.0, 5.0, 5.0))
    assert place(mask, slide, Path("a.png")).grid == slide
    with pytest.raises(MMGLError, match="8 x 7 and its picture 16 x 14 pixels") as caught:
        place(mask, Grid((1, 14, 16)), Path("a.png"))
    assert caught.value.key == "label.other_size"


# writing


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    for name, write_it in (
        ("a.nii.gz", lambda path, **k: write_labelmap(path, LABELMAP, GRID, **k)),
        ("a.seg.nrrd", lambda path, **k: write_segmentation(path, LABELMAP, GRID, STRUCTURES, **k)),
        ("a.png", lambda path, **k: write_picture(path, np.zeros((3, 4, 3), np.uint8), **k)),
    ):
        (tmp_path / name).write_text("precious")
        with pytest.raises(MMGLError) as caught:
            write_it(tmp_path / name)
        assert caught.value.key == "file.exists"
        assert (tmp_path / name).read_text(encoding="utf-8") == "precious"
        write_it(tmp_path / name, overwrite=True)
        assert (tmp_path / name).read_bytes() != b"precious"


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MMGLError, match=r"Use one of: \.nii\.gz"):
        write_labelmap(tmp_path / "a.tif", LABELMAP, GRID)
    with pytest.raises(MMGLError, match=r"Use one of: \.seg\.nrrd"):
        write_segmentation(tmp_path / "a.nrrd", LABELMAP, GRID, STRUCTURES)
    with pytest.raises(MMGLError, match=r"Use one of: \.png"):
        write_picture(tmp_path / "a.jpg", np.zeros((3, 4, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise RuntimeError("no space")

    monkeypatch.setattr(sitk, "WriteImage", full)
    with pytest.raises(MMGLError) as caught:
        write_labelmap(tmp_path / "a.nrrd", LABELMAP, GRID)
    assert caught.value.key == "file.unwritable"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(MMGLError) as caught:
        write_labelmap(tmp_path / "file" / "a.nrrd", LABELMAP, GRID)
    assert caught.value.key == "file.unwritable"


@pytest.mark.parametrize("share", [0.0, 0.9])
@pytest.mark.parametrize("suffix", [".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha"])
def test_what_a_full_disk_took_only_a_part_of_takes_no_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, share: float
) -> None:
    """ITK may say nothing where a disk is full: then a label would be lost, and a result be wrong."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"what was there before")
    write = sitk.WriteImage

    def cut(image: sitk.Image, name: str, **named: bool) -> None:
        write(image, name, **named)
        Path(name).write_bytes(Path(name).read_bytes()[: int(share * Path(name).stat().st_size)])

    monkeypatch.setattr(sitk, "WriteImage", cut)
    named = (STRUCTURES,) if suffix == ".seg.nrrd" else ()
    with pytest.raises(MMGLError, match="disk may be full"):
        (write_segmentation if named else write_labelmap)(path, LABELMAP, GRID, *named, overwrite=True)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"what was there before"]


def test_arrays_that_are_no_labelmap(tmp_path: Path) -> None:
    for array in (
        LABELMAP - 1,
        LABELMAP.astype(np.float32),
        LABELMAP[0],
        LABELMAP[:3],
        LABELMAP.astype(np.int64) << 40,
    ):
        with pytest.raises(ValueError, match=r"labelmap|same size"):
            write_labelmap(tmp_path / "a.nrrd", array, GRID)
    with pytest.raises(ValueError, match="value 2 is none of the 1"):
        write_segmentation(tmp_path / "a.seg.nrrd", LABELMAP, GRID, STRUCTURES[:1])
    with pytest.raises(ValueError, match="one slice"):
        write_labelmap(tmp_path / "a.png", LABELMAP, GRID)
    with pytest.raises(ValueError, match="a picture is"):
        write_picture(tmp_path / "a.png", np.zeros((3, 4), np.uint8))


def test_pictures_come_back(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (5, 7, 3)).astype(np.uint8)
    write_picture(tmp_path / "a.png", rgb)
    assert np.array_equal(np.moveaxis(read_scan(tmp_path / "a.png").array[:, 0], 0, -1), rgb)


@pytest.mark.data
def test_a_real_label_on_its_scan(data: Path, tmp_path: Path) -> None:
    folder = data / "totalsegmentator"
    scan, label = read_scan(folder / "example_ct_sm.nii.gz"), read_segmentation(folder / "example_seg.nii.gz")
    placed = place(label, scan.grid, folder / "example_seg.nii.gz")
    assert np.array_equal(placed.layers, label.layers)
    structures = [Structure(s.value, f"structure {s.value}", (1, 2, 3)) for s in label.segments]
    labelmap = label.labelmap(range(1, len(structures) + 1))
    write_segmentation(tmp_path / "a.seg.nrrd", labelmap, label.grid, structures)
    again = read_segmentation(tmp_path / "a.seg.nrrd")
    assert np.array_equal(again.labelmap([s.id for s in structures]), label.layers[0])
