"""Which structure a segment is: by code, then by name, and asked where neither is clear."""

from pathlib import Path

import pytest

from mmgl.imaging.segmentation import Segment
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import Case, Image, Label
from mmgl.study.identity import fold, match, segment_keys
from mmgl.study.meanings import remembered, settled, understand


def entry(value: str, meaning: str, modifier: str = "") -> str:
    """Return a terminology entry as Slicer writes it."""
    side = f"SCT^{modifier}^side" if modifier else "^^"
    return f"Segmentation category~SCT^123037004^Anatomical Structure~SCT^{value}^{meaning}~{side}~Anatomic codes~^^~^^"


TISSUE = entry("85756007", "Tissue")
VENTRICLE, LUNG = entry("87878005", "Left ventricle"), entry("39607008", "Lung")


def structure(number: int, name: str, terminology: str = "") -> Structure:
    return Structure(number, name, (1, 2, 3), terminology)


HEART = [structure(4, "Left ventricle", VENTRICLE), structure(7, "Aorta", TISSUE), structure(9, "Myocardium")]


def test_order_and_value_say_nothing():
    segments = [Segment(1, "Myocardium"), Segment(2, "Aorta"), Segment(3, "Left ventricle")]
    assert match(segments, HEART) == [9, 7, 4]
    assert match(segments[::-1], HEART) == [4, 7, 9]
    assert match([Segment(3), Segment(1)], HEART) == [None, None]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Left Ventricle", 4),
        ("left_ventricle ", 4),
        ("LEFT-VENTRI.CLE", 4),
        ("LV cavity", None),
        ("Left ventricle 2", None),
    ],
)
def test_names(name, expected):
    assert match([Segment(1, name)], HEART) == [expected]


def test_code_wins_over_an_unknown_name_and_needs_none():
    assert match([Segment(1, "LV cavity", terminology=VENTRICLE)], HEART) == [4]
    assert match([Segment(5, terminology=VENTRICLE)], HEART) == [4]


def test_tissue_is_no_code():
    segments = [Segment(1, "Myocardium", terminology=TISSUE), Segment(2, "Scratch", terminology=TISSUE)]
    assert match(segments, HEART) == [9, None]


def test_code_against_exact_name_is_asked():
    assert match([Segment(1, "Aorta", terminology=VENTRICLE)], HEART) == [None]


def test_one_code_of_several_structures_is_decided_by_name():
    lungs = [structure(1, "Left lung", LUNG), structure(2, "Right lung", LUNG)]
    segments = [Segment(1, "right lung", terminology=LUNG), Segment(2, "Left lung", terminology=LUNG)]
    assert match(segments, lungs) == [2, 1]
    assert match([Segment(1, "Lung", terminology=LUNG)], lungs) == [None]


def test_one_name_with_codes_that_differ_is_asked():
    left, right = entry("59652004", "Atrium", "7771000"), entry("59652004", "Atrium", "24028007")
    assert match([Segment(1, "Atrium", terminology=right)], [structure(1, "Atrium", left)]) == [None]
    assert match([Segment(1, "Atrium", terminology=TISSUE)], [structure(1, "Atrium", left)]) == [1]
    older = right.replace("SCT", "SRT")
    assert match([Segment(1, "Atrium", terminology=older)], [structure(1, "Atrium", left)]) == [1]


def test_two_segments_never_become_one_structure():
    assert match([Segment(1, "aorta "), Segment(2, "AORTA")], HEART) == [None, None]
    assert match([Segment(1, "aorta "), Segment(2, "Aorta")], HEART) == [None, 7]
    assert match([Segment(1, "Aorta"), Segment(2, "Aorta")], HEART) == [None, None]
    segments = [Segment(1, "Septum", terminology=VENTRICLE), Segment(2, "Left ventricle", terminology=VENTRICLE)]
    assert match(segments, HEART) == [None, 4]


def test_structures_of_one_folded_name_are_told_apart_only_by_the_exact_name():
    both = [structure(1, "Aorta"), structure(2, "aorta")]
    assert match([Segment(1, "aorta")], both) == [2]
    assert match([Segment(1, "AORTA")], both) == [None]


def test_what_was_answered_before_holds_for_names_only():
    before = {"LV cavity": 4, "Scratch": 0}
    assert match([Segment(1, "LV cavity"), Segment(2, "Scratch"), Segment(3)], HEART, before) == [4, 0, None]


def test_fold_keeps_letters_of_every_language():
    assert fold(" Straße_1.b-C ") == "strasse1bc"
    assert fold("Αορτή") != fold("左心室")
    assert fold("Aorte thorácique") == fold("Aorte thora\u0301cique")  # as macOS keeps accents


def test_names_of_signs_only_are_not_all_the_same():
    assert match([Segment(1, "--")], [structure(1, "__")]) == [None]


def test_keys_are_names_else_values_and_always_differ():
    assert segment_keys([Segment(3, "A"), Segment(4), Segment(5, " ")]) == ["A", "4", "5"]
    assert segment_keys([Segment(1, "A"), Segment(2, "A")]) == ["A (value 1)", "A (value 2)"]
    assert segment_keys([Segment(1), Segment(1, layer=1)]) == ["1 (value 1) (layer 0)", "1 (value 1) (layer 1)"]


def test_first_label_makes_the_structures():
    segments = [Segment(5, "Aorta ", (9, 8, 7), TISSUE), Segment(2, "Bone", None, TISSUE), Segment(3)]
    meanings, structures = understand(segments, [], 12, {}, {})
    assert meanings == {"Aorta ": 12, "Bone": 13, "3": None}
    assert [(s.id, s.name, s.terminology) for s in structures] == [(12, "Aorta", TISSUE), (13, "Bone", TISSUE)]
    assert structures[0].colour == (9, 8, 7)


def test_first_label_with_one_name_twice_is_asked():
    meanings, structures = understand([Segment(1, "A"), Segment(2, "A "), Segment(3, "B")], [], 1, {}, {})
    assert meanings == {"A": None, "A ": None, "B": 1}
    assert [s.name for s in structures] == ["B"]


def test_what_is_said_wins_and_may_be_new_or_nothing():
    said = {"Aorta": "Left ventricle", "2": "Bone", "3": " bone", "Scratch": ""}
    segments = [Segment(1, "Aorta"), Segment(2), Segment(3), Segment(4, "Scratch"), Segment(5, "Left Ventricle")]
    meanings, structures = understand(segments, HEART, 20, said, {})
    assert meanings == {"Aorta": 4, "2": 20, "3": 20, "Scratch": 0, "Left Ventricle": None}
    assert [s.name for s in structures[3:]] == ["Bone"]


def test_said_of_a_name_holds_for_all_segments_of_it_and_of_a_key_for_one():
    segments = [Segment(1, "A"), Segment(2, "A")]
    assert understand(segments, HEART, 20, {"A": "Aorta"}, {})[0] == {"A (value 1)": 7, "A (value 2)": 7}
    said = {"A (value 1)": "Aorta", "A": ""}
    assert understand(segments, HEART, 20, said, {})[0] == {"A (value 1)": 7, "A (value 2)": 0}


def test_only_answers_that_agree_are_remembered():
    def case(**meanings: int) -> Case:
        return Case("a", "a", (Image(Path("/a")),), Label(Path("/l"), meanings))

    cases = [case(LV=1, RV=2, **{"3": 1}), case(LV=1, RV=3), Case("b", "b", (Image(Path("/b")),))]
    assert remembered(cases) == {"LV": 1}


def test_settled_asks_first_for_values_then_for_names():
    segments = [Segment(1, "A"), Segment(2), Segment(3, "B")]
    with pytest.raises(MMGLError) as caught:
        settled({"A": 1, "2": None, "B": None}, segments, HEART, "case", Path("l"))
    assert caught.value.key == "label.unnamed_values"
    assert caught.value.parameters["keys"] == ("2",)
    with pytest.raises(MMGLError) as caught:
        settled({"2": 0}, segments, HEART, "case", Path("l"))
    assert caught.value.key == "label.unknown_structure"
    assert caught.value.parameters["keys"] == ("A", "B")
    assert settled({"A": 1, "2": 0, "B": 4}, segments, HEART, "case", Path("l")) == {"A": 1, "2": 0, "B": 4}
