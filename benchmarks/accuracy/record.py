"""What a line of results says beside its settings: scores, times, the network, and what measured them."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import mmgl
from mmgl import __version__
from mmgl.device import choose_device
from mmgl.evaluation.metrics import Score, summarise
from mmgl.methods import build_method
from mmgl.model import read_card

PACKAGE = Path(mmgl.__file__).parent
REPOSITORY = Path(__file__).resolve().parents[2]
CODE = ("mmgl", "benchmarks/accuracy/*.py", "benchmarks/accuracy/splits")
"""What decides a result. The results, which change with every run, are not part of it."""


def scores_to_json(scores: Sequence[Score]) -> dict[str, Any]:
    """Return mean and worst of Dice, HD95 and surface distance (mm) of each structure, and the Dice of each case."""
    structures = {}
    for row in summarise(scores):
        own = [s for s in scores if s.structure == row.structure]
        structures[row.structure] = {
            "dice": number(row.dice, 4),
            "dice_deviation": number(row.dice_deviation, 4),
            "worst": number(row.worst, 4),
            "worst_case": row.worst_case,
            "hd95": number(row.hd95, 3),
            "worst_hd95": number(_largest([s.hd95 for s in own or scores]), 3),
            "surface_distance": number(row.surface_distance, 3),
            "worst_surface_distance": number(_largest([s.surface_distance for s in own or scores]), 3),
        }
    cases: dict[str, list[float | None]] = {}
    for s in scores:
        cases.setdefault(s.case, []).append(number(s.dice, 4))
    return {"structures": structures, "cases": cases}


def training_seconds(run: Path) -> int:
    """Return the seconds of training, without preparing and without the time in which an interrupted run stood still.

    Where a run was taken up again, what it did after its last checkpoint was done twice and counts twice.
    """
    seconds = begun = last = 0.0
    for event in read_events(run):
        if event["event"] in ("looking", "preparing"):
            seconds, begun = seconds + (last - begun if begun else 0.0), 0.0
        elif event["event"] == "stage" and not begun:
            begun = event["time"]
        last = event["time"]
    return round(seconds + (last - begun if begun else 0.0))


def read_events(run: Path) -> list[dict[str, Any]]:
    """Return the events in the folder of a run, without one that was cut short."""
    events = []
    for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def facts_of_run(run: Path, model: Path) -> dict[str, Any]:
    """Return the stages with their steps, the plan, and the parameters of the network that is kept and of all."""
    card = read_card(model)
    method = build_method(card.method, card.plan, len(card.structures))
    steps = {event["stage"]: event["steps"] for event in read_events(run) if event["event"] == "stage"}
    stages = [{"stage": s.name, "share": round(s.share, 3), "steps": steps.get(s.name)} for s in method.stages]
    plan = {name: value for name, value in card.plan.to_json().items() if name != "normalisation"}
    kept, trained = (sum(p.numel() for p in part.parameters()) for part in (method.network, method))
    return {
        "stages": stages,
        "plan": plan,
        "parameters": {"network": kept, "method": trained},
        "cases_used": dict(card.cases),
    }


def provenance(device: str) -> dict[str, Any]:
    """Return what measured: program, versions, commit, machine and date."""
    return {
        **what_runs(device),
        **_commit(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "date": time.strftime("%Y-%m-%d"),
    }


def what_runs(device: str) -> dict[str, Any]:
    """Return what must be the same for an interrupted run to go on: program, versions, device and threads."""
    files = sorted(PACKAGE.glob("**/*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return {
        "program": digest[:16],
        "versions": {"mmgl": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
        "device": _device(device),
        "threads": torch.get_num_threads(),
    }


def number(value: float, digits: int) -> float | None:
    """Return a rounded number, or None for NaN, which JSON does not have."""
    return None if math.isnan(value) else round(value, digits)


def _largest(values: Sequence[float]) -> float:
    return max((value for value in values if not math.isnan(value)), default=math.nan)


def _device(name: str) -> str:
    device = choose_device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _commit() -> dict[str, Any]:
    """Return the commit of the code and whether files differ from it; nothing where there is no git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git("status", "--porcelain", "--", *CODE))}
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "changed": None}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()
