"""What to label next: what stands for many, or is doubtful; and not twice of a kind."""

import numpy as np
from models import predictor, random_model
from phantoms import ball_scan, ball_study

from mmgl.cli import main
from mmgl.imaging.scan import Scan
from mmgl.inference.doubt import Doubt, StructureDoubt
from mmgl.inference.next_scan import Look, look, suggest
from mmgl.study import Study


def seen(place, core=0.1, shell=0.1):
    doubt = Doubt((StructureDoubt("Shell", shell, False), StructureDoubt("Core", core, False)), ())
    return Look(np.array(place, float), doubt)


def test_what_stands_for_many_comes_before_what_is_strange():
    crowd = {f"crowd-{n}": seen((5 + 0.1 * n, 5)) for n in range(5)}
    unlabelled = {"strange": seen((9, 9)), "known": seen((0.1, 0)), **crowd}
    first, second, *_ = suggest([seen((0, 0)), seen((1, 0))], unlabelled, 7)
    assert first.name == "crowd-2"
    assert first.reason.words == "5 other unlabelled scans look more like it than like any labelled one."
    assert second.name == "strange"
    assert second.reason.words == "It looks unlike every scan that is labelled."


def test_of_two_groups_the_doubtful_one_comes_first_with_its_reason():
    sure = {f"sure-{n}": seen((5, 0.1 * n)) for n in range(3)}
    unsure = {f"unsure-{n}": seen((-5, 0.1 * n), core=0.5 + 0.1 * n) for n in range(3)}
    first, second = suggest([seen((0, 0))], {**sure, **unsure}, 2)
    assert first.name.startswith("unsure")
    assert second.name == "sure-1"
    chosen = suggest([seen((0, 0))], {"doubtful": seen((0.2, 0), core=0.6), "usual": seen((0.1, 0))}, 1)
    assert [s.reason.words for s in chosen] == ["The model is unsure of Core."]


def test_the_second_of_a_kind_waits():
    labelled = [seen((0, 0))]
    unlabelled = {"one": seen((9, 0)), "its twin": seen((9, 0.01)), "another": seen((0, 5)), "near": seen((0.1, 0.1))}
    chosen = [s.name for s in suggest(labelled, unlabelled, 4)]
    assert set(chosen[:2]) in ({"another", "one"}, {"another", "its twin"})


def test_what_is_missing_is_said():
    (chosen,) = suggest([seen((0, 0))], {"a": seen((0.2, 0), core=1.0), "b": seen((0.1, 0))}, 1)
    assert chosen.reason.words == "The model finds no Core."


def test_all_are_named_at_most_once():
    unlabelled = {str(n): seen((n, n)) for n in range(4)}
    assert sorted(s.name for s in suggest([], unlabelled, 9)) == ["0", "1", "2", "3"]
    assert suggest([seen((0, 0))], {}, 3) == []


def test_a_scan_looks_like_itself_and_unlike_another(tmp_path):
    segmenter = predictor(tmp_path)
    image, _, grid = ball_scan(0)
    first, again = (look(segmenter, Scan(image[None], grid, "MR")) for _ in range(2))
    noise = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    other = look(segmenter, Scan(noise[None], grid, "MR"))
    assert np.array_equal(first.features, again.features)
    near = look(segmenter, Scan(ball_scan(1)[0][None], grid, "MR"))
    away = [np.linalg.norm(first.features - one.features) for one in (near, other)]
    assert away[0] < away[1]


def test_the_command_names_scans_with_reasons(tmp_path, capsys):
    study = ball_study(tmp_path, labelled=1, unlabelled=3, checks=0)
    model = random_model(tmp_path / "random.mmgl")
    assert main(["next", str(study.folder), str(model), "--count", "2", "--device", "cpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("1. case-")
    assert lines[0].endswith(".")


def test_nothing_left_to_label_is_said(tmp_path, capsys):
    study = ball_study(tmp_path, labelled=1, unlabelled=0, checks=0)
    assert main(["next", str(study.folder), str(random_model(tmp_path / "r.mmgl")), "--device", "cpu"]) == 1
    assert "no unlabelled scan" in capsys.readouterr().err
    assert len(Study.open(study.folder).labelled) == 1
