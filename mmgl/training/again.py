"""Training again: from what a model has learned, with all cases the study has now, without forgetting."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmgl.data.facts import Ranges, ScanFacts
from mmgl.data.plan import Plan, fitting_batch
from mmgl.files import read_json
from mmgl.imaging.segmentation import Segment
from mmgl.messages import MMGLError
from mmgl.methods import METHODS, TWO_NETWORKS
from mmgl.methods.stage import CALM, HURRY, Method
from mmgl.model import Card, read_model
from mmgl.networks.unet import UNet
from mmgl.report.run_facts import VERDICT
from mmgl.run_config import read_run_config
from mmgl.study import Study
from mmgl.study.cases import is_case_name
from mmgl.study.identity import match

LATEST = "latest"

RARE, SPREAD = 0.05, 0.1
"""A new structure begins with this share of the probability of the background, and with weights that differ from those
of the background by up to this share of what torch begins with."""


@dataclass(frozen=True)
class Start:
    """The model that a training starts from.

    Attributes:
        name: of its file, without suffix.
        card: of the model.
        weights: of its network, with an output for each structure of the study.
        outputs: for each structure of the study the number of the model's structure that it is, or None for a new one.
        seen: names of the cases that the model, and those it started from, were trained on, as far as that is known.
    """

    name: str
    card: Card
    weights: Mapping[str, Tensor]
    outputs: tuple[int | None, ...]
    seen: frozenset[str]

    def to_json(self, study: Study) -> dict[str, Any]:
        """Return what the run remembers and tells of it."""
        new = [s.name for s, number in zip(study.structures, self.outputs, strict=True) if number is None]
        gone = [s.name for number, s in enumerate(self.card.structures) if number not in self.outputs]
        return {"model": self.name, "new": new, "gone": gone}


def start_from(study: Study, words: str | Path, method: str = "", seed: int = 0) -> Start:
    """Return what a training starts from.

    Structures are the model's own by their id where it was trained in this study, whatever they are called now; in a
    model from elsewhere by code or name, as in a label.

    Args:
        words: the name of a model of the study, the path of a model file, or ``latest``.
        method: to train with; that of the model unless given.
        seed: of the weights of new structures.

    Raises:
        MMGLError: ``again.none``, ``again.method``, ``again.structures``, ``method.unknown``, or that the model cannot
            be read.
    """
    path = model_file(study.folder, words)
    card, arrays = read_model(path)
    method = method or card.method
    if method not in METHODS:
        raise MMGLError("method.unknown", method=method, methods=", ".join(METHODS))
    if method in TWO_NETWORKS:
        raise MMGLError("again.method", method=method)
    config = run_of(study.folder, path)
    outputs = _outputs(study, card, own=config.get("structures") == [s.id for s in card.structures])
    if all(number is None for number in outputs):
        names = [", ".join(s.name for s in side.structures) for side in (card, study)]
        raise MMGLError("again.structures", model=path.stem, known=names[0], wanted=names[1] or "–")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    weights = grown(tensors, outputs, torch.Generator().manual_seed(seed))
    return Start(path.stem, card, weights, outputs, trained_on(config))


def model_file(folder: Path, words: str | Path) -> Path:
    """Return the file of the model that is meant; ``latest`` is what the last verdict says to use, else the newest.

    Raises:
        MMGLError: ``again.none`` where the study in ``folder`` has no such model.
    """
    models = folder / "models"
    if words != LATEST:
        for file in (models / f"{words}.mmgl", Path(words)):
            if file.is_file():
                return file
        raise MMGLError(
            "again.none", model=words, models=", ".join(sorted(f.stem for f in models.glob("*.mmgl"))) or "none"
        )
    for verdict in sorted((folder / "runs").glob(f"*/{VERDICT}"), key=_changed, reverse=True):
        with suppress(MMGLError, KeyError, TypeError):
            name = str(read_json(verdict)["use"])
            if is_case_name(name) and (models / f"{name}.mmgl").is_file():
                return models / f"{name}.mmgl"
    files = sorted(models.glob("*.mmgl"), key=_changed)
    if not files:
        raise MMGLError("again.none", model=LATEST, models="none")
    return files[-1]


def _changed(file: Path) -> int:
    return file.stat().st_mtime_ns


def run_of(folder: Path, model: Path) -> dict[str, Any]:
    """Return the config of the run in the study ``folder`` that a model came from; empty for one from elsewhere."""
    if model.resolve().parent != (folder / "models").resolve():
        return {}
    with suppress(MMGLError):
        return read_run_config(folder / "runs" / model.stem.partition("-stopped")[0])
    return {}


def trained_on(config: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the cases that a run, and those it started from, learned from; none where nobody wrote so."""
    cases = config.get("cases", {})
    return frozenset(name for use in ("train", "seen") for name in cases.get(use, ()))


def _outputs(study: Study, card: Card, *, own: bool) -> tuple[int | None, ...]:
    """Return for each structure of the study which of the model's it is, or None."""
    ids: Sequence[int | None] = [s.id for s in card.structures]
    if not own:
        segments = [Segment(i, s.name, terminology=s.terminology) for i, s in enumerate(card.structures, start=1)]
        ids = match(segments, study.structures)
    return tuple(ids.index(s.id) if s.id in ids else None for s in study.structures)


def grown(
    weights: Mapping[str, Tensor], outputs: Sequence[int | None], generator: torch.Generator
) -> dict[str, Tensor]:
    """Return the weights of a U-Net with an output for each structure, in this order.

    Known structures keep their weights. A new one begins as a small share of the background, which it was until now:
    with random weights it would take the place of all else here and there, and the first steps would go into that.

    Args:
        weights: of ``UNet.state_dict``.
        outputs: for each structure the number it had, from 0, or None.
        generator: on the CPU.
    """
    rows = torch.tensor([0, *(0 if number is None else number + 1 for number in outputs)])
    new = [i for i, number in enumerate(outputs, start=1) if number is None]
    result = dict(weights)
    for name in (name for name in weights if name.startswith("classifiers.")):
        result[name] = weights[name].index_select(0, rows)
        for i in new:
            if name.endswith("bias"):
                result[name][i] += math.log(RARE)
            else:
                numbers = torch.rand(result[name][i].shape, generator=generator)
                result[name][i] += (2 * numbers - 1) * SPREAD * len(numbers) ** -0.5
    return result


def plan_again(known: Plan, facts: Sequence[ScanFacts], *, free_memory: int, on_gpu: bool) -> Plan:
    """Return the plan of the model with what this computer and these scans decide: the batch, and what is usual.

    Spacing, planes, normalisation and network stay, because the weights mean nothing without them.

    Raises:
        MMGLError: ``again.scans`` when a scan is of another kind than those the model learned from.
    """
    for scan in facts:
        if len(scan.channels) != known.channels or (scan.modality == "picture") != known.pictures:
            raise MMGLError("again.scans", case=scan.case)
    batch = fitting_batch(free_memory, known.width, known.slice_size, on_gpu=on_gpu)
    return replace(known, batch=batch, scans=Ranges.of(facts))


def begin_with(method: Method, weights: Mapping[str, Tensor], *, new: bool) -> None:
    """Let a method go on from the weights of a network: its student and its teacher alike.

    Only the stages that learn to segment are left, and share the budget: the others make a network fit to begin with,
    which this one is, and would undo what it knows.

    Args:
        new: whether there are structures that the network did not know, for which its outputs have far to go, and what
            leads to them further than the encoder.
    """
    networks = [module for module in method.modules() if isinstance(module, UNet)]
    for network in networks:
        network.load_state_dict(dict(weights))
    paces = dict.fromkeys(method.parameters(), CALM)
    for network in networks if new else ():
        paces |= dict.fromkeys(network.parameters(), 1.0)
        paces |= dict.fromkeys(network.encoder.parameters(), CALM)
        paces |= dict.fromkeys(network.classifiers.parameters(), HURRY)
    method.stages = tuple(stage for stage in method.stages if stage.segments)
    for stage in method.stages:
        stage.paces = paces
    whole = sum(stage.share for stage in method.stages)
    for stage in method.stages:
        stage.share /= whole
