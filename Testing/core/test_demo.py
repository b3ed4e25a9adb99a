"""The demo, cut short: everything it promises is there at the end."""

import pytest

from mmgl.demo.demo import METHODS, UNSEEN, run_demo
from mmgl.messages import MMGLError


def test_the_demo_leaves_models_results_pictures_and_reports(tmp_path, capsys):
    folder = tmp_path / "demo"
    scores = run_demo(folder, minutes=0.02, device="cpu")
    said = capsys.readouterr().out
    for method in METHODS:
        assert len(scores[method]) == UNSEEN * 3
        assert (folder / "study" / "models" / f"{method}.mmgl").is_file()
        assert (folder / f"{method}.png").is_file()
        assert (folder / f"report {method}.html").is_file()
        assert len(list((folder / "results" / method).iterdir())) == UNSEEN
        assert f"{method} on {UNSEEN} hearts" in said
    assert "Dice side by side" in said
    assert (folder / "steps.png").read_bytes().startswith(b"\x89PNG")
    assert "mmgl demo --minutes 0.06 --output demo-longer" in said


def test_the_demo_never_writes_into_a_folder_with_something_in_it(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(MMGLError) as error:
        run_demo(tmp_path, minutes=1)
    assert error.value.key == "file.exists"
