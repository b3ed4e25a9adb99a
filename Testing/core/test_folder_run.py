"""A folder to a mirrored folder of results: resumable after a kill, never overwriting, shared by processes."""

import csv
import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from models import predictor, random_model
from phantoms import ball_scan, write

from mmgl.cli import main
from mmgl.commands.segment import shard_of
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.inference import files as files_module
from mmgl.inference.files import Writer
from mmgl.inference.fused import Fused
from mmgl.inference.settings import Settings
from mmgl.messages import MMGLError


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """A folder of mixed scans: two of the same name, a sequence, one that is damaged, and DICOM that is cut short."""
    folder = tmp_path_factory.mktemp("scans")
    for number, name in enumerate(("a.nii.gz", "sub/a.nrrd", "twin.nii.gz", "twin.mha")):
        image, _, grid = ball_scan(number, size=(4, 32, 32))
        write(folder / name, image, grid)
    frames = [sitk.GetImageFromArray(ball_scan(9 + number, size=(3, 32, 32))[0]) for number in range(3)]
    sitk.WriteImage(sitk.JoinSeries(frames), str(folder / "cine.nii.gz"))
    (folder / "damaged.nii.gz").write_bytes((folder / "a.nii.gz").read_bytes()[:500])
    (folder / "notes.txt").write_text("not a scan")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return random_model(tmp_path_factory.mktemp("model") / "random.mmgl")


def segment(model, scans, output, *more):
    return main(["segment", str(model), str(scans), "--output", str(output), "--device", "cpu", *more])


def table(output):
    """Return the table without the seconds, which differ from run to run."""
    with (output / "results.csv").open(encoding="utf-8", newline="") as file:
        return [row[:-1] for row in csv.reader(file)]


@pytest.fixture(scope="module")
def undisturbed(model, scans, tmp_path_factory):
    output = tmp_path_factory.mktemp("output") / "results"
    assert segment(model, scans, output) == 1
    return output


def visible(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file() and ".mmgl" not in p.parts)


def test_results_mirror_the_folder_and_the_table_tells_all(undisturbed, scans):
    assert visible(undisturbed) == [
        "a.seg.nrrd",
        *(f"cine/cine-00{n}.seg.nrrd" for n in range(3)),
        "results.csv",
        "sub/a.seg.nrrd",
        "twin.mha.seg.nrrd",
        "twin.nii.gz.seg.nrrd",
    ]
    header, *rows = table(undisturbed)
    assert header[3:5] == ["Shell ml", "Shell doubt"]
    assert [(row[0], row[1]) for row in rows] == [
        ("a.nii.gz", ""),
        *(("cine.nii.gz", str(n)) for n in range(3)),
        ("damaged.nii.gz", ""),
        ("sub/a.nrrd", ""),
        ("twin.mha", ""),
        ("twin.nii.gz", ""),
    ]
    skipped = rows[4]
    assert skipped[2] == "skipped"
    assert "cannot be read" in skipped[-1]
    painted = read_segmentation(undisturbed / "a.seg.nrrd")
    assert float(rows[0][3]) == pytest.approx(painted.voxels(painted.segments[0]).sum() * 2.0 / 1000, abs=1e-3)


class Killed(BaseException):
    """Stands for the end of the process at any moment."""


@pytest.mark.parametrize("moments", [(1, 1), (2, 3), (4, 2)])
def test_killed_twice_and_resumed_gives_the_same(model, scans, undisturbed, tmp_path, monkeypatch, moments):
    """Killed just before a result is written, when its row is there already, and half a file is left behind."""
    write_segmentation = files_module.write_segmentation
    output, left = tmp_path / "results", []

    def killed(path, *rest):
        if not left:
            path.parent.mkdir(parents=True, exist_ok=True)
            (path.parent / ".writing-half.seg.nrrd").write_bytes(b"half")
            raise Killed
        left.pop()
        write_segmentation(path, *rest)

    for moment in moments:
        left[:] = range(moment)
        monkeypatch.setattr(files_module, "write_segmentation", killed)
        with pytest.raises(Killed):
            segment(model, scans, output)
    monkeypatch.undo()
    kept = {path: path.stat().st_mtime_ns for path in output.rglob("*.seg.nrrd") if path.name[0] != "."}
    segment(model, scans, output)
    assert table(output) == table(undisturbed)
    assert visible(output) == visible(undisturbed)  # and no half file
    for path, time in kept.items():
        assert path.stat().st_mtime_ns == time
    for name in visible(output)[:-3]:
        if name.endswith(".seg.nrrd"):
            first, second = (read_segmentation(folder / name).layers for folder in (output, undisturbed))
            assert np.array_equal(first, second)


def test_a_second_run_segments_nothing(model, scans, undisturbed, monkeypatch, capsys):
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.seg.nrrd")}
    wanted = table(undisturbed)
    monkeypatch.setattr("mmgl.inference.predictor.fuse", None)
    segment(model, scans, undisturbed)
    assert {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*.seg.nrrd")} == before
    assert table(undisturbed) == wanted


def test_two_shards_give_the_whole(model, scans, undisturbed, tmp_path):
    assert segment(model, scans, tmp_path, "--shard", "2/2") + segment(model, scans, tmp_path, "--shard", "1/2") == 1
    assert table(tmp_path) == table(undisturbed)


def test_somebody_elses_file_is_never_overwritten(model, scans, tmp_path):
    (tmp_path / "a.seg.nrrd").write_bytes(b"precious")
    (tmp_path / "cine").mkdir()
    (tmp_path / "cine" / "cine-001.seg.nrrd").write_bytes(b"precious too")
    for _ in range(2):
        assert segment(model, scans, tmp_path) == 1
        assert (tmp_path / "a.seg.nrrd").read_bytes() == b"precious"
        assert (tmp_path / "cine" / "cine-001.seg.nrrd").read_bytes() == b"precious too"
    row = next(row for row in table(tmp_path) if row[0] == "a.nii.gz")
    assert row[2] == "skipped"
    assert "never" not in row[3]
    assert "exists already" in row[-1]


def test_results_of_other_options_or_models_do_not_mix(model, scans, undisturbed, tmp_path, capsys):
    assert segment(model, scans, undisturbed, "--finer") == 1
    assert "another model or of other options" in capsys.readouterr().err
    other = random_model(tmp_path / "other.mmgl", seed=5)
    assert segment(other, scans, undisturbed) == 1
    assert "another model or of other options" in capsys.readouterr().err


def test_a_result_that_was_taken_away_is_made_again(model, scans, undisturbed, tmp_path):
    output = tmp_path / "copy"
    shutil.copytree(undisturbed, output)
    (output / "a.seg.nrrd").unlink()
    (output / "cine" / "cine-001.seg.nrrd").unlink()
    segment(model, scans, output)
    assert visible(output) == visible(undisturbed)


def test_the_folder_of_the_scans_is_no_place_for_results(model, scans, capsys):
    assert segment(model, scans, scans) == 1
    assert "Choose another folder" in capsys.readouterr().err


def test_results_inside_the_folder_are_no_scans(model, scans, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    shutil.copy(scans / "a.nii.gz", folder)
    for _ in range(2):
        assert segment(model, folder, folder / "results", "--format", "nii.gz") == 0
    assert visible(folder / "results") == ["a.nii.gz", "results.csv"]


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("", {"RANK": "1", "WORLD_SIZE": "4"}, (1, 1)),
        ("2/8", {}, (2, 8)),
        ("env", {"RANK": "1", "WORLD_SIZE": "4"}, (2, 4)),
        ("env", {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_COUNT": "5"}, (5, 5)),
        ("env", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "3"}, (3, 3)),
    ],
)
def test_shards(text, environment, shard):
    assert shard_of(text, environment) == shard


@pytest.mark.parametrize("text", ["0/4", "5/4", "x", "1/0", "env", "-1/2"])
def test_shards_that_are_none(text):
    with pytest.raises(MMGLError, match="which part"):
        shard_of(text, {})


def test_a_sequence_gives_a_result_a_frame_and_smooths_only_when_asked(scans, tmp_path):
    segmenter = predictor(tmp_path)
    plain = list(Writer(segmenter).write(scans / "cine.nii.gz", tmp_path / "plain"))
    smooth = list(Writer(segmenter, smooth=True).write(scans / "cine.nii.gz", tmp_path / "smooth"))
    frames = sitk.GetArrayFromImage(sitk.ReadImage(str(scans / "cine.nii.gz")))
    for number, written in enumerate(plain):
        image = sitk.GetImageFromArray(frames[number])
        sitk.WriteImage(image, str(tmp_path / f"{number}.nii.gz"))
        (alone,) = Writer(segmenter).write(tmp_path / f"{number}.nii.gz", tmp_path / f"alone-{number}")
        assert np.array_equal(alone.result.labelmap, written.result.labelmap)
    assert [w.path.name for w in plain] == [f"plain-00{n}.seg.nrrd" for n in range(3)]
    assert any((a.result.labelmap != b.result.labelmap).any() for a, b in zip(plain, smooth, strict=True))


def test_smoothing_is_a_quarter_a_half_a_quarter(tmp_path, monkeypatch):
    segmenter = predictor(tmp_path)
    seen = []
    blend = Fused.blend
    monkeypatch.setattr(Fused, "blend", staticmethod(lambda weighted: seen.append(weighted) or blend(weighted)))
    made = []
    fused = segmenter.fused
    segmenter.fused = lambda *a: made.append(fused(*a)) or made[-1]
    image, _, grid = ball_scan(0, size=(3, 32, 32))
    from mmgl.imaging.scan import Scan
    from mmgl.inference.frames import segment_frames

    list(segment_frames(segmenter, [Scan(image[None] + k, grid) for k in range(3)], Settings(), smooth=True))
    first, second, third = (one for one, _ in made)
    assert [[w for w, _ in one] for one in seen] == [[0.5, 0.25, 0.25]] * 3
    assert [[f for _, f in one] for one in seen] == [
        [first, first, second],
        [second, first, third],
        [third, second, third],
    ]


def test_chosen_structures_and_doubt_are_written(scans, tmp_path):
    settings = Settings(structures=("Core",), doubt_map=True)
    (written,) = Writer(predictor(tmp_path), settings).write(scans / "a.nii.gz", tmp_path / "out" / "a")
    assert [s.name for s in read_segmentation(written.path).segments] == ["Core"]
    bits = sitk.ReadImage(str(tmp_path / "out" / "a.doubt.nrrd"))
    assert bits.GetPixelID() == sitk.sitkFloat32
    assert 0 < sitk.GetArrayFromImage(bits).max() <= np.log2(3) + 1e-6
    assert replace(settings, structures=()).to_json()["structures"] == []
