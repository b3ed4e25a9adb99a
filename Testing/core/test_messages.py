"""Messages: every key that is raised has words, every word has a key that is raised, one line each."""

import ast
import re
import string
from pathlib import Path

import pytest

import mmgl
from mmgl.messages import CATALOGUE, MMGLError
from mmgl.wording import fill

PACKAGE = Path(mmgl.__file__).parent

COUNTS = "asked|cases|done|expected|labelled|minutes|missing|of|pieces|voxels"
"""Parameters that are numbers and may be 1."""


def strings():
    """Return every string constant of the package, and of the Slicer modules, outside the catalogue."""
    found = set()
    repository = Path(__file__).resolve().parents[2]  # the bench adds the words of the modules to the catalogue
    for path in (p for folder in (PACKAGE, *repository.glob("MMGL*")) for p in folder.glob("**/*.py")):
        if not path.name.endswith("messages.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {
                node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    return found


def raised():
    """Return the keys and the names of parameters of every ``MMGLError(...)`` whose key is written out."""
    for path in PACKAGE.glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "MMGLError" and node.args:
                key = node.args[0]
                if isinstance(key, ast.Constant):
                    yield key.value, {keyword.arg for keyword in node.keywords}


def test_every_raised_key_has_words_and_all_their_parameters():
    for key, given in raised():
        assert key in CATALOGUE, key
        needed = {name.split(".")[0] for _, name, _, _ in string.Formatter().parse(CATALOGUE[key]) if name}
        assert None in given or needed <= given, (key, needed - given)


def test_every_word_is_said_somewhere():
    known = strings()
    built = ("stage.", "progress.", "choice.", "findings.")  # keys put together from a part and a name
    unused = {key for key in CATALOGUE if key not in known and not key.startswith(built)}
    assert not unused


@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_words_are_one_plain_line(key):
    words = CATALOGUE[key]
    assert "\n" not in words
    assert "Traceback" not in words
    if "." in words and not key.startswith(("stage.", "progress.", "choice.", "findings.")):
        assert words.rstrip("}").endswith((".", "}", "cpu", "{path}")) or words.endswith(".") or ":" in words


def test_numbers_choose_between_singular_and_plural():
    words = CATALOGUE["verdict.fair"]
    facts = {"structure": "Aorta", "dice": 0.71}
    assert fill(words, {**facts, "cases": 1}) == "Aorta: fair, expect to correct it (Dice 0.71 on 1 check case)."
    assert fill(words, {**facts, "cases": 3}).endswith("on 3 check cases).")
    assert fill("{voxels} {voxels:voxel|voxels}", {"voxels": "1"}) == "1 voxel"
    assert str(MMGLError("layout.few_labels", asked=1, folder="f", found=0)).startswith("Labels of 1 patient were")


@pytest.mark.parametrize("key", sorted(CATALOGUE))
def test_no_number_stands_before_a_plural_that_it_does_not_choose(key):
    assert not re.search(rf"\{{({COUNTS})\}} (check )?(?!pixels)[a-z]+s\b", CATALOGUE[key])


def test_sentences_are_filled_in_one_place():
    """``str.format`` does not know what to do with a choice of words."""
    for path in (p for folder in (PACKAGE, *PACKAGE.parent.glob("MMGL*")) for p in folder.glob("**/*.py")):
        calls = [
            node.func for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ]
        formats = [call.value for call in calls if isinstance(call, ast.Attribute) and call.attr == "format"]
        assert not any(isinstance(f, ast.Subscript) and getattr(f.value, "id", "") == "CATALOGUE" for f in formats), (
            path
        )


def test_the_error_carries_key_and_parameters():
    error = MMGLError("device.unknown", device="tpu")
    assert error.key == "device.unknown"
    assert error.parameters == {"device": "tpu"}
    assert "tpu" in str(error)
