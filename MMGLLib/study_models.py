"""The models of a study: what is known of each, which one is used, and how they come and go. Nothing is overwritten."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmgl.files import read_json, replacing
from mmgl.messages import CATALOGUE
from mmgl.study import Study
from mmgl.study.cases import clean_name
from mmgl.study.trained import MODELS, RUNS, model_files
from mmgl.wording import fill
from MMGLLib.messages import MMGLError, unwritable
from MMGLLib.models import card_of

if TYPE_CHECKING:
    from mmgl.model import Card

Told = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What is known of one structure of a model.

    Attributes:
        structure: its name.
        verdict: key of its finding, such as ``verdict.good``; empty where nobody judged it.
        dice: mean agreement on the check cases, None where it was not checked.
        cases: check cases that show it; ``labelled``: training cases it is labelled in; None where that is not known.
    """

    structure: str
    verdict: str = ""
    dice: float | None = None
    cases: int | None = None
    labelled: int | None = None


@dataclass(frozen=True)
class StudyModel:
    """A model file of a study.

    Attributes:
        file: the ``.mmgl`` file.
        card: what it says of itself.
        findings: of the verdict of its training, each a key and its parameters; empty for one from elsewhere.
        use: name of the model that its verdict says to use.
    """

    file: Path
    card: Card
    findings: tuple[Told, ...] = field(default=())
    use: str = ""

    @property
    def name(self) -> str:
        """Of the file, without suffix."""
        return self.file.stem

    @property
    def report(self) -> Path | None:
        """Its report, where there is one: beside it, or in the folder of its training."""
        run = self.file.parents[1] / RUNS / self.name.partition("-stopped")[0]
        return next((f for f in (self.file.with_suffix(".html"), run / "report.html") if f.is_file()), None)

    def rows(self) -> list[Row]:
        """Return what is known of each structure."""
        judged = {f["parameters"].get("structure"): f for f in self.findings if "structure" in f["parameters"]}
        rows = []
        for structure in self.card.structures:
            told = judged.get(structure.name, {"key": "", "parameters": {}})
            facts = told["parameters"]
            dice = facts.get("dice", self.card.scores.get(structure.name))
            cases = facts.get("cases", self.card.cases.get("check") if dice is not None else None)
            rows.append(Row(structure.name, told["key"], dice, cases, facts.get("labelled")))
        return rows

    @property
    def usable(self) -> bool:
        """Whether it finds at least one structure, as far as anybody looked."""
        judged = {f["key"] for f in self.findings}
        return "verdict.self" not in judged and bool(judged & {"verdict.good", "verdict.fair", "verdict.unchecked"})

    def said(self, *starts: str) -> list[str]:
        """Return the words of those findings whose keys begin so."""
        return [_words(f) for f in self.findings if f["key"].startswith(starts) and f["key"] in CATALOGUE]


def models(study: Study) -> list[StudyModel]:
    """Return the models of a study that are whole, the newest first; none before the first set-up."""
    found = []
    for file in reversed(model_files(study.folder)):
        with suppress(MMGLError):
            found.append(model_of(file))
    return found


def import_model(study: Study, file: str | Path) -> StudyModel:
    """Copy a model file into a study, under its own name or the next free one, and return it.

    Raises:
        MMGLError: it is no whole model, or cannot be written.
    """
    card_of(file)
    target = study.folder / MODELS / f"{clean_name(Path(file).stem)}.mmgl"
    number = 2
    while target.exists():
        target = target.with_name(f"{clean_name(Path(file).stem)}-{number}.mmgl")
        number += 1
    export_model(file, target)
    return model_of(target)


def export_model(file: str | Path, target: str | Path) -> None:
    """Copy a model file.

    Raises:
        MMGLError: ``file.exists`` or ``file.unwritable``.
    """
    target = Path(target)
    if target.exists():
        raise MMGLError("file.exists", path=target)
    try:
        with replacing(target) as temporary:
            shutil.copyfile(file, temporary)
    except OSError as error:
        raise unwritable(error, target) from error


def others_structures(model: StudyModel, study: Study) -> MMGLError | None:
    """Return what is to be said of a model that shares no structure with a study, else None."""
    own, its = [s.name for s in study.structures], [s.name for s in model.card.structures]
    if not own or {name.casefold() for name in own} & {name.casefold() for name in its}:
        return None
    return MMGLError("models.other", found=", ".join(its), structures=", ".join(own))


def study_from(model: StudyModel, folder: str | Path) -> Study:
    """Make a study with the structures of a model, and with the model in it, and return it.

    Raises:
        MMGLError: ``study.exists``, or it cannot be written.
    """
    study = Study.create(folder)
    study.set_structures(tuple(replace(s, id=number) for number, s in enumerate(model.card.structures, start=1)))
    study.save()
    import_model(study, model.file)
    return study


def model_of(file: Path) -> StudyModel:
    """Return a model with what its training said of it.

    Raises:
        MMGLError: it is no whole model.
    """
    card = card_of(file)
    with suppress(MMGLError, KeyError, TypeError):
        verdict = read_json(file.parents[1] / RUNS / file.stem.partition("-stopped")[0] / "verdict.json")
        if verdict.get("model", file.name) == file.name:
            findings = tuple(f for f in verdict["findings"] if isinstance(f.get("parameters"), dict))
            return StudyModel(file, card, findings, str(verdict.get("use", "")))
    return StudyModel(file, card)


def _words(told: Told) -> str:
    """Return the words of a finding; only its key where it was written by another version."""
    try:
        return fill(CATALOGUE[told["key"]], told["parameters"])
    except (KeyError, ValueError, TypeError):
        return ""
