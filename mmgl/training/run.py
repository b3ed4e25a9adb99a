"""The run folder: config, events, checkpoints. Everything known of one training is in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmgl.files import read_json, replacing, write_json
from mmgl.messages import MMGLError

Event = dict[str, Any]


class Run:
    """A folder with ``config.json``, ``events.jsonl``, ``last.safetensors`` and ``best.safetensors``.

    Args:
        folder: new for a new run.
        on_event: is told every event too.
    """

    def __init__(self, folder: Path, on_event: Callable[[Event], None] | None = None) -> None:
        self.folder = folder
        self._on_event = on_event
        folder.mkdir(parents=True, exist_ok=True)

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write what the run was asked to do and what was decided for it."""
        write_json(self.folder / "config.json", config)

    def read_config(self) -> dict[str, Any]:
        """Return what ``write_config`` wrote."""
        config: dict[str, Any] = read_json(self.folder / "config.json")
        return config

    def tell(self, event: str, **facts: Any) -> None:
        """Append one event, a JSON object on a line of its own, and pass it on."""
        record = {"time": round(time.time(), 3), "event": event, **facts}
        with (self.folder / "events.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
        if self._on_event:
            self._on_event(record)

    def save(self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write a checkpoint: tensors, and the numbers needed to go on; atomically, without pickle."""
        path = self.folder / f"{name}.safetensors"
        flat = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}
        try:
            with replacing(path) as temporary:
                save_file(flat, temporary, metadata={"state": json.dumps(state)})
        except SafetensorError as error:
            raise MMGLError("file.unwritable", path=path, reason="the disk may be full") from error

    def load(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what ``save`` wrote.

        Raises:
            MMGLError: ``file.missing``.
        """
        path = self.folder / f"{name}.safetensors"
        if not path.is_file():
            raise MMGLError("file.missing", path=path)
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["state"])  # noqa: SIM118

    def has(self, name: str) -> bool:
        """Return whether there is a checkpoint of that name."""
        return (self.folder / f"{name}.safetensors").is_file()


def flatten_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's tensors as ``optimiser.<parameter>.<name>``."""
    state = optimiser.state_dict()["state"]
    return {f"optimiser.{i}.{name}": torch.as_tensor(v) for i, entry in state.items() for name, v in entry.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put back what ``flatten_optimiser`` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
