"""A new model against the one before it, on the same check cases, so that a worse one never takes its place unseen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from mmgl.data.cache import PreparedCase, prepare_case
from mmgl.finding import Finding
from mmgl.inference.predictor import Predictor
from mmgl.messages import MMGLError
from mmgl.model import Card, read_card
from mmgl.structures import Structure
from mmgl.study import Case, Study
from mmgl.study.prepared import PREPARED
from mmgl.training.again import run_of, trained_on
from mmgl.training.check import Rows, dice, find, mean
from mmgl.training.verdict import POOR

SAME = 0.01
"""Dice by which one model must be better than another."""


def compare(study: Study, name: str, rows: Rows, device: torch.device) -> Finding | None:
    """Return which of two models to use, or None where there is no other one to compare with.

    Only check cases that neither model was trained on, nor those they started from, and structures that both have, are
    compared; their mean Dice decides. A model that has learned a structure more is not set aside for it.

    Args:
        name: of the new model.
        rows: its Dice on the check cases of the study.
    """
    found = _previous(study, name)
    if found is None or not rows:
        return None
    path, card = found
    models = study.folder / "models"
    seen = trained_on(run_of(study.folder, path)) | trained_on(run_of(study.folder, models / f"{name}.mmgl"))
    fair = [i for i, case in enumerate(study.checks) if case.name not in seen]
    common = [i for i, s in enumerate(study.structures) if s.id in {other.id for other in card.structures}]
    if not fair:
        return None
    try:
        before = _rows(study, [study.checks[i] for i in fair], path, device)
    except MMGLError:  # made for other scans, or its file is damaged: nothing can be said
        return None
    old = mean([row[k] for row in before for k in common])
    new = mean([rows[i][k] for i in fair for k in common])
    if not (old == old and new == new):
        return None
    key = "compare.better" if new > old + SAME else "compare.worse" if new < old - SAME else "compare.same"
    facts = {"name": name, "other": path.stem, "cases": len(fair), "new": round(new, 3), "old": round(old, 3)}
    learned = [s.name for k, s in enumerate(study.structures) if k not in common and _learned(rows, fair, k)]
    if key == "compare.worse" and learned:
        return Finding("compare.more", {**facts, "structures": ", ".join(learned)})
    return Finding(key, facts)


def _learned(rows: Rows, cases: Sequence[int], structure: int) -> bool:
    """Return whether a structure is found well enough to be of use."""
    return mean([rows[i][structure] for i in cases]) >= POOR


def _previous(study: Study, name: str) -> tuple[Path, Card] | None:
    """Return the latest other model of the study that segments a structure of it, with its card."""
    known = {structure.id: structure.name for structure in study.structures}
    files = [file for file in (study.folder / "models").glob("*.mmgl") if file.stem.partition("-stopped")[0] != name]
    for file in sorted(files, key=lambda f: f.stat().st_mtime, reverse=True):
        with suppress(MMGLError):
            card = read_card(file)
            if any(known.get(s.id) == s.name for s in card.structures):
                return file, card
    return None


def _rows(study: Study, cases: Sequence[Case], path: Path, device: torch.device) -> Rows:
    """Return the Dice of a model file on cases, by the structures of the study."""
    predictor = Predictor(path, device.type)
    prepared = [prepare_case(study, case, predictor.card.plan, study.folder / PREPARED) for case in cases]
    return [_row(study.structures, case, predictor, device) for case in prepared]


def _row(
    structures: Sequence[Structure], case: PreparedCase, predictor: Predictor, device: torch.device
) -> list[float]:
    """Return the Dice of a model in one case."""
    numbers = {structure.id: i + 1 for i, structure in enumerate(structures)}
    meaning: Tensor = torch.tensor([0, *(numbers.get(s.id, 0) for s in predictor.card.structures)])
    found = meaning[find(predictor.network, case, predictor.card.plan, device)]
    return dice(found, case, len(structures))
