"""Frames in which a volume leaps are told of; a heart that beats is not, and smoothing over time takes leaps away."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from perfect import perfect, telling

from mmgl.cli import main
from mmgl.commands import segment
from mmgl.data.plan import Normalisation
from mmgl.imaging.grid import Grid
from mmgl.inference.doubt import Doubt, StructureDoubt
from mmgl.inference.files import Written
from mmgl.inference.frames import segment_frames
from mmgl.inference.results_table import ResultsTable
from mmgl.inference.settings import Result, Settings
from mmgl.inference.spikes import spike_finding, spike_findings, spikes
from mmgl.structures import Structure


@pytest.mark.parametrize("frames", [6, 8, 10, 25])
@pytest.mark.parametrize("phase", [0.0, 0.3, 0.5])
def test_a_heart_that_beats_has_no_spike(frames, phase):
    """Three beats of an ejection fraction of 60 %, with 3 % of noise."""
    beat = 100 - 30 * (1 - np.cos(2 * np.pi * (np.arange(3 * frames) / frames + phase)))
    generator = np.random.default_rng(frames)
    assert spikes((beat * generator.uniform(0.985, 1.015, len(beat))).tolist()) == []


@pytest.mark.parametrize("leap", [0.0, 0.75, 1.25, 3.0])
@pytest.mark.parametrize("frame", [2, 5, 7])
def test_a_frame_that_leaps_is_told_and_its_neighbours_are_not(frame, leap):
    volumes = (100 + 10 * np.sin(np.arange(10) / 2)).tolist()
    volumes[frame] *= leap
    assert spikes(volumes) == [frame]


@pytest.mark.parametrize(
    "volumes", [[], [5.0], [5.0, 9.0], [0.0, 0.0, 0.0], [1.0, 2.0, 4.0, 8.0, 16.0], [9.0, 9.0, 1.0, 1.0]]
)
def test_without_neighbours_and_with_steps_nothing_is_told(volumes):
    assert spikes(volumes) == []


def test_what_shows_in_one_frame_only_is_told():
    assert spikes([0.0, 0.0, 3.0, 0.0, 0.0]) == [2]


def test_words_name_the_frames():
    assert "Core: in frames 3, 7 its volume is more than 15 % off" in spike_finding("Core", [3, 7]).words
    assert "in frame 3 its" in spike_finding("Core", [3]).words


def test_each_structure_is_told_of_once_with_all_its_frames():
    frames = [(9.0, 5.0), (9.0, 5.0), (1.0, 5.0), (9.0, 5.0), (9.0, 9.0), (9.0, 5.0), (9.0, 5.0)]
    assert spike_findings(["A", "B"], frames) == [spike_finding("A", [2]), spike_finding("B", [4])]
    assert spike_findings(["A", "B"], frames, first=1)[1] == spike_finding("B", [5])
    assert spike_findings(["A", "B"], []) == []


class Bright(torch.nn.Module):
    """Finds the one structure where a scan of one channel is bright."""

    stride = 1

    def forward(self, slices):
        return 12 * torch.cat([1 - slices, slices], 1)


def test_the_command_line_tells_it_of_a_single_file(tmp_path, monkeypatch, capsys):
    frames = np.zeros((7, 2, 16, 16), np.float32)
    frames[:, :, 4:8, 4:12] = 1
    frames[3, :, 8:12, 4:12] = 1
    images = [sitk.GetImageFromArray(frame) for frame in frames]
    sitk.WriteImage(sitk.JoinSeries(images), str(tmp_path / "cine.nii.gz"))
    segmenter = perfect(tmp_path, 1, (None, 1.0, 1.0), ("axial",))
    rules = (Normalisation("fixed", 0.0, 1.0),)
    segmenter.card = replace(segmenter.card, plan=replace(segmenter.card.plan, normalisation=rules))
    segmenter.network = Bright()
    monkeypatch.setattr(segment, "Predictor", lambda path, device: segmenter)
    assert main(["segment", "a.mmgl", str(tmp_path / "cine.nii.gz"), "--output", str(tmp_path / "results")]) == 0
    told = capsys.readouterr().out
    assert told.count("-> ") == 7
    assert spike_finding("1", [3]).words in told.splitlines()[-1]


def still(segmenter, odd: int, count: int = 7):
    """Frames of a box, of which one has a box twice as large that is seen but faintly."""
    grid = Grid((2, 16, 16))
    for number in range(count):
        labelmap = np.zeros(grid.size, np.uint8)
        labelmap[:, 4:8, 4:12] = 1
        scan = telling(labelmap, grid, 1)
        if number == odd:
            scan.array[:, :, 8:12, 4:12] = np.array([0.48, 0.52], np.float32)[:, None, None, None]
        yield scan


def test_smoothing_takes_a_leap_away(tmp_path):
    """Need 30: no leap of more than 15 % between neighbouring frames."""
    segmenter = perfect(tmp_path, 1, (None, 1.0, 1.0), ("axial",))
    curves = []
    for smooth in (False, True):
        results = segment_frames(segmenter, still(segmenter, 3), Settings(), smooth)
        curves.append([int(result.labelmap.sum()) for result in results])
    plain, smooth = curves
    assert plain == [64, 64, 64, 128, 64, 64, 64]
    assert spikes(plain) == [3]
    assert max(abs(np.diff(smooth))) <= 0.15 * min(smooth)


def test_the_table_says_it_in_the_row_of_the_frame(tmp_path):
    """Frame by frame and resumed, with a sequence of which a frame lacks yet."""
    grid, structures = Grid((1, 10, 10)), (Structure(1, "Core", (1, 2, 3)),)
    table = ResultsTable(tmp_path, structures)
    doubt = Doubt((StructureDoubt("Core", 0.0, False),), ())

    def add(scan, frame, voxels):
        labelmap = (np.arange(100) < voxels).astype(np.uint8).reshape(grid.size)
        written = Written(tmp_path / scan / f"{frame}.seg.nrrd", frame, Result(labelmap, grid, grid, doubt, None, ()))
        table.add(f"{scan}.nrrd", scan, written, [], 1.0)
        written.path.parent.mkdir(exist_ok=True)
        written.path.touch()

    for frame, voxels in enumerate((50, 52, 80, 51, 50)):
        add("cine", frame, voxels)
        if frame != 1:
            add("gap", frame, voxels)
    for _ in range(2):  # the rows that are kept stay as they were
        table.write()
        rows = csv.DictReader((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines())
        noted = {(row["scan"], row["frame"]): row["notes"] for row in rows if row["notes"]}
        assert noted == {("cine.nrrd", "2"): spike_finding("Core", [2]).words}
