"""The file ``study.json``: what is written, and how it is checked before anything in it is believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmgl.files import read_json
from mmgl.messages import MMGLError
from mmgl.structures import Structure
from mmgl.study.cases import BACKGROUND, NOT_FOR_TRAINING, NOT_LABELLED, Case

FORMAT = "mmgl study"
VERSION = 1

Contents = tuple[tuple[Structure, ...], int, tuple[Case, ...], tuple[str, ...]]
"""Structures, the first structure id that was never used, cases, and the findings that were answered."""


def to_document(contents: Contents, folder: Path) -> dict[str, Any]:
    """Return what ``study.json`` in ``folder`` holds."""
    structures, next_id, cases, answered = contents
    return {
        "format": FORMAT,
        "version": VERSION,
        "next_id": next_id,
        "structures": [structure.to_json() for structure in structures],
        "cases": [case.to_json(folder) for case in cases],
        "answered": list(answered),
    }


def read_document(path: Path) -> Contents:
    """Read the ``study.json`` at ``path``. Keys it does not know are ignored.

    Raises:
        MMGLError: ``file.missing``, ``file.damaged``, ``file.newer`` or ``study.invalid``.
    """
    document = read_json(path)
    try:
        version = _check_header(document)
        if version > VERSION:
            raise MMGLError("file.newer", path=path, found=version, known=VERSION)
        return _read_contents(document, path.parent)
    except ValueError as error:
        where, _, problem = str(error).partition(" ")
        raise MMGLError("study.invalid", path=path, where=where, problem=problem) from error


def _check_header(document: Any) -> int:
    """Return the version of the document."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"format must be {FORMAT}")
    version = document.get("version")
    if type(version) is not int or version < 1:
        raise ValueError("version must be a positive whole number")
    return version


def _read_contents(document: dict[str, Any], folder: Path) -> Contents:
    structures = tuple(
        _read_structure(value, f"structures[{i}]") for i, value in enumerate(_list(document, "structures"))
    )
    cases = tuple(Case.from_json(value, folder, f"cases[{i}]") for i, value in enumerate(_list(document, "cases")))
    _check_unique("structures", "id", [structure.id for structure in structures])
    _check_unique("structures", "name", [structure.name for structure in structures])
    _check_unique("cases", "name", [case.name for case in cases])
    _check_meanings(structures, cases)
    next_id = document.get("next_id")
    if type(next_id) is not int or next_id <= max((structure.id for structure in structures), default=0):
        raise ValueError("next_id must be larger than the id of every structure")
    answered = document.get("answered", [])
    if not isinstance(answered, list) or not all(isinstance(key, str) for key in answered):
        raise ValueError("answered must be a list of keys")
    return structures, next_id, cases, tuple(answered)


def _read_structure(value: Any, where: str) -> Structure:
    try:
        return Structure.from_json(value)
    except ValueError as error:
        raise ValueError(f"{where} {error}") from error


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if not isinstance(value, list):
        raise ValueError(f"{key} must be a list")
    return value


def _check_unique(where: str, what: str, values: Sequence[Any]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise ValueError(f"{where} must not have the {what} {twice[0]} twice")


def _check_meanings(structures: Iterable[Structure], cases: Iterable[Case]) -> None:
    known = {NOT_FOR_TRAINING, NOT_LABELLED, BACKGROUND, *(structure.id for structure in structures)}
    for i, case in enumerate(cases):
        if case.label is None:
            continue
        for what, told in (("meanings", case.label.meanings.values()), ("extents", case.label.extents)):
            if strange := set(told) - known:
                raise ValueError(f"cases[{i}].label.{what} must only name structures of the study, not {min(strange)}")
