"""The study that is open in this Slicer: kept in step with its folder, and changed by one Slicer at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mmgl.files import read_json, stamp, write_json
from mmgl.jobs.record import is_me, is_there, whoami
from mmgl.structures import Structure
from mmgl.study import Case, Label, Study, merge
from MMGLLib.messages import MMGLError, unwritable

FILE, IN_USE = "study.json", "in-use.json"

BEAT = 60.0
"""Seconds between two signs of life, by which another computer knows that the study is open here."""

Returned = TypeVar("Returned")


class OpenStudy:
    """A study and whether it may be changed here.

    Args:
        study: as it was read or made.

    Attributes:
        study: as it is now; another object after each change.
        read_only: another Slicer has it open, so that nothing is written from here.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.read_only = self._taken()
        self._stamp = self._now()
        self._beaten = 0.0
        self.beat()

    @property
    def folder(self) -> Path:
        """Of the study."""
        return self.study.folder

    def is_gone(self) -> bool:
        """Return whether the folder was deleted or moved, or its drive went away."""
        return not (self.folder / FILE).is_file()

    def refresh(self) -> bool:
        """Read the study again where somebody else has written it, and return whether that was so.

        Raises:
            MMGLError: what is there is no study any more.
        """
        if self.is_gone() or self._now() == self._stamp:
            return False
        self.study, self._stamp = Study.open(self.folder), self._now()
        return True

    def require_writable(self) -> None:
        """Refuse to write anything into a study that another Slicer has open, or that is not there.

        Raises:
            MMGLError: ``slicer.read_only`` or ``slicer.study_gone``.
        """
        if self.read_only:
            raise MMGLError("slicer.read_only", study=self.folder.name)
        if self.is_gone():
            raise MMGLError("slicer.study_gone", path=self.folder)

    def change(self, how: Callable[[Study], Returned]) -> Returned:
        """Change the study and save it, in one step: where it fails, nothing is changed.

        Raises:
            MMGLError: ``slicer.read_only``, ``slicer.study_gone``, or what ``how`` or writing raises.
        """
        self.require_writable()
        self.refresh()
        draft = replace(self.study)
        answer = how(draft)
        try:
            draft.save()
        except OSError as error:
            raise unwritable(error, self.folder / FILE) from error
        self.study, self._stamp = draft, self._now()
        return answer

    def take_in(self, folder: str | Path) -> int:
        """Let the cases that an errand found join, and return how many are new or have a label now."""
        found = Study.open(folder)
        merged = self.change(lambda study: merge(study, found))
        return len(merged.added) + len(merged.labelled)

    def set_label(self, case: str, path: Path, meanings: dict[str, int], structures: list[dict[str, Any]]) -> None:
        """Give a case the label that an errand understood, and the study its new structures."""

        def how(study: Study) -> None:
            known = {structure.id for structure in study.structures}
            understood = [Structure.from_json(structure) for structure in structures]
            study.set_structures((*study.structures, *(s for s in understood if s.id not in known)))
            before = study.case(case).label
            extents = before.extents if before is not None and before.path == path else {}
            put_case(study, replace(study.case(case), label=Label(path, meanings, extents)))

        self.change(how)

    def beat(self) -> None:
        """Show other Slicers, now and then, that the study is open here."""
        if self.read_only or time.time() - self._beaten < BEAT or self.is_gone():
            return
        self._beaten = time.time()
        with suppress(OSError):  # a folder one may only read is opened all the same
            write_json(self.folder / IN_USE, {**whoami(), "beat": self._beaten}, lasting=False)

    def close(self) -> None:
        """Let others have it."""
        if not self.read_only:
            with suppress(OSError, MMGLError):
                if is_me(read_json(self.folder / IN_USE)):
                    (self.folder / IN_USE).unlink()

    def _taken(self) -> bool:
        """Return whether another Slicer, on this computer or on another, has the study open."""
        with suppress(MMGLError, OSError):
            status = read_json(self.folder / IN_USE)
            if isinstance(status, dict) and isinstance(status.get("pid"), int):
                return not is_me(status) and is_there(status)
        return False

    def _now(self) -> list[Any]:
        with suppress(OSError):
            return stamp(self.folder / FILE)
        return []


def put_case(study: Study, changed: Case) -> None:
    """Put a changed case in the place of the one of its name."""
    study.cases = tuple(changed if case.name == changed.name else case for case in study.cases)


def move_files(study: Study, old: Path, new: Path) -> None:
    """Take, of all files that are missing below ``old``, those that are below ``new``."""
    for case in study.cases:
        put_case(study, _moved(case, old, new))


def _moved(case: Case, old: Path, new: Path) -> Case:
    """Return a case with the files that are missing below one folder and are there below the other."""

    def found(path: Path) -> Path:
        there = new / path.relative_to(old) if path.is_relative_to(old) else path
        return there if not path.exists() and there.exists() else path

    images = tuple(replace(image, path=found(image.path)) for image in case.images)
    label = replace(case.label, path=found(case.label.path)) if case.label else None
    same = images == case.images and label == case.label
    return case if same else replace(case, images=images, label=label)
