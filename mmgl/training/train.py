"""From a study to a model file: plan, prepare, train, keep the best."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from mmgl import __version__
from mmgl.data.cache import PreparedCase, prepare_case
from mmgl.data.facts import ScanFacts, scan_facts
from mmgl.data.plan import Plan, make_plan
from mmgl.data.slices import SliceSampler
from mmgl.device import choose_device, free_memory
from mmgl.inference.usual import doubts_on_check_cases
from mmgl.messages import MMGLError
from mmgl.methods import METHODS, build_method
from mmgl.model import Card, write_model
from mmgl.study import Case, Study
from mmgl.study.cases import is_case_name
from mmgl.training.budget import Budget
from mmgl.training.loop import Trainer
from mmgl.training.run import Event, Run

Result = TypeVar("Result")

LOOKED_AT = 60
"""About as many unlabelled scans are looked at for the plan; all labelled ones are."""


def train(
    study: Study,
    *,
    method: str = "mmgl",
    budget: Budget,
    seed: int = 0,
    device: str = "auto",
    name: str = "",
    published: bool = False,
    on_event: Callable[[Event], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Train a model on a study and return the path of its file, ``models/NAME.mmgl`` in the study's folder.

    Args:
        study: at least one case that is used for training has a label; check cases choose the best checkpoint.
        method: a name in ``mmgl.methods.METHODS``.
        budget: steps or minutes.
        seed: same seed, steps, plan and processor give the same model.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: of the run and the model; ``model-1``, ``model-2``, ... when empty.
        published: the network and learning rates of the paper instead of those of the plan.
        on_event: is told every event of the run.
        stop: asked after every step; once it says yes, a checkpoint is written and ``run.stopped`` raised.

    Raises:
        MMGLError: there is no label, no such method, no such device, the name is taken, or training was stopped.
    """
    if method not in METHODS:
        raise MMGLError("method.unknown", method=method, methods=", ".join(METHODS))
    if not study.labelled:
        raise MMGLError("study.no_labels")
    where = choose_device(device)
    name = name or _free_name(study.folder)
    if not is_case_name(name):
        raise MMGLError("run.name", name=name)
    for taken in (_model_file(study, name), study.folder / "runs" / name / "config.json"):
        if taken.exists():
            raise MMGLError("file.exists", path=taken)
    run = Run(study.folder / "runs" / name, on_event)
    plan = _plan(study, where, run, published)
    config = {"method": method, "seed": seed, "steps": budget.steps, "minutes": budget.minutes}
    versions = {"mmgl": __version__, "torch": str(torch.__version__)}
    run.write_config({**config, "plan": plan.to_json(), "structures": _ids(study), "versions": versions})
    return _run(study, name, run, where, stop)


def resume(
    study: Study,
    name: str,
    *,
    device: str = "auto",
    on_event: Callable[[Event], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Go on with an interrupted training from its last checkpoint, as it was asked for when it began.

    Args:
        study: with the structures it had then.
        name: of the run.
        device, on_event, stop: as in ``train``.

    Raises:
        MMGLError: ``run.unknown``, ``run.finished`` or ``run.changed``, or as ``train``.
    """
    folder = study.folder / "runs" / name
    if not (folder / "config.json").is_file():
        raise MMGLError("run.unknown", name=name)
    if _model_file(study, name).exists():
        raise MMGLError("run.finished", name=name)
    run = Run(folder, on_event)
    if run.read_config()["structures"] != _ids(study):
        raise MMGLError("run.changed", name=name)
    return _run(study, name, run, choose_device(device), stop)


def _run(study: Study, name: str, run: Run, device: torch.device, stop: Callable[[], bool] | None) -> Path:
    """Train as the run's config says, from its last checkpoint if there is one, and write the model."""
    config = run.read_config()
    plan, method = Plan.from_json(config["plan"]), config["method"]
    prepared = _prepare(study, [*study.labelled, *study.unlabelled], plan, run)
    checks = _prepare(study, study.checks, plan, run)
    torch.manual_seed(config["seed"])
    built = build_method(method, plan, len(study.structures))
    built.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    slices = SliceSampler(prepared, plan, torch.Generator().manual_seed(config["seed"]))
    if not slices.has_labels:
        raise MMGLError("study.labels_too_small")
    trainer = Trainer(built, slices, checks, plan, len(study.structures), run, device, stop)
    trainer.resume()
    trainer.fit(Budget(config["steps"], config["minutes"]))
    weights = run.load("best")[0] if run.has("best") else built.network.state_dict()
    built.network.load_state_dict(weights)
    doubts = doubts_on_check_cases(built.network, checks, plan, study.structures, device)
    card = replace(_card(study, name, plan, method, trainer.scores), doubts=doubts)
    model_file = _model_file(study, name)
    write_model(model_file, card, {k: v.detach().cpu().numpy() for k, v in weights.items()})
    run.tell("model", model=model_file.name, dice=card.scores)
    return model_file


def _model_file(study: Study, name: str) -> Path:
    return study.folder / "models" / f"{name}.mmgl"


def _ids(study: Study) -> list[int]:
    """Return the ids of the structures: a run can only go on with the ones it began with."""
    return [structure.id for structure in study.structures]


def _free_name(folder: Path) -> str:
    """Return the first of model-1, model-2, ... that is neither a run nor a model yet."""
    number = 1
    while (folder / "runs" / f"model-{number}").exists() or (folder / "models" / f"model-{number}.mmgl").exists():
        number += 1
    return f"model-{number}"


def _plan(study: Study, device: torch.device, run: Run, published: bool) -> Plan:
    """Return the plan for the training cases."""

    def look(case: Case) -> ScanFacts:
        labelmap = study.read_labelmap(case) if case.label else None
        return scan_facts(case.name, study.read_scan(case), labelmap)

    unlabelled = study.unlabelled[:: max(1, len(study.unlabelled) // LOOKED_AT)]
    facts = _each([*study.labelled, *unlabelled], look, run, "looking")
    plan = make_plan(facts, free_memory=free_memory(device), on_gpu=device.type == "cuda", published=published)
    run.tell("plan", plan=plan.to_json())
    return plan


def _prepare(study: Study, cases: Sequence[Case], plan: Plan, run: Run) -> list[PreparedCase]:
    """Return cases on the plan's grid."""

    return _each(cases, lambda case: prepare_case(study, case, plan, study.folder / "cache"), run, "preparing")


def _each(cases: Sequence[Case], work: Callable[[Case], Result], run: Run, event: str) -> list[Result]:
    """Return what ``work`` makes of each case; an unlabelled case that cannot be used is told of and passed over."""
    results = []
    for done, case in enumerate(cases):
        run.tell(event, done=done, of=len(cases))
        try:
            results.append(work(case))
        except MMGLError as error:
            if case.label:
                raise
            run.tell("skipped", case=case.name, key=error.key, words=str(error))
    run.tell(event, done=len(cases), of=len(cases))
    return results


def _card(study: Study, name: str, plan: Plan, method: str, scores: list[float]) -> Card:
    """Return the card of the model, with nothing in it that tells who the patients are."""
    dice = {s.name: round(v, 4) for s, v in zip(study.structures, scores, strict=False) if v is not None and v == v}
    counts = {"labelled": len(study.labelled), "unlabelled": len(study.unlabelled), "check": len(study.checks)}
    versions = {"mmgl": __version__, "torch": str(torch.__version__)}
    today = datetime.date.today().isoformat()
    return Card(name, study.structures, plan, method, counts, dice, versions, today)
