"""DICOM files with many frames: those of one volume are read, all others are refused in words."""

import numpy as np
import pytest

from mmgl.cli import main
from mmgl.imaging.reading import read_scan
from mmgl.messages import MMGLError

VOXELS = np.random.default_rng(0).integers(-500, 500, (6, 5, 7)).astype(np.int16)


def enhanced(path, heights, implicit=False, turned=(), drift=0.0):
    """Write an enhanced MR image, a frame for each height in mm; ``turned`` frames have other directions."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

    def item(**elements):
        made = pydicom.Dataset()
        for name, value in elements.items():
            setattr(made, name, value)
        return made

    meta = pydicom.dataset.FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    frames = []
    for i, height in enumerate(heights):
        place = item(ImagePositionPatient=[10.0 + drift * height, 20.0, float(height)])
        axes = [1, 0, 0, 0, 0, -1] if i in turned else [1, 0, 0, 0, 1, 0]
        frames.append(
            item(
                PlanePositionSequence=[place],
                PlaneOrientationSequence=[item(ImageOrientationPatient=axes)],
                FrameContentSequence=[item(DimensionIndexValues=[1, i + 1])],
            )
        )
    measures = item(PixelSpacing=[0.5, 0.75], SliceThickness=3.0)
    image = item(
        SOPClassUID=meta.MediaStorageSOPClassUID, SOPInstanceUID=meta.MediaStorageSOPInstanceUID, Modality="MR",
        StudyInstanceUID="1.2.826.0.1.1", SeriesInstanceUID="1.2.826.0.1.2", FrameOfReferenceUID="1.2.826.0.1.3",
        SeriesNumber=1, Rows=5, Columns=7, NumberOfFrames=len(heights), SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2", BitsAllocated=16, BitsStored=16, HighBit=15, PixelRepresentation=1,
        SharedFunctionalGroupsSequence=[item(PixelMeasuresSequence=[measures])],
        PerFrameFunctionalGroupsSequence=frames, PixelData=VOXELS[: len(heights)].tobytes(),
    )  # fmt: skip
    image.file_meta = meta
    image.save_as(path, enforce_file_format=True)
    return path


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("heights", [[0, 3, 6, 9, 12, 15], [15, 12, 9, 6, 3, 0]])
def test_frames_of_a_volume_are_read_where_they_are(tmp_path, heights, implicit):
    scan = read_scan(enhanced(tmp_path / "a.dcm", heights, implicit))
    assert np.array_equal(scan.array[0], VOXELS)
    for number, height in enumerate(heights):
        assert np.allclose(scan.grid.position((number, 4, 6)), (height, 20 + 4 * 0.5, 10 + 6 * 0.75))


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    ("heights", "key"),
    [
        ([0, 3, 6, 0, 3, 6], "scan.four_dimensional"),
        ([0, 0, 3, 3, 6, 6], "scan.four_dimensional"),
        ([0, 3, 6, 12, 15, 18], "scan.uneven_slices"),
        ([0, 6, 12, 3, 9, 15], "scan.unreadable"),
    ],
)
def test_frames_of_no_volume_are_refused(tmp_path, heights, key, implicit):
    for place in (tmp_path / "a.dcm", tmp_path / "folder" / "a"):
        place.parent.mkdir(exist_ok=True)
        with pytest.raises(MMGLError) as error:
            read_scan(enhanced(place, heights, implicit) if place.suffix else enhanced(place, heights).parent)
        assert error.value.key == key


def test_frames_that_are_turned_or_shifted_are_refused(tmp_path):
    with pytest.raises(MMGLError) as error:
        read_scan(enhanced(tmp_path / "a.dcm", [0, 3, 6], turned=(2,)))
    assert error.value.key == "scan.mixed_slices"
    with pytest.raises(MMGLError) as error:
        read_scan(enhanced(tmp_path / "b.dcm", [0, 3, 6], drift=0.2))
    assert error.value.key == "scan.sheared"


def test_a_sequence_in_dicom_is_told_in_one_line(tmp_path, capsys):
    from models import random_model

    scan = enhanced(tmp_path / "cine.dcm", [0, 3, 6, 0, 3, 6])
    model = random_model(tmp_path / "m.mmgl")
    assert main(["segment", str(model), str(scan), "--output", str(tmp_path / "out"), "--device", "cpu"]) == 1
    assert "sequence of 2 images" in capsys.readouterr().err


def test_a_segmentation_of_frames_refers_to_their_file(tmp_path):
    hd = pytest.importorskip("highdicom")
    from models import STRUCTURES

    from mmgl.imaging.dicom import files_of
    from mmgl.imaging.dicom_seg import write_dicom_seg

    source = enhanced(tmp_path / "a.dcm", [15, 12, 9, 6, 3, 0])
    scan = read_scan(source)
    labelmap = (VOXELS > 200).astype(np.uint8) + (VOXELS > 400)
    write_dicom_seg(tmp_path / "a.seg.dcm", labelmap, scan.grid, STRUCTURES, files_of(source))
    volume = hd.seg.segread(tmp_path / "a.seg.dcm").get_volume(combine_segments=True)
    painted = np.argwhere(volume.array)
    places = painted @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    where = np.rint(scan.grid.index(places[:, ::-1])).astype(int)
    assert len(painted) == np.count_nonzero(labelmap)
    assert np.array_equal(volume.array[tuple(painted.T)], labelmap[tuple(where.T)])
