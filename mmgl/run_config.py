"""What a run was asked to do and what was decided for it, checked before anything in it is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmgl.data.plan import Plan
from mmgl.files import read_json
from mmgl.jobs.record import CONFIG
from mmgl.messages import MMGLError


def read_run_config(folder: Path) -> dict[str, Any]:
    """Return the config of the run in a folder; keys that are not known stay in it.

    Raises:
        MMGLError: ``file.missing`` or ``file.damaged``.
    """
    config = read_json(folder / CONFIG)
    try:
        _check(config)
    except ValueError as error:
        raise MMGLError("file.damaged", path=folder / CONFIG, reason=str(error)) from error
    known: dict[str, Any] = config
    return known


def _check(config: Any) -> None:
    """Refuse what no training writes, so that whoever reads the config need not look again."""
    _require(isinstance(config, dict), "it is no dictionary")
    _require(isinstance(config.get("method"), str), "its method is no text")
    seed = config.get("seed")
    _require(type(seed) is int and -(2**63) <= seed < 2**63, "its seed is no whole number")
    for name in ("steps", "minutes", "until", "voxels"):
        _require(_is_number(config.get(name, 0)), f"its {name} are no number")
    Plan.from_json(config.get("plan"))
    structures = config.get("structures")
    _require(isinstance(structures, list) and all(type(i) is int for i in structures), "its structures are no numbers")
    cases = config.get("cases")
    names = isinstance(cases, dict) and all(
        isinstance(cases.get(use, []), list) and all(isinstance(name, str) for name in cases.get(use, []))
        for use in ("train", "check", "labelled", "seen")
    )
    _require(names, "its cases are no names")
    _require(isinstance(config.get("versions", {}), dict), "its versions are no dictionary")
    start = config.get("start") or {"model": ""}
    _require(isinstance(start, dict) and isinstance(start.get("model"), str), "its start is no model")


def _is_number(value: Any) -> bool:
    """Return whether it is nothing, or a number that is neither negative nor beyond all measure."""
    return value is None or (type(value) in (int, float) and 0 <= value < 1e15)


def _require(sound: bool, problem: str) -> None:
    if not sound:
        raise ValueError(problem)
