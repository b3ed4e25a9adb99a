"""Messages: every key that is raised has words, every word has a key that is raised, one line each."""

import ast
import string
from pathlib import Path

import pytest

import mmgl
from mmgl.messages import CATALOGUE, MMGLError

PACKAGE = Path(mmgl.__file__).parent


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


def test_the_error_carries_key_and_parameters():
    error = MMGLError("device.unknown", device="tpu")
    assert error.key == "device.unknown"
    assert error.parameters == {"device": "tpu"}
    assert "tpu" in str(error)
