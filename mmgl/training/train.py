"""From a study to a model file: plan, prepare, train, keep the best."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mmgl import __version__
from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.device import choose_device
from mmgl.files import write_json
from mmgl.imaging.grid import Array
from mmgl.inference.usual import doubts_on_check_cases
from mmgl.jobs import last_look
from mmgl.messages import MMGLError
from mmgl.methods import METHODS, build_method
from mmgl.model import Card, write_model
from mmgl.study import Study
from mmgl.study.cases import is_case_name
from mmgl.study.checks import Severity
from mmgl.training.budget import Budget
from mmgl.training.check import means
from mmgl.training.comparison import compare
from mmgl.training.loop import Trainer
from mmgl.training.memory import within_memory
from mmgl.training.preparing import look_and_plan, prepare_all
from mmgl.training.run import Event, Run
from mmgl.training.verdict import judge, self_check


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
        budget: steps, minutes, or until when.
        seed: same seed, steps, plan and processor give the same model.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: of the run and the model; ``model-1``, ``model-2``, ... when empty.
        published: the network and learning rates of the paper instead of those of the plan.
        on_event: is told every event of the run.
        stop: asked after every step; once it says yes, or there is a file ``STOP`` in the run's folder, a checkpoint
            and a model are written, and ``run.stopped`` is raised.

    Raises:
        MMGLError: there is no label, no such method, no such device, the name is taken, a check of the study failed
            (``check.failed``), memory or disk are too small,
            or training was stopped: ``run.stopped``, or ``run.stopped_early`` when it could not segment yet.
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
    findings = study.check()
    if failed := [finding for finding in findings if finding.severity is Severity.ERROR]:
        raise MMGLError("check.failed", count=len(failed), words=failed[0].words, findings=failed)
    run = Run(study.folder / "runs" / name, on_event)
    with run:
        asked = _asked(run, stop)
        for finding in findings:
            run.tell(
                "finding", key=finding.key, severity=finding.severity.value, case=finding.case, words=finding.words
            )
        plan, voxels = look_and_plan(study, where, run, asked, published)
        decided = {"plan": plan.to_json(), "voxels": voxels, "structures": _ids(study), "cases": _cases(study)}
        versions = {"mmgl": __version__, "torch": str(torch.__version__)}
        asked_for = {"method": method, "seed": seed, **budget.to_json()}
        run.write_config({**asked_for, **decided, "versions": versions})
        return _run(study, run, where, asked)


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
    where = choose_device(device)
    with run:
        before = last_look(run.before)
        run.tell("resumed", state=before.state, key=before.key, parameters=dict(before.parameters), words=before.words)
        return _run(study, run, where, _asked(run, stop))


def _asked(run: Run, stop: Callable[[], bool] | None) -> Callable[[], bool]:
    """Return the question whether to stop, to whoever may answer it."""
    return lambda: run.stop_asked() or bool(stop and stop())


def _run(study: Study, run: Run, device: torch.device, stop: Callable[[], bool]) -> Path:
    """Train as the run's config says, from its last checkpoint if there is one, and write the model."""
    config, name = run.read_config(), run.folder.name
    plan = Plan.from_json(config["plan"])
    prepared, checks = prepare_all(study, plan, config.get("voxels", 0.0), run, stop)

    def work(plan: Plan, device: torch.device) -> tuple[Trainer, bool]:
        torch.manual_seed(config["seed"])
        method = build_method(config["method"], plan, len(study.structures))
        method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        slices = SliceSampler(prepared, plan, torch.Generator().manual_seed(config["seed"]))
        if not slices.has_labels:
            raise MMGLError("study.labels_too_small")
        trainer = Trainer(method, slices, checks, plan, study.structures, run, device, stop)
        trainer.resume()
        return trainer, trainer.fit(Budget.from_json(config))

    trainer, finished = within_memory(work, plan, device, run)
    if not finished and not trainer.segments:
        raise MMGLError("run.stopped_early", name=name)
    if run.has("best"):
        trainer.method.network.load_state_dict(run.load("best")[0])
    file = _model_file(study, name) if finished else _free_file(study, f"{name}-stopped")
    network = trainer.method.network
    doubts = doubts_on_check_cases(network, checks, trainer.plan, study.structures, trainer.device)
    card = replace(_card(study, file.stem, trainer, config["method"]), doubts=doubts)
    write_model(file, card, _arrays(trainer.method.network.state_dict()))
    run.tell("model", model=file.name, dice=card.scores)
    if not finished:
        raise MMGLError("run.stopped", name=name, model=file)
    _tell_verdict(study, run, trainer, prepared)
    return file


def _tell_verdict(study: Study, run: Run, trainer: Trainer, prepared: list[PreparedCase]) -> None:
    """Say whether it worked, and which model to use; ``verdict.json`` keeps it."""
    network, rows = trainer.method.network, trainer.checker.rows
    findings = judge(study.structures, rows, prepared)
    findings += self_check(network, prepared, trainer.plan, len(study.structures), trainer.device)
    against = compare(study, run.folder.name, rows, trainer.device)
    use = against.parameters["other"] if against and against.key == "compare.worse" else run.folder.name
    found = [finding.to_json() for finding in [*findings, *([against] if against else [])]]
    write_json(run.folder / "verdict.json", {"findings": found, "use": use})
    run.tell("verdict", findings=found, use=use)


def _arrays(weights: dict[str, Tensor]) -> dict[str, Array]:
    """Return weights as arrays."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in weights.items()}


def _model_file(study: Study, name: str) -> Path:
    return study.folder / "models" / f"{name}.mmgl"


def _free_file(study: Study, name: str) -> Path:
    """Return the file of a model called ``name``, or ``name-2``, ``name-3``, ... where there is one already."""
    number = 1
    while (file := _model_file(study, name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return file


def _ids(study: Study) -> list[int]:
    """Return the ids of the structures: a run can only go on with the ones it began with."""
    return [structure.id for structure in study.structures]


def _cases(study: Study) -> dict[str, list[str]]:
    """Return the names of the cases by what they are for; they stay in the study, and are not in the model."""
    training = [case.name for case in (*study.labelled, *study.unlabelled)]
    return {"train": training, "check": [case.name for case in study.checks]}


def _free_name(folder: Path) -> str:
    """Return the first of model-1, model-2, ... that is neither a run nor a model yet."""
    number = 1
    while (folder / "runs" / f"model-{number}").exists() or (folder / "models" / f"model-{number}.mmgl").exists():
        number += 1
    return f"model-{number}"


def _card(study: Study, name: str, trainer: Trainer, method: str) -> Card:
    """Return the card of the model, with nothing in it that tells who the patients are."""
    scores = means(trainer.checker.rows) if trainer.checker.rows else []
    dice = {s.name: round(v, 4) for s, v in zip(study.structures, scores, strict=False) if v == v}
    counts = {"labelled": len(study.labelled), "unlabelled": len(study.unlabelled), "check": len(study.checks)}
    versions = {"mmgl": __version__, "torch": str(torch.__version__)}
    today = datetime.date.today().isoformat()
    return Card(name, study.structures, trainer.plan, method, counts, dice, versions, today)
