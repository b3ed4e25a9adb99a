"""Where what is painted waits below the labels of a study until it is one of them. Knows no Slicer."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".seg.nrrd"

NEW = "new"
"""Folder below the labels of a study: of what was called done, until the study knows what it means."""

UNFINISHED = {"drafting": "unfinished", "draft": "drafts"}
"""Folders below the labels of a study, by the state of the cases whose painting is kept there until it is done."""


def label_file(study: Path, folder: str, case: str) -> Path:
    """Return the file below the labels of a study in which what is painted in a case waits."""
    return study / "labels" / folder / f"{case}{SUFFIX}"


def unfinished(study: Path, case: str) -> tuple[str, Path] | None:
    """Return the state of a case whose painting was kept before it was done, and the file, or None."""
    found = [(state, label_file(study, folder, case)) for state, folder in UNFINISHED.items()]
    there = [(file.stat().st_mtime, state, file) for state, file in found if file.is_file()]
    return max(there)[1:] if there else None


def forget_unfinished(study: Path, case: str, but: Path | None = None) -> None:
    """Remove what was kept of a case before it was done, all of it or but for one file."""
    for folder in UNFINISHED.values():
        if (file := label_file(study, folder, case)) != but:
            file.unlink(missing_ok=True)


def waiting(study: Path) -> list[Path]:
    """Return the labels that were called done when Slicer ended, and of which the study does not know yet."""
    return sorted((study / "labels" / NEW).glob(f"*{SUFFIX}"))


def begun(study: Path) -> list[str]:
    """Return the cases of which something is kept that was not done."""
    return sorted(
        {
            file.name.removesuffix(SUFFIX)
            for folder in UNFINISHED.values()
            for file in (study / "labels" / folder).glob(f"*{SUFFIX}")
        }
    )
