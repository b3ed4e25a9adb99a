"""From a study to a model file: plan, prepare, train, keep the best."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mmgl import __version__
from mmgl.data.plan import Plan
from mmgl.data.slices import SliceSampler
from mmgl.device import choose_device
from mmgl.inference.predictor import Predictor
from mmgl.jobs import last_look
from mmgl.messages import MMGLError
from mmgl.methods import LABELS_SCANS, METHODS, USUAL, build_method
from mmgl.networks.norm import share_norms
from mmgl.ranks import leader_first, rank, told
from mmgl.study import Study
from mmgl.study.cases import is_case_name
from mmgl.study.trained import free_file, free_name
from mmgl.training.again import Start, begin_with, start_from
from mmgl.training.budget import Budget
from mmgl.training.course import Course
from mmgl.training.ending import Trained, has_verdict, is_complete, keep, tell_report, tell_verdict
from mmgl.training.loop import Trainer
from mmgl.training.memory import within_memory
from mmgl.training.preparing import check_study, look_and_plan, prepare_all
from mmgl.training.run import Event, Run, SilentRun


def train(
    study: Study,
    *,
    method: str = "",
    budget: Budget,
    seed: int = 0,
    device: str = "auto",
    name: str = "",
    published: bool = False,
    start: str | Path = "",
    planes: Sequence[str] = (),
    on_event: Callable[[Event], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Train a model on a study and return the path of its file, ``models/NAME.mmgl`` in the study's folder.

    Args:
        study: at least one case that is used for training has a label; check cases choose the best checkpoint.
        method: a name in ``mmgl.methods.METHODS``; ``mmgl+`` unless given, or that of the model to start from.
        budget: steps, minutes, or until when.
        seed: same seed, steps, plan and processor give the same model.
        device: ``auto``, ``cpu`` or ``cuda``.
        name: of the run and the model; ``model-1``, ``model-2``, ... when empty.
        published: the network of the MMGL paper and published learning rates, instead of those of the plan.
        start: train again: the name of a model of the study, the path of a model file, or ``latest``. The new model
            starts from what that one has learned, keeps its plan, and learns from all cases the study has now; its
            structures may have become more or fewer.
        planes: those to learn from and to segment in, such as ``axial``, where they fit the scans; else all that fit.
        on_event: is told every event of the run.
        stop: asked after every step; once it says yes, or there is a file ``STOP`` in the run's folder, a checkpoint
            and a model are written, and ``run.stopped`` is raised.

    Raises:
        MMGLError: there is no label (``study.no_labels``), no such method (``method.unknown``), no such device, the
            name is taken (``file.exists``) or none (``run.name``), a check of the study failed (``check.failed``),
            planes (``plan.planes``) or the model to start from (``again.*``) do not fit, memory or disk are too small,
            or training was stopped: ``run.stopped``, or ``run.stopped_early`` when it could not segment yet and
            ``run.stopped_before`` when it cannot even be gone on with.
        ValueError: ``published`` or ``planes``, and ``start`` together, as a start has a plan of its own.
    """
    if start and (published or planes):
        raise ValueError("a training that starts from a model keeps its plan, so nothing else can be asked of it")
    if not study.labelled:
        raise MMGLError("study.no_labels")
    begin = start_from(study, start, method, seed) if start else None
    method = method or (begin.card.method if begin else USUAL)
    if method not in METHODS:
        raise MMGLError("method.unknown", method=method, methods=", ".join(METHODS))
    where = choose_device(device)
    if rank():
        return _help(study, where, stop)
    name = name or free_name(study.folder)
    if not is_case_name(name):
        raise MMGLError("run.name", name=name)
    model = _model_file(study, name)
    for taken in (model, model.with_suffix(".html"), study.folder / "runs" / name / "config.json"):
        if taken.exists():
            raise MMGLError("file.exists", path=taken)
    run = Run(study.folder / "runs" / name, on_event)
    asked = _asked(run, stop)
    with run:
        for finding in check_study(study, run, asked):
            run.tell(
                "finding", key=finding.key, severity=finding.severity.value, case=finding.case, words=finding.words
            )
        known = begin.card.plan if begin else None
        plan, voxels = look_and_plan(study, where, run, asked, published, known, planes)
        asked_for = {"method": method, "seed": seed, **budget.to_json()}
        _write_config(study, run, asked_for, plan, voxels, begin)
        return _run(study, run, where, asked)


def _write_config(
    study: Study, run: Run, asked_for: Mapping[str, Any], plan: Plan, voxels: float, begin: Start | None
) -> None:
    """Write what was asked for and decided; from here on the run can be gone on with, and needs no other model."""
    start = begin.to_json(study) if begin else None
    if begin and start:
        run.save("start", begin.weights, {})
        run.tell("again", **start)
    cases = {**_cases(study), "seen": sorted(begin.seen) if begin else []}
    decided = {"plan": plan.to_json(), "voxels": voxels, "structures": _ids(study), "cases": cases, "start": start}
    run.write_config({**asked_for, **decided, "versions": _versions()})


def resume(
    study: Study,
    name: str,
    *,
    device: str = "auto",
    on_event: Callable[[Event], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Path:
    """Go on with an interrupted training from its last checkpoint, as it was asked for when it began.

    Where its model is written already, only what is missing of the verdict and the report is made.

    Args:
        study: with the structures it had then.
        name: of the run.
        device, on_event, stop: as in ``train``.

    Raises:
        MMGLError: ``run.unknown``, ``run.finished`` or ``run.changed``, or as ``train``.
    """
    if rank():
        return _help(study, choose_device(device), stop)
    folder = study.folder / "runs" / name
    if not (folder / "config.json").is_file():
        raise MMGLError("run.unknown", name=name)
    file = _model_file(study, name)
    if file.exists() and is_complete(folder, file):
        raise MMGLError("run.finished", name=name)
    run = Run(folder, on_event)
    if run.read_config()["structures"] != _ids(study):
        raise MMGLError("run.changed", name=name)
    where = choose_device(device)
    with run:
        before = last_look(run.before)
        run.tell("resumed", state=before.state, key=before.key, parameters=dict(before.parameters), words=before.words)
        return (_finish if file.exists() else _run)(study, run, where, _asked(run, stop))


def _help(study: Study, device: torch.device, stop: Callable[[], bool] | None) -> Path:
    """Do the share of a process that does not lead (``mmgl/ranks.py``): train, and write nothing."""
    name = told("")
    if not name:  # all but the last words was done before
        return study.folder / "models"
    return _run(study, SilentRun(study.folder / "runs" / name), device, stop or (lambda: False))


def _asked(run: Run, stop: Callable[[], bool] | None) -> Callable[[], bool]:
    """Return the question whether to stop, to whoever may answer it."""
    return lambda: run.stop_asked() or bool(stop and stop())


def _run(study: Study, run: Run, device: torch.device, stop: Callable[[], bool]) -> Path:
    """Train as the run's config says, from its last checkpoint if there is one, and write model, verdict and report."""
    config, name = run.read_config(), run.folder.name
    labels_scans = config["method"] in LABELS_SCANS
    plan = Plan.from_json(config["plan"])
    if not rank():
        told(name)
    with leader_first():
        prepared, checks = prepare_all(study, plan, config.get("voxels", 0.0), run, stop, labels_scans)
    start = run.load("start")[0] if config.get("start") else {}

    def work(plan: Plan, device: torch.device) -> tuple[Trainer, bool]:
        torch.manual_seed(config["seed"])
        method = build_method(config["method"], plan, len(study.structures))
        if start:
            begin_with(method, start, new=bool(config["start"]["new"]))
        share_norms(method)
        method.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        slices = SliceSampler(prepared, plan, torch.Generator().manual_seed(config["seed"]))
        if not slices.has_labels:
            raise MMGLError("study.labels_too_small")
        trainer = Trainer(method, slices, checks, plan, study.structures, run, device, stop)
        trainer.resume()
        return trainer, trainer.fit(Budget.from_json(config))

    trainer, finished = within_memory(work, plan, device, run, fixed_width=bool(start))
    if rank():
        return _model_file(study, name)
    if not finished and not trainer.segments:
        raise MMGLError("run.stopped_early", name=name)
    if run.has("best"):
        trainer.method.network.load_state_dict(run.load("best")[0])
    method, rows, early = trainer.method, trainer.checker.rows, trainer.course.early
    trained = Trained(method.network, trainer.plan, trainer.device, rows, method.refines, early)
    file = _model_file(study, name) if finished else free_file(study.folder, f"{name}-stopped")
    keep(study, run, trained, prepared, checks if finished else (), file)
    tell_verdict(study, run, trained, prepared, file, stopped=None if finished else trainer.course.spent())
    tell_report(study, run, file)
    if not finished:
        raise MMGLError("run.stopped", name=name, model=file)
    return file


def _finish(study: Study, run: Run, device: torch.device, stop: Callable[[], bool]) -> Path:
    """Say of a model that is written what was not said before its process ended."""
    told("")
    file = _model_file(study, run.folder.name)
    if not has_verdict(run.folder, file):
        config, predictor = run.read_config(), Predictor(file, device.type)
        prepared, _ = prepare_all(study, predictor.card.plan, config.get("voxels", 0.0), run, stop)
        rows = run.load("best")[1]["rows"] if run.has("best") else []
        early = Course.from_json(run.load("last")[1]["course"]).early
        trained = Trained(predictor.network, predictor.card.plan, device, rows, early=early)
        tell_verdict(study, run, trained, prepared, file)
    tell_report(study, run, file)
    return file


def _model_file(study: Study, name: str) -> Path:
    return study.folder / "models" / f"{name}.mmgl"


def _ids(study: Study) -> list[int]:
    """Return the ids of the structures: a run can only go on with the ones it began with."""
    return [structure.id for structure in study.structures]


def _cases(study: Study) -> dict[str, list[str]]:
    """Return the names of the cases by what they are for; they stay in the study, and are not in the model."""
    labelled = [case.name for case in study.labelled]
    unlabelled = [case.name for case in study.unlabelled]
    return {"train": labelled + unlabelled, "check": [case.name for case in study.checks], "labelled": labelled}


def _versions() -> dict[str, str]:
    """Return what the training is done with, and nothing that tells whose computer it is."""
    system = f"{platform.system()} {platform.machine()}"
    return {"mmgl": __version__, "torch": str(torch.__version__), "python": platform.python_version(), "system": system}
