"""A report without names: what is copied for who can help tells of no scan, patient, folder, file, user or computer."""

from __future__ import annotations

import getpass
import json
import platform
import re
from collections.abc import Iterable
from pathlib import Path

from mmgl.imaging.image_files import READERS
from mmgl.study import Study

HIDDEN = "[...]"

_SUFFIX = "|".join(re.escape(suffix) for suffix in sorted([*READERS, ".mmgl", ".csv", ".html"], key=len, reverse=True))
_ROOT = r"(?<![\w:/.<])(?:/(?=[^\s/]+/)|[A-Za-z]:[\\/]|\\\\)"

_RULES = (
    (re.compile(r"(?<=//)[^/\s@]+@"), ""),  # who signs in to a proxy
    (re.compile(r"\d+(?:\.\d+){5,}"), HIDDEN),  # what DICOM numbers patients, studies and series with
    (re.compile(r"^.+(?= -> )", re.MULTILINE), HIDDEN),  # the scan that a result is of
    (re.compile(r"""(?<=["'])(?:/|[A-Za-z]:[\\/]|\\\\)[^"'\n]*[\\/]([\w.]+\.py)(?=["'])"""), rf"{HIDDEN}/\1"),
    (re.compile(r"""(?<=["'])(?:/|[A-Za-z]:[\\/]|\\\\)[^"'\n]*(?=["'])"""), HIDDEN),
    (re.compile(rf"""{_ROOT}[^\n"'<>|:]*?(?:{_SUFFIX})(?!\w)""", re.IGNORECASE), HIDDEN),  # with spaces in it
    (re.compile(rf"""{_ROOT}[^\s"'<>|]*[^\s"'<>|:;,.)]"""), HIDDEN),
    (re.compile(rf"""[^\s"'/\\]+(?:{_SUFFIX})(?!\w)""", re.IGNORECASE), HIDDEN),
)
"""What is hidden wherever it stands. Of a Python file its name alone is left, as helping needs it."""


def anonymous(text: str, names: Iterable[str] = ()) -> str:
    """Return a text in which nobody is named.

    Args:
        text: of a log, or of a message.
        names: of scans, cases, patients, folders and files that may be in it; those of the user and of the computer,
            and paths of any kind, are hidden without being asked for. Numbers of fewer than four digits are left.
    """
    own = [str(Path.home()), Path.home().as_posix(), Path.home().name, _user(), platform.node()]
    wanted = {form for name in [*names, *own] for form in (name, json.dumps(name)[1:-1], repr(name)[1:-1])}
    for name in sorted(wanted, key=len, reverse=True):
        if name.strip(" ./\\") and not re.fullmatch(r"\d{1,3}", name):
            whole = rf"(?<!\w){re.escape(name)}(?!\w)" if len(name) < 4 else re.escape(name)
            text = re.sub(whole, HIDDEN, text, flags=re.IGNORECASE)
    for rule, instead in _RULES:
        text = rule.sub(instead, text)
    return text


def names_of(study: Study | None) -> list[str]:
    """Return all that is named in a study: itself, its cases and patients, their files and the folders of those."""
    if study is None:
        return []
    paths = [study.folder]
    names = []
    for case in study.cases:
        names += [case.name, case.patient, *(image.series for image in case.images)]
        paths += [image.path for image in case.images] + ([case.label.path] if case.label else [])
    parents = {parent for path in paths for parent in (path, path.parent)}
    return [*names, *(form for path in parents for form in (str(path), path.as_posix(), path.name, path.stem) if form)]


def _user() -> str:
    """Return the name of who works here, as the system has it; empty where it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
