"""The table of licences: every package that is used or brought along is in it, with what it says of itself."""

import importlib.metadata
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[2]
FAMILIES = {
    "AGPL": r"\bAGPL|Affero",
    "Apache": r"\bApache",
    "BSD": r"\bBSD\b|\b0BSD\b|Redistribution and use in source and binary forms",
    "GPL": r"(?<![LA])GPL-|(?<!Lesser )(?<!Library )GNU General Public",
    "HPND": r"\bHPND|\bMIT-CMU|Historical Permission",
    "LGPL": r"\bLGPL|GNU Lesser|GNU Library",
    "MIT": r"\bMIT\b(?!-CMU)",
    "MPL": r"\bMPL|Mozilla",
    "PSF": r"\bPSF|Python Software Foundation",
    "Unlicense": r"Unlicense",
}


def table():
    """Return the licence of each package in the document, by its name as the registries compare them."""
    text = (REPOSITORY / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w-]+) \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    return {canonicalize_name(name): licence for name, licence in rows if name != "package"}


def families(text):
    """Return the kinds of licences that a text names."""
    return {family for family, pattern in FAMILIES.items() if re.search(pattern, text)}


def said_by(name):
    """Return what an installed package says of its licence."""
    about = importlib.metadata.metadata(name)
    kinds = [kind for kind in about.get_all("Classifier", []) if kind.startswith("License ::")]
    return " ".join([about.get("License-Expression") or "", about.get("License") or "", *kinds])


def asked_for():
    """Return the requirements of the project: of itself, and of each extra."""
    text = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    own = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)[1]
    extras = re.search(r"^\[project.optional-dependencies\]\n(.*?)^\[", text, re.DOTALL | re.MULTILINE)[1]
    found = {"": re.findall(r'"([^"]+)"', own)}
    for name, listed in re.findall(r"^(\w+) = \[(.*?)\]", extras, re.DOTALL | re.MULTILINE):
        found[name] = re.findall(r'"([^"]+)"', listed)
    return {extra: [canonicalize_name(Requirement(r).name) for r in listed] for extra, listed in found.items()}


def brought(names):
    """Return these packages and all that the installed ones of them bring along on this system."""
    todo, found = list(names), set()
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted = [Requirement(need) for need in needs]
        todo += [canonicalize_name(r.name) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return {name for name in found if not name.startswith(("nvidia-", "cuda-"))} - {"triton"}


def test_every_package_that_is_used_is_in_the_table():
    asked = asked_for()
    assert set(asked) == {"", "test", "dicom", "benchmark"}
    direct = {name for names in asked.values() for name in names}
    assert direct | brought(asked[""] + asked["dicom"]) <= set(table())


@pytest.mark.parametrize("name", sorted(table()))
def test_the_licence_is_what_the_package_says(name):
    try:
        said = said_by(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed here")
    assert families(said) & families(table()[name]), said[:200]


def test_nothing_that_a_user_installs_binds_what_is_made_with_it():
    asked = asked_for()
    for name in brought(asked[""] + asked["dicom"] + asked["benchmark"]) & set(table()):
        assert not families(table()[name]) & {"GPL", "LGPL", "AGPL"}, name
