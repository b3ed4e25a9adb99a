"""Reading scans: every format, and every way in which a file can be wrong."""

import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from mmgl.imaging.conversion import array_of, grid_of, image_of
from mmgl.imaging.grid import Grid
from mmgl.imaging.image_files import failure, quiet
from mmgl.imaging.reading import find_series, read_case_scan, read_header, read_scan
from mmgl.messages import MMGLError

VOXELS = np.random.default_rng(0).integers(-500, 500, (4, 5, 6)).astype(np.int16)
TILTED = (0.8, -0.6, 0.0), (0.6, 0.8, 0.0), (0.0, 0.0, 1.0)
GRID = Grid((4, 5, 6), (2.5, 0.5, 0.75), (30.0, -20.0, -10.0), TILTED)

NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\nendian: little\n"
    "encoding: raw\nspace origin: (1,2,3)\nspace directions: {directions}\n\n"
)
STRAIGHT = "(1,0,0) (0,1,0) (0,0,2)"


def refusal(path: Path, *arguments: str) -> MMGLError:
    """The error that reading raises; its message is one line without places in C++ files."""
    with pytest.raises(MMGLError) as caught:
        read_scan(path, *arguments)
    text = str(caught.value)
    assert "\n" not in text
    assert ".cxx" not in text
    assert "0x" not in text
    return caught.value


def nifti(path: Path, *edits: tuple, array: np.ndarray = VOXELS) -> Path:
    """A NIfTI file with numbers of its header replaced: (offset, struct format, values...)."""
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    raw = bytearray(path.read_bytes())
    for offset, kind, *values in edits:
        struct.pack_into("<" + kind, raw, offset, *values)
    path.write_bytes(raw)
    return path


def nrrd(path: Path, sizes: str = "6 5 4", directions: str = STRAIGHT, data: bytes = VOXELS.tobytes()) -> Path:
    """An NRRD file written by hand."""
    path.write_bytes(NRRD.format(sizes=sizes, directions=directions).encode() + data)
    return path


def slices(
    folder: Path, heights: list[float], uid: str = "1.2.3", prefix: str = "", shift: float = 0.0, **tags: str
) -> None:
    """A DICOM series as a scanner writes it, one file for each height in mm."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for i, height in enumerate(heights):
        image = sitk.GetImageFromArray(VOXELS[i % 4][None] + 10 * i)
        image.SetSpacing((0.5, 0.75, 1.0))
        keys = {
            "0008|0060": "CT", "0008|0018": f"{uid}.{i}", "0020|000e": uid, "0020|000d": "1.2", "0010|0020": "P7",
            "0008|103e": "Thorax", "0020|0032": f"{-10 + shift * height}\\-20\\{height}",
            "0020|0037": "1\\0\\0\\0\\1\\0", "0028|1052": "0", "0028|1053": "1", "0020|0013": str(i),
        }  # fmt: skip
        for key, value in {**keys, **{k.replace("_", "|"): v for k, v in tags.items()}}.items():
            image.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{prefix}{i}.dcm"))
        writer.Execute(image)


# what is read


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd"])
@pytest.mark.parametrize("kind", [np.int16, np.uint8, np.float32, np.int32])
def test_every_format_gives_voxels_grid_and_type(tmp_path: Path, name: str, kind: type) -> None:
    array = np.abs(VOXELS).astype(kind)
    sitk.WriteImage(image_of(array, GRID), str(tmp_path / name), True)
    scan = read_scan(tmp_path / name)
    assert scan.array.dtype == kind
    assert np.array_equal(scan.array, array[None])
    assert scan.grid.same_as(GRID)
    assert scan.modality == ""
    header = read_header(tmp_path / name)
    assert (header.grid.same_as(GRID), header.channels, header.patient) == (True, 1, "")


@pytest.mark.parametrize(
    ("name", "other"), [("a.nii.gz", "A.NII.GZ"), ("a.nrrd", "Größe 1.2.NRRD"), ("a.png", "a.PNG")]
)
def test_names_in_capitals_and_other_letters(tmp_path: Path, name: str, other: str) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.abs(VOXELS[:1]).astype(np.uint8))[:, :, 0], str(tmp_path / name))
    (tmp_path / name).rename(tmp_path / other)
    assert read_scan(tmp_path / other).array.shape == (1, 1, 5, 6)


def test_nrrd_in_ras_is_turned_to_lps(tmp_path: Path) -> None:
    path = nrrd(tmp_path / "a.nrrd")
    path.write_bytes(path.read_bytes().replace(b"left-posterior-superior", b"right-anterior-superior"))
    assert read_scan(path).grid.origin == (3.0, -2.0, -1.0)


@given(st.tuples(*[st.integers(1, 4)] * 3), st.tuples(*[st.floats(0.1, 9)] * 3), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_conversion_and_back_is_exact(size: tuple, spacing: tuple, channels: int) -> None:
    grid = Grid(size, spacing, (1.0, -2.0, 3.0), TILTED)
    array = np.arange(channels * np.prod(size)).reshape(channels, *size)
    image = image_of(array, grid)
    assert np.array_equal(array_of(image), array)
    assert grid_of(image) == grid
    index = tuple(n - 1 for n in size)
    assert np.allclose(image.TransformIndexToPhysicalPoint(index[::-1])[::-1], grid.position(index))


def test_image_of_refuses_another_size() -> None:
    with pytest.raises(ValueError, match="same size"):
        image_of(VOXELS, Grid((5, 5, 6)))


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha", "a.nii.gz"])
def test_vector_voxels_become_channels(tmp_path: Path, name: str) -> None:
    array = np.stack([VOXELS, VOXELS + 1, VOXELS * 2])
    sitk.WriteImage(image_of(array, GRID), str(tmp_path / name))
    assert np.array_equal(read_scan(tmp_path / name).array, array)
    assert read_header(tmp_path / name).channels == 3


def test_a_2d_image_is_one_slice(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(VOXELS[0])
    image.SetSpacing((0.5, 0.75))
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    scan = read_scan(tmp_path / "a.nrrd")
    assert scan.array.shape == (1, 1, 5, 6)
    assert scan.grid.spacing == (1.0, 0.75, 0.5)


def test_one_frame_in_four_dimensions_is_a_scan(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.JoinSeries([image_of(VOXELS, GRID)]), str(tmp_path / "a.mha"))
    scan = read_scan(tmp_path / "a.mha")
    assert np.array_equal(scan.array, VOXELS[None])
    assert scan.grid.same_as(GRID)


@pytest.mark.parametrize(
    ("name", "channels", "read"),
    [("c.png", 3, 3), ("c.jpg", 3, 3), ("a.png", 4, 3), ("g.png", 1, 1), ("g.jpeg", 1, 1)],
)
def test_pictures(tmp_path: Path, name: str, channels: int, read: int) -> None:
    picture = np.random.default_rng(1).integers(0, 255, (8, 9, channels)).astype(np.uint8)
    image = sitk.GetImageFromArray(picture if channels > 1 else picture[..., 0], isVector=channels > 1)
    image.SetSpacing((0.2, 0.3))
    sitk.WriteImage(image, str(tmp_path / name))
    scan = read_scan(tmp_path / name)
    assert (scan.modality, scan.grid, scan.array.dtype) == ("picture", Grid((1, 8, 9)), np.uint8)
    assert scan.array.shape == (read, 1, 8, 9)
    assert read_header(tmp_path / name).channels == read
    if name.endswith(".png"):
        assert np.array_equal(scan.array[:, 0], np.moveaxis(picture[..., :read], -1, 0))


def test_metaimage_tells_its_modality(tmp_path: Path) -> None:
    sitk.WriteImage(image_of(VOXELS, GRID), str(tmp_path / "a.mha"))
    raw = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(raw.replace(b"ElementType", b"Modality = MET_MOD_MR\nElementType"))
    assert read_scan(tmp_path / "a.mha").modality == "MR"


# DICOM


def test_dicom_series(tmp_path: Path) -> None:
    slices(tmp_path / "s", [10.0, 7.5, 0.0, 2.5, 5.0])
    scan = read_scan(tmp_path / "s")
    assert scan.modality == "CT"
    assert scan.array.shape == (1, 5, 5, 6)
    assert scan.grid.same_as(Grid((5, 5, 6), (2.5, 0.75, 0.5), (0.0, -20.0, -10.0)))
    for place, written in enumerate([2, 3, 4, 1, 0]):
        assert np.array_equal(scan.array[0, place], VOXELS[written % 4] + 10 * written)
    header = read_header(tmp_path / "s")
    assert (header.grid, header.patient, header.modality, header.channels) == (scan.grid, "P7", "CT", 1)
    assert find_series(tmp_path / "s") == {"1.2.3": "CT, Thorax, 5 files"}


def test_two_series_in_one_folder(tmp_path: Path) -> None:
    slices(tmp_path, [0.0, 2.0], prefix="a")
    slices(tmp_path, [0.0, 3.0, 6.0], uid="1.2.4", prefix="b", **{"0008_0060": "MR"})
    (tmp_path / "notes.txt").write_text("not an image")
    assert find_series(tmp_path) == {"1.2.3": "CT, Thorax, 2 files", "1.2.4": "MR, Thorax, 3 files"}
    error = refusal(tmp_path)
    assert error.key == "scan.several_series"
    assert error.parameters["count"] == 2
    assert read_scan(tmp_path, "1.2.4").grid.size == (3, 5, 6)
    assert refusal(tmp_path, "9.9").key == "scan.unknown_series"


def test_single_dicom_files(tmp_path: Path) -> None:
    slices(tmp_path / "s", [4.0])
    assert read_scan(tmp_path / "s" / "0.dcm").array.shape == (1, 1, 5, 6)
    assert read_scan(tmp_path / "s").array.shape == (1, 1, 5, 6)
    (tmp_path / "s" / "0.dcm").rename(tmp_path / "IM000001")
    assert read_scan(tmp_path / "IM000001").grid.origin == (4.0, -20.0, -10.0)
    frames = sitk.GetImageFromArray(np.abs(VOXELS).astype(np.uint16))
    sitk.WriteImage(frames, str(tmp_path / "frames.dcm"))
    assert np.array_equal(read_scan(tmp_path / "frames.dcm").array[0], np.abs(VOXELS))


@pytest.mark.parametrize(
    ("heights", "key"),
    [
        ([0.0, 2.5, 5.0, 10.0], "scan.uneven_slices"),
        ([0.0, 2.5, 5.0, 7.7], "scan.uneven_slices"),
        ([0.0, 2.5, 2.5, 5.0], "scan.uneven_slices"),
        ([0.0, 2.5, 0.0, 2.5], "scan.four_dimensional"),
        ([1.0, 1.0, 1.0], "scan.four_dimensional"),
    ],
)
def test_slices_that_do_not_stack(tmp_path: Path, heights: list[float], key: str) -> None:
    slices(tmp_path / "s", heights)
    assert refusal(tmp_path / "s").key == key
    with pytest.raises(MMGLError, match=re.escape(str(tmp_path))):
        read_header(tmp_path / "s")


def test_slightly_uneven_slices_are_read(tmp_path: Path) -> None:
    slices(tmp_path / "s", [0.0, 2.5, 5.0, 7.6])
    assert read_scan(tmp_path / "s").grid.spacing[0] == pytest.approx(7.6 / 3)


def test_a_tilted_gantry_is_refused(tmp_path: Path) -> None:
    slices(tmp_path / "s", [0.0, 2.5, 5.0], shift=0.2)
    assert refusal(tmp_path / "s").key == "scan.sheared"


def test_slices_of_different_directions_are_refused(tmp_path: Path) -> None:
    slices(tmp_path / "s", [0.0, 2.5], prefix="a")
    slices(tmp_path / "s", [0.0, 2.5], prefix="b", **{"0020_0037": "1\\0\\0\\0\\0\\1"})
    assert refusal(tmp_path / "s").key == "scan.mixed_slices"


def test_a_cut_slice_is_told_and_not_left_out(tmp_path: Path) -> None:
    slices(tmp_path / "s", [0.0, 2.5, 5.0])
    last = tmp_path / "s" / "2.dcm"
    last.write_bytes(last.read_bytes()[:-20])
    error = refusal(tmp_path / "s")
    assert (error.key, error.parameters["path"]) == ("scan.unreadable", last)


def test_troubles_while_slices_are_read_are_told_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("Failed to allocate memory for image.")

    slices(tmp_path / "s", [0.0, 2.5])
    monkeypatch.setattr(sitk.ImageSeriesReader, "Execute", fail)
    error = refusal(tmp_path / "s")
    assert (error.key, error.parameters["path"]) == ("scan.unreadable", tmp_path / "s")
    assert "not enough memory" in str(error)


def test_dicom_that_is_no_image_is_passed_over(tmp_path: Path) -> None:
    slices(tmp_path / "s", [0.0, 2.5])
    slices(tmp_path / "s", [0.0], uid="1.2.5", prefix="report")
    slices(tmp_path / "s", [0.0], uid="1.2.6", prefix="seg", **{"0008_0060": "SEG"})
    report = tmp_path / "s" / "report0.dcm"
    raw = report.read_bytes()
    report.write_bytes(raw[: raw.index(b"\x28\x00\x02\x00")])
    assert list(find_series(tmp_path / "s")) == ["1.2.3"]


def test_folders_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    nifti(tmp_path / "a.nii")
    assert refusal(tmp_path).key == "scan.no_image_in_folder"
    assert find_series(tmp_path) == {}
    with pytest.raises(MMGLError, match="not there"):
        find_series(tmp_path / "nowhere")


# what is refused


def test_missing(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere.nii").key == "file.missing"


def test_unknown_format(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0" + bytes(200))
    assert refusal(tmp_path / "a.tif").key == "scan.unknown_format"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.nhdr", "a.mha", "a.mhd", "a.png", "a.jpg", "a.dcm"])
def test_wrong_content_and_no_content(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("dear diary,\n" * 100)
    assert refusal(tmp_path / name).key == "scan.unreadable"
    (tmp_path / name).write_bytes(b"")
    assert refusal(tmp_path / name).key == "scan.empty"


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd", "a.mha", "a.png", "a.jpg", "a.dcm"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
def test_cut_short(tmp_path: Path, name: str, part: float) -> None:
    array = np.random.default_rng(0).integers(0, 255, (1, 64, 64)).astype(np.uint8)
    image = sitk.GetImageFromArray(array[0] if name in ("a.png", "a.jpg") else array)
    sitk.WriteImage(image, str(tmp_path / name), name != "a.nii")
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(part * len(whole))])
    assert refusal(tmp_path / name).key == "scan.unreadable"


def test_a_changed_byte_in_a_packed_file_is_found(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (16, 64, 64)).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "a.nii.gz"), True)
    raw = bytearray((tmp_path / "a.nii.gz").read_bytes())
    raw[len(raw) // 2] ^= 255
    (tmp_path / "a.nii.gz").write_bytes(raw)
    assert refusal(tmp_path / "a.nii.gz").key == "scan.unreadable"


def test_a_detached_header_without_its_voxels(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / "a.nhdr"), False)
    (tmp_path / "a.raw").unlink()
    error = refusal(tmp_path / "a.nhdr")
    assert error.key == "scan.unreadable"
    assert "not beside it" in str(error)


def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path: Path) -> None:
    error = refusal(nrrd(tmp_path / "a.nrrd", sizes="100000 100000 100000"))
    assert error.key == "scan.unreadable"
    assert "its header asks for 2e+06 GB" in str(error)
    assert "asks for" in str(refusal(nifti(tmp_path / "a.nii", (40, "4h", 3, 3000, 3000, 100))))
    assert refusal(nrrd(tmp_path / "b.nrrd", sizes="10000000000 10000000000 10000000000")).key == "scan.unreadable"


def test_zero_size(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / "a.mha"))
    raw = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(raw.replace(b"DimSize = 6 5 4", b"DimSize = 0 5 4"))
    error = refusal(tmp_path / "a.mha")
    assert (error.key, error.parameters["size"]) == ("scan.empty", "0 x 5 x 4")


def test_voxels_without_size(tmp_path: Path) -> None:
    error = refusal(nrrd(tmp_path / "a.nrrd", directions="(0,0,0) (0,1,0) (0,0,2)"))
    assert error.key == "scan.unreadable"
    assert "size of its voxels" in str(error)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_numbers(tmp_path: Path, value: float) -> None:
    array = VOXELS.astype(np.float32)
    array[0, :2, 0] = value
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "a.nrrd"))
    error = refusal(tmp_path / "a.nrrd")
    assert (error.key, error.parameters["count"]) == ("scan.not_numbers", 2)


def test_complex_numbers(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS.astype(np.complex64)), str(tmp_path / "a.nii"))
    assert "complex" in str(refusal(tmp_path / "a.nii"))


def test_constant(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((4, 5, 6), -7, np.int16)), str(tmp_path / "a.nii.gz"))
    error = refusal(tmp_path / "a.nii.gz")
    assert (error.key, error.parameters["value"]) == ("scan.constant", -7.0)
    assert read_header(tmp_path / "a.nii.gz").channels == 1


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32])
def test_the_smallest_number_of_its_kind_is_a_number(tmp_path: Path, kind: type) -> None:
    voxels = VOXELS.clip(-100, 100).astype(kind)
    voxels[0, 0, 0] = np.iinfo(kind).min
    sitk.WriteImage(image_of(voxels, GRID), str(tmp_path / "a.nrrd"))
    assert np.array_equal(read_scan(tmp_path / "a.nrrd").array[0], voxels)


def test_sequences(tmp_path: Path) -> None:
    image = image_of(VOXELS, GRID)
    sitk.WriteImage(sitk.JoinSeries([image, image, image]), str(tmp_path / "a.nii.gz"))
    error = refusal(tmp_path / "a.nii.gz")
    assert (error.key, error.parameters["frames"]) == ("scan.four_dimensional", 3)
    text = NRRD.format(sizes="2 5 4 3", directions="none " + STRAIGHT).replace("dimension: 3", "dimension: 4")
    text = text.replace("endian", "kinds: list domain domain domain\nendian")
    (tmp_path / "a.seq.nrrd").write_bytes(text.encode() + VOXELS.tobytes())
    error = refusal(tmp_path / "a.seq.nrrd")
    assert (error.key, error.parameters["frames"]) == ("scan.four_dimensional", 2)


def test_sheared(tmp_path: Path) -> None:
    assert refusal(nrrd(tmp_path / "a.nrrd", directions="(1,0,0) (0.3,1,0) (0,0,2)")).key == "scan.sheared"
    assert refusal(nrrd(tmp_path / "b.nrrd", directions="(1,0,0) (1,0,0) (0,0,2)")).key == "scan.sheared"
    rows = (280, "4f", -1, 0.3, 0, 0), (296, "4f", 0, -1, 0, 0), (312, "4f", 0, 0, 1, 0)
    assert refusal(nifti(tmp_path / "a.nii", (252, "2h", 0, 1), *rows)).key == "scan.sheared"


def test_kinds_of_pixel_that_are_not_supported(tmp_path: Path) -> None:
    wide = nifti(tmp_path / "a.nii", (40, "4h", 3, 5, 3, 1), (70, "2h", 1536, 128))
    assert "kind of number" in str(refusal(wide))
    assert "header is damaged" in str(refusal(nifti(tmp_path / "b.nii", (70, "h", 12345))))


def test_unknown_troubles_keep_their_meaning_only() -> None:
    text = (
        "Exception thrown in SimpleITK ImageFileReader_Execute: /build/itkSome.cxx:12:\n"
        "ITK ERROR: SomeImageIO(0x55c73b622510): The moon is in the way.\nMore."
    )
    assert failure(Path("a"), RuntimeError(text)).parameters["reason"] == "The moon is in the way"
    nested = 'Exception\n[nrrd] nrrdLoad: trouble reading "a"\n[nrrd] _nrrdRead: bad tide\n'
    assert failure(Path("a"), RuntimeError(nested)).parameters["reason"] == "bad tide"
    assert failure(Path("a"), RuntimeError("")).parameters["reason"] == "no reason given"


def test_warnings_of_itk_are_on_again_afterwards(tmp_path: Path) -> None:
    read_scan(nifti(tmp_path / "a.nii"))
    refusal(nifti(tmp_path / "b.nii", (70, "h", 12345)))
    assert sitk.ProcessObject.GetGlobalWarningDisplay()


# several files as channels


def test_files_on_one_grid_are_channels(tmp_path: Path) -> None:
    paths = []
    for name, kind in (("a.nii.gz", np.int16), ("b.nrrd", np.uint16), ("c.mha", np.uint8)):
        sitk.WriteImage(image_of(np.abs(VOXELS % 200).astype(kind), GRID), str(tmp_path / name))
        paths.append((tmp_path / name, None))
    scan = read_case_scan(paths, "case 1")
    assert scan.array.shape == (3, 4, 5, 6)
    assert scan.array.dtype == np.int32
    assert np.array_equal(scan.array[2], np.abs(VOXELS % 200))
    assert read_case_scan(paths[:1], "case 1").array.dtype == np.int16


def test_files_on_different_grids_are_not(tmp_path: Path) -> None:
    sitk.WriteImage(image_of(VOXELS, GRID), str(tmp_path / "a.nrrd"))
    sitk.WriteImage(image_of(VOXELS, Grid((4, 5, 6))), str(tmp_path / "b.nrrd"))
    with pytest.raises(MMGLError, match=r"case 1.*a\.nrrd, b\.nrrd") as caught:
        read_case_scan([(tmp_path / "a.nrrd", None), (tmp_path / "b.nrrd", None)], "case 1")
    assert caught.value.key == "scan.channels_differ"


@pytest.mark.data
@pytest.mark.parametrize("name", ["t1w/t1w_defaced.nii.gz", "totalsegmentator/example_ct.nii.gz"])
def test_real_scans(data: Path, name: str) -> None:
    scan, header = read_scan(data / name), read_header(data / name)
    assert scan.array.shape == (1, *header.grid.size)
    assert scan.grid == header.grid
    assert np.ptp(scan.array) > 100


def test_warnings_of_itk_are_on_again_when_several_threads_read():
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not sitk.ProcessObject.GetGlobalWarningDisplay()  # the second one is still reading
    second.__exit__(None, None, None)
    assert sitk.ProcessObject.GetGlobalWarningDisplay()


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "f4", "f8"])
@pytest.mark.parametrize("suffix", ["nii", "nii.gz"])
def test_voxels_of_nifti_are_those_that_itk_reads(tmp_path, kind, suffix):
    array = np.random.default_rng(0).integers(0, 120, (4, 5, 6)).astype(kind)
    path = tmp_path / f"a.{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(array), str(path))
    read = read_scan(path).array
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert read.dtype == expected.dtype
    assert np.array_equal(read[0], expected)
    read += 1  # it belongs to who reads


@pytest.mark.parametrize(
    ("slope", "intercept"), [(0.0, 0.0), (0.0, 5.0), (1.0, 0.0), (1.0, -1024.0), (2.5, 3.0), (-1.0, 0.0)]
)
def test_scaled_voxels_of_nifti_are_those_that_itk_reads(tmp_path, slope, intercept):
    path = nifti(tmp_path / "a.nii", (112, "2f", slope, intercept))
    assert np.array_equal(read_scan(path).array[0], sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def test_nifti_with_the_high_byte_first(tmp_path):
    path = nifti(tmp_path / "a.nii")
    raw = path.read_bytes()
    swapped = bytearray(raw)
    for offset, size, count in ((0, 4, 1), (32, 4, 1), (36, 2, 1), (40, 2, 8), (56, 4, 3), (68, 2, 4), (76, 4, 11),
                                (120, 2, 1), (124, 4, 6), (252, 2, 2), (256, 4, 6), (280, 4, 12)):  # fmt: skip
        for i in range(count):
            at = slice(offset + i * size, offset + (i + 1) * size)
            swapped[at] = raw[at][::-1]
    swapped[352:] = np.frombuffer(raw[352:], VOXELS.dtype).byteswap().tobytes()
    path.write_bytes(swapped)
    assert np.array_equal(read_scan(path).array[0], VOXELS)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), VOXELS)


def test_unpacking(tmp_path):
    array = np.zeros((40, 50, 60), np.int16)
    array[3, 4, 5] = 7
    plain = nifti(tmp_path / "a.nii", array=array).read_bytes()
    half = len(plain) // 2
    packed = tmp_path / "a.nii.gz"
    for content in (
        gzip.compress(plain, 9),
        gzip.compress(plain, 0),  # long stretches of zeros
        gzip.compress(plain[:half]) + gzip.compress(plain[half:]) + bytes(70000),
        gzip.compress(plain + bytes(2000)),
    ):
        packed.write_bytes(content)
        assert np.array_equal(read_scan(packed).array[0], array)
    whole = gzip.compress(plain)
    wrong_sum = whole[:-8] + bytes(8)
    for content in (whole[:-3], whole[: len(whole) // 2], wrong_sum, gzip.compress(plain[:-2]), whole + b"more"):
        packed.write_bytes(content)
        assert refusal(packed).key == "scan.unreadable"
