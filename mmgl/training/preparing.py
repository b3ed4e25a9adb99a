"""From a study's cases to a plan and prepared cases: what a training does before its first step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch

from mmgl.data.cache import PreparedCase, cache_need, clean_cache, free_disk, prepare_case
from mmgl.data.facts import ScanFacts, known_facts
from mmgl.data.plan import Plan, make_plan
from mmgl.device import bfloat16_pays, free_memory
from mmgl.finding import Finding, Severity
from mmgl.jobs import Job
from mmgl.jobs.record import CONFIG
from mmgl.messages import MMGLError
from mmgl.ranks import world
from mmgl.study import Case, Study
from mmgl.study.prepared import PREPARED
from mmgl.study.statistics import FOLDER, statistics
from mmgl.training.again import plan_again
from mmgl.training.run import Run

Result = TypeVar("Result")

LOOKED_AT = 60
"""About as many unlabelled scans are looked at for the plan; all labelled ones are."""

SPARE = 512 * 1024 * 1024
"""Bytes that must stay free on the disk beside the prepared scans: for the checkpoints, and for everybody else."""

GIGABYTE = 1e9


def check_study(study: Study, run: Run, stop: Callable[[], bool]) -> list[Finding]:
    """Return what the checks of a study find; where nothing was read before, this reads every scan.

    Raises:
        MMGLError: ``check.failed``, or ``run.stopped_before``.
    """

    def looked(done: int, of: int) -> None:
        run.tell("looking", done=done, of=of)
        if stop():
            raise _stopped(run)

    findings = study.check(looked)
    if failed := [finding for finding in findings if finding.severity is Severity.ERROR]:
        raise MMGLError("check.failed", count=len(failed), words=failed[0].words)
    return findings


def look_and_plan(
    study: Study,
    device: torch.device,
    run: Run,
    stop: Callable[[], bool],
    published: bool,
    known: Plan | None = None,
    planes: Sequence[str] = (),
) -> tuple[Plan, float]:
    """Return the plan for the training cases, and the voxels of a case on its grid, on average.

    Args:
        known: the plan of the model that the training starts from.
        planes: as for ``make_plan``.
    """

    def look(case: Case) -> ScanFacts:
        return known_facts(case, statistics(case, study.structures, study.folder / FOLDER))

    unlabelled = study.unlabelled[:: max(1, len(study.unlabelled) // LOOKED_AT)]
    facts = _each([*study.labelled, *unlabelled], look, run, stop, "looking")
    on_gpu = device.type == "cuda"
    free = free_memory(device) * (world() if on_gpu else 1)  # each process has a card of its own
    if known:
        plan = plan_again(known, facts, free_memory=free, on_gpu=on_gpu)
    else:
        plan = make_plan(facts, free_memory=free, on_gpu=on_gpu, published=published, planes=planes)
    plan = replace(plan, bfloat16=bfloat16_pays(device))
    run.tell("plan", plan=plan.to_json())
    return plan, float(np.mean([math.prod(plan.size_on_grid(f.size, f.spacing)) for f in facts]))


def prepare_all(
    study: Study, plan: Plan, voxels: float, run: Run, stop: Callable[[], bool], labels_scans: bool = False
) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """Return the training cases and the check cases on the plan's grid.

    What it takes on the disk is told, and asked for, before the first one is prepared.

    Args:
        labels_scans: whether the disk is asked for labels of all unlabelled cases, too, of two bytes a voxel.

    Raises:
        MMGLError: ``disk.too_small``, or that a labelled case cannot be read, or ``run.stopped_early``.
    """
    folder = study.folder / PREPARED
    training, checks = [*study.labelled, *study.unlabelled], study.checks
    needed, free = cache_need(study, [*training, *checks], plan, folder, voxels), free_disk(folder)
    if labels_scans:
        needed += round(2 * voxels * len(study.unlabelled))
    run.tell("disk", needed_gb=round(needed / GIGABYTE, 3), free_gb=round(free / GIGABYTE, 3))
    if needed and free < needed + SPARE:
        gigabytes = {"needed": f"{(needed + SPARE) / GIGABYTE:.1f}", "free": f"{free / GIGABYTE:.1f}"}
        raise MMGLError("disk.too_small", folder=folder, **gigabytes)
    prepared, checked = (
        _each(cases, lambda case: prepare_case(study, case, plan, folder), run, stop, "preparing")
        for cases in (training, checks)
    )
    if not any(job.look().works for job in _others(study, run)):
        freed = clean_cache(folder, [*prepared, *checked])
        if freed:
            run.tell("cleaned", freed_gb=round(freed / GIGABYTE, 3))
    return prepared, checked


def _others(study: Study, run: Run) -> list[Job]:
    """Return the other trainings of the study."""
    return [Job(folder) for folder in (study.folder / "runs").iterdir() if folder.is_dir() and folder != run.folder]


def _each(
    cases: Sequence[Case], work: Callable[[Case], Result], run: Run, stop: Callable[[], bool], event: str
) -> list[Result]:
    """Return what ``work`` makes of each case; an unlabelled case that cannot be used is told of and passed over."""
    results = []
    for done, case in enumerate(cases):
        run.tell(event, done=done, of=len(cases))
        if stop():
            raise _stopped(run)
        try:
            results.append(_within_memory(work, case))
        except MMGLError as error:
            if case.label:
                raise
            run.tell("skipped", case=case.name, key=error.key, words=str(error))
    run.tell(event, done=len(cases), of=len(cases))
    return results


def _stopped(run: Run) -> MMGLError:
    """Return that a run was stopped: one that has its config can go on, another begins anew."""
    key = "run.stopped_early" if (run.folder / CONFIG).exists() else "run.stopped_before"
    return MMGLError(key, name=run.folder.name)


def _within_memory(work: Callable[[Case], Result], case: Case) -> Result:
    """Return what ``work`` makes of a case, or raise ``memory.scan``."""
    try:
        return work(case)
    except MemoryError as error:
        raise MMGLError("memory.scan", case=case.name) from error
