"""Two labellers' studies become one: structures by name, questions asked, nothing lost and nothing changed."""

import numpy as np
import pytest
from phantoms import ball_scan, write

from mmgl.cli import main
from mmgl.messages import MMGLError
from mmgl.study import Study, merge


def labelled(folder, names, meanings, images):
    """A study of a labeller who calls things as in ``meanings``; the images are shared."""
    study = Study.create(folder / "study")
    for number, name in enumerate(names):
        image, labelmap, grid = ball_scan(number)
        path = images / f"{name}.nii.gz"
        if not path.exists():
            write(path, image, grid)
        label = write(folder / f"{name}_seg.nii.gz", labelmap, grid) if meanings else None
        study.add_case(path, label=label, meanings=meanings)
    study.save()
    return study


@pytest.fixture
def pair(tmp_path):
    images = tmp_path / "images"
    ours = labelled(tmp_path / "ours", ["a", "b"], {"1": "Shell", "2": "Core"}, images)
    theirs = labelled(tmp_path / "theirs", ["b", "c", "d"], {"1": "core of it", "2": "SHELL"}, images)
    return ours, theirs


def test_structures_are_matched_by_name_and_asked_about(pair):
    ours, theirs = pair
    with pytest.raises(MMGLError, match="'core of it'") as caught:
        merge(ours, theirs)
    assert caught.value.parameters["keys"] == ("core of it",)
    assert len(ours.cases) == 2
    theirs.set_extent("d", "SHELL", "absent")
    merged = merge(ours, theirs, {"core of it": "Core"})
    assert (merged.added, merged.labelled, merged.kept) == (("c", "d"), (), ("b",))
    assert [s.name for s in ours.structures] == ["Shell", "Core"]
    assert ours.case("c").label.meanings == {"1": 2, "2": 1}
    assert ours.case("b").label.path.parent.name == "ours"
    assert ours.case("d").label.extents == {1: "absent"}
    counts = np.bincount(ball_scan(1)[1].ravel())
    assert np.array_equal(np.bincount(ours.read_labelmap(ours.case("c")).ravel()), counts[[0, 2, 1]])
    assert merge(ours, theirs, {"core of it": ""}).added == ()  # a second time nothing is new


def test_new_structures_and_those_not_for_training(pair):
    ours, theirs = pair
    merge(ours, theirs, {"core of it": "Third", "SHELL": ""})
    assert [s.name for s in ours.structures] == ["Shell", "Core", "Third"]
    assert ours.case("c").label.meanings == {"1": 3, "2": 0}


def test_a_label_for_an_unlabelled_case_and_a_name_that_is_taken(pair, tmp_path):
    ours, theirs = pair
    ours.set_label("b", None)
    other = write(tmp_path / "elsewhere" / "c.nii.gz", ball_scan(7)[0], ball_scan(7)[2])
    ours.add_case(other)
    merged = merge(ours, theirs, {"core of it": "Core"})
    assert (merged.added, merged.labelled) == (("c-2", "d"), ("b",))
    assert ours.case("c").images[0].path == other
    ours.save()
    assert Study.open(ours.folder) == ours


def test_on_the_command_line(pair, capsys):
    ours, theirs = (str(study.folder) for study in pair)
    before = pair[1].folder.joinpath("study.json").read_bytes()
    assert main(["study", "merge", ours, theirs]) == 1
    assert "'core of it'" in capsys.readouterr().err
    assert main(["study", "merge", ours, theirs, "--structures", "core of it=Core"]) == 0
    out = capsys.readouterr().out
    assert "Added 2 cases and 0 labels." in out
    assert "the label of this one was kept: b" in out
    assert len(Study.open(ours).cases) == 4
    assert pair[1].folder.joinpath("study.json").read_bytes() == before
