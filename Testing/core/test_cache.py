"""Prepared cases: used again only while what they are made from is the same, no more than needed, never all mapped."""

import os
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from phantoms import ball_scan, ball_study, write

from mmgl.data import cache
from mmgl.data.cache import cache_need, clean_cache, free_disk, prepare_case
from mmgl.data.plan import Normalisation, Plan
from mmgl.files import stamp

PLAN = Plan((1.0, 1.0, 1.0), ("axial",), 48, (Normalisation("scan"),))


def prepared(study, plan=PLAN):
    return [prepare_case(study, case, plan, study.folder / "cache") for case in study.cases]


def change(path):
    """Change a byte of a file without changing its size."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr", ".nii.gz"])
def test_a_changed_scan_is_prepared_anew(tmp_path, suffix):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    image, _, grid = ball_scan(5)
    path = write(tmp_path / "more" / f"scan{suffix}", image, grid)
    bystander = write(tmp_path / "more" / "other.nii.gz", image, grid)
    case = study.add_case(path)
    folder = study.folder / "cache"
    first = prepare_case(study, case, PLAN, folder)
    assert prepare_case(study, case, PLAN, folder) == first
    change(bystander)
    assert prepare_case(study, case, PLAN, folder) == first
    voxels = next((f for f in path.parent.glob("scan*.*raw*")), path)
    assert (voxels == path) == (suffix == ".nii.gz")
    if voxels != path:
        change(voxels)
    else:
        write(path, image + 1, grid)
    assert prepare_case(study, case, PLAN, folder) != first


def test_a_header_that_names_no_file_counts_its_whole_folder(tmp_path):
    image, _, grid = ball_scan(5)
    path = write(tmp_path / "scan.mhd", image, grid)
    text = path.read_text(encoding="utf-8").replace("ElementDataFile = scan.raw", "ElementDataFile = s%03d.raw 1 3 1")
    path.write_text(text, encoding="utf-8")
    assert str(tmp_path / "scan.raw") in [file for file, _, _ in stamp(path)]
    path.write_bytes(b"ElementDataFile = \0\xff\n" + b"x" * 5000)
    assert str(tmp_path / "scan.raw") in [file for file, _, _ in stamp(path)]


def test_what_is_of_no_use_any_more_is_removed(tmp_path):
    study = ball_study(tmp_path)
    folder = study.folder / "cache"
    kept = prepared(study)
    prepared(study, replace(PLAN, spacing=(2.0, 2.0, 2.0)))
    (folder / "readme.txt").write_text("not ours", encoding="utf-8")
    before = {file.name for file in folder.iterdir()}
    assert clean_cache(folder, kept) > 0
    after = {file.name for file in folder.iterdir()}
    assert len(before) - 1 == 2 * (len(after) - 1)
    assert "readme.txt" in after
    assert prepared(study) == kept
    assert clean_cache(folder, kept) == 0
    assert clean_cache(tmp_path / "nowhere", []) == 0


def test_the_need_is_what_it_takes(tmp_path):
    study = ball_study(tmp_path)
    folder = study.folder / "cache"
    voxels = float(np.prod(PLAN.size_on_grid((16, 40, 36), (2.0, 1.0, 1.0))))
    need = cache_need(study, study.cases, PLAN, folder, voxels)
    prepared(study)
    arrays = [file.stat().st_size for file in folder.glob("*.npy")]
    assert need == pytest.approx(sum(arrays), rel=0.01)
    assert cache_need(study, study.cases, PLAN, folder, voxels) == 0
    assert free_disk(folder / "not" / "there") == pytest.approx(free_disk(folder), rel=0.05)


def test_only_so_much_is_mapped_at_once(tmp_path, monkeypatch):
    cases = prepared(ball_study(tmp_path, labelled=3, unlabelled=3))
    size = cases[0].image.nbytes
    monkeypatch.setattr(cache, "MAPPED", int(2.5 * size))
    for case in [*cases, *cases]:
        assert np.array_equal(case.image, np.load(case.image_file))
        assert sum(array.nbytes for array in cache._maps.values()) <= 2.5 * size
    again = cases[-1].image
    assert cases[-1].image is again  # the one used last stays mapped


def test_a_label_of_its_own_size_is_prepared_with_its_scan(tmp_path):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    (case,) = prepared(study)
    assert case.labelmap.shape == case.image.shape[1:]
    assert sitk.ReadImage(str(study.cases[0].label.path)).GetSize() == (36, 40, 16)
