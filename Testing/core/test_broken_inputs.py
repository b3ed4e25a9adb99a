"""Generated broken and odd inputs: each gives a finding or one clear error, no traceback and no changed file."""

import gzip
import hashlib
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmgl.imaging.conversion import image_of
from mmgl.imaging.grid import Grid
from mmgl.messages import MMGLError
from mmgl.study import Study, add_folder, label_questions, merge
from mmgl.study.checks.text import as_text

SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".seg.nrrd", ".png", ".dcm")
KINDS = (np.uint8, np.int16, np.uint16, np.float32, np.float64)


@st.composite
def arrays(draw):
    """Numbers (z, y, x) of an image or label, odd in one way or another."""
    size = draw(st.sampled_from([(1, 1, 1), (1, 6, 7), (4, 6, 7), (2, 1, 9), (12, 5, 4)]))
    kind = draw(st.sampled_from(KINDS))
    generator = np.random.default_rng(draw(st.integers(0, 9)))
    array = generator.normal(100, 30, size).clip(0, 250)
    what = draw(st.sampled_from(["noise", "constant", "labels", "sparse", "empty", "huge", "nan", "negative", "many"]))
    if what in ("labels", "sparse", "many"):
        array = generator.integers(0, 400 if what == "many" else 4, size).astype(float)
        array[1::3] = 0 if what == "sparse" else array[1::3]
    if what in ("constant", "empty"):
        array[:] = 7 if what == "constant" else 0
    if what == "huge" and kind in (np.float32, np.float64):
        array[0, 0, 0] = 3e38
    if what == "nan" and kind in (np.float32, np.float64):
        array[0, 0, 0] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    if what == "negative" and kind not in (np.uint8, np.uint16):
        array[0, 0, 0] = -5
    with np.errstate(all="ignore"):
        return array.astype(kind)


@st.composite
def grids(draw, size):
    """A grid that is usual, shifted, far away, coarse, or turned."""
    spacing = draw(st.sampled_from([(1.0, 1.0, 1.0), (8.0, 0.5, 0.5), (1e-3, 1e-3, 1e-3), (900.0, 1.0, 1.0)]))
    origin = draw(st.sampled_from([(0.0, 0.0, 0.0), (0.5, 0.0, 2.0), (1e5, 0.0, 0.0)]))
    turned = ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
    directions = draw(st.sampled_from([((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)), turned]))
    return Grid(size, spacing, origin, directions)


@st.composite
def files(draw, folder: Path, name: str):
    """Write one file, whole or damaged."""
    array = draw(arrays())
    suffix = draw(st.sampled_from(SUFFIXES))
    path = folder / f"{name}{suffix}"
    path.parent.mkdir(exist_ok=True)
    if suffix in (".png", ".dcm"):  # these hold no fractions, and one slice is usual
        array = np.nan_to_num(array[:1]).clip(0, 255).astype(np.uint8)
    image = image_of(array, draw(grids(array.shape)))
    if suffix == ".seg.nrrd":
        for i, segment in enumerate(draw(st.lists(st.sampled_from(["A", "a ", "B", "Segment_1", "Background", ""])))):
            image.SetMetaData(f"Segment{i}_Name", segment)
            image.SetMetaData(f"Segment{i}_LabelValue", str(i + 1))
    sitk.WriteImage(image[:, :, 0] if suffix == ".png" else image, str(path))
    damage = draw(st.sampled_from(["none"] * 6 + ["cut", "bytes", "text", "nothing", "header"]))
    content = path.read_bytes()
    shares = st.integers(0, 1000).map(lambda part: part / 1000)  # the length of a DICOM file differs from time to time
    if damage == "cut":
        path.write_bytes(content[: round(len(content) * draw(shares))])
    elif damage == "bytes":
        changed = bytearray(content)
        for share in draw(st.lists(shares, min_size=1, max_size=5)):
            changed[round((len(content) - 1) * share)] ^= 0x55
        path.write_bytes(bytes(changed))
    elif damage == "header" and suffix == ".nii.gz":
        changed = bytearray(gzip.decompress(content))
        for place in draw(st.lists(st.integers(0, 347), min_size=1, max_size=3)):
            changed[place] ^= draw(st.integers(1, 255))
        path.write_bytes(gzip.compress(bytes(changed)))
    elif damage in ("text", "nothing"):
        path.write_text("not an image" * (damage == "text"), encoding="utf-8")


def hashes(folder: Path) -> dict[Path, str]:
    return {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()}


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.data())
def test_a_finding_or_a_clear_error_and_no_changed_file(data):
    folder = Path(tempfile.mkdtemp())
    try:
        for number in range(data.draw(st.integers(1, 3))):
            data.draw(files(folder / "images", f"ä{number}"))
            if data.draw(st.booleans()):
                data.draw(files(folder / "labels", f"ä{number}"))
        before = hashes(folder)
        _use(folder, data.draw(st.sampled_from(["none", "cut", "text", "list"])))
        assert {
            path: h for path, h in hashes(folder).items() if not path.relative_to(folder).parts[0].startswith("study")
        } == before
    finally:
        shutil.rmtree(folder)


def _use(folder: Path, damage: str) -> None:
    """Do with the files what a user would; only errors that a person can put right may come out.

    Args:
        damage: to what the study remembers of the files, which must not change what is found.
    """
    study = Study.create(folder / "study")
    for path in sorted((folder / "images").iterdir()):
        label = next(iter(sorted((folder / "labels").glob(f"{path.name.split('.')[0]}.*"))), None)
        try:
            asked = label_questions(study, label) if label else []
            answers = {q.parameters["name"]: q.default for q in asked}
            study.add_case(path, label=label, meanings=answers)
        except MMGLError:
            continue  # one line for the user; anything else fails the test
    with suppress(MMGLError):  # where no image is left
        add_folder(study, folder / "images", on_skipped=lambda *_: None)
    findings = study.check()
    assert as_text(findings)
    for file in sorted((study.folder / "statistics").glob("*.json"))[:: 1 if damage == "list" else 2]:
        content = {"cut": file.read_bytes()[:20], "text": b"{}", "list": b"[1]"}.get(damage)
        file.write_bytes(file.read_bytes() if content is None else content)
    assert study.check() == findings
    broken = {finding.case for finding in findings}
    for finding in findings:
        assert finding.words
        if finding.choices:
            study.answer(finding, finding.choices[-1].value)
    for case in study.cases:
        try:
            study.read_scan(case)
            if case.label:
                study.read_label(case)
        except MMGLError:
            assert case.name in broken  # the check has said so before
    study.split_checks()
    study.save()
    assert Study.open(study.folder) == study
    other = Study.create(folder / "study of another")
    with suppress(MMGLError):  # structures without a clear name must be asked about
        merge(other, study)
