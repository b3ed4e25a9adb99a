"""The run folder: config, events, status, checkpoints, previews. Everything known of one training is in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mmgl.files import replacing, write_json
from mmgl.jobs.follow import Event
from mmgl.jobs.record import CONFIG, EVENTS, STATUS, Record
from mmgl.messages import MMGLError, unwritable
from mmgl.run_config import read_run_config

__all__ = ["Event", "Run", "SilentRun", "flatten_optimiser", "restore_optimiser"]


class Run(Record):
    """The record of a training: with ``config.json``, ``last.safetensors``, ``best.safetensors`` and ``previews``.

    One that was refused or stopped before it had a config leaves no folder, but where somebody else made it, and waits
    there to read why.
    """

    def __init__(self, folder: Path, on_event: Callable[[Event], None] | None = None) -> None:
        self._is_new = not folder.exists()
        super().__init__(folder, on_event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._is_new and not (self.folder / CONFIG).exists():
            with suppress(OSError):
                for name in (EVENTS, STATUS):
                    (self.folder / name).unlink(missing_ok=True)
                self.folder.rmdir()

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Write what the run was asked to do and what was decided for it."""
        write_json(self.folder / CONFIG, config)

    def read_config(self) -> dict[str, Any]:
        """Return what ``write_config`` wrote.

        Raises:
            MMGLError: ``file.missing`` or ``file.damaged``.
        """
        return read_run_config(self.folder)

    def preview_file(self, stage: str, step: int) -> Path:
        """Return where the preview made at a step of a stage belongs; in the order of names they tell the story.

        Raises:
            MMGLError: ``job.away``.
        """
        self.require_folder()
        return self.folder / "previews" / f"{stage}-{step:07d}.png"

    def save(self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Write a checkpoint: tensors, and the numbers needed to go on; atomically, without pickle.

        The one before stays whole until this one is on the disk.

        Raises:
            MMGLError: ``file.unwritable`` or ``job.away``.
        """
        self.require_folder()
        path = self.folder / f"{name}.safetensors"
        flat = {key: value.detach().to("cpu", copy=True).contiguous() for key, value in tensors.items()}
        try:
            with replacing(path) as temporary:
                save_file(flat, temporary, metadata={"state": json.dumps(state)})
        except SafetensorError as error:
            raise MMGLError("file.unwritable", path=path, reason="the disk may be full") from error
        except OSError as error:
            raise unwritable(error, path) from error

    def load(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what ``save`` wrote.

        Raises:
            MMGLError: ``file.missing`` or ``file.damaged``.
        """
        path = self.folder / f"{name}.safetensors"
        if not path.is_file():
            raise MMGLError("file.missing", path=path)
        try:
            with safe_open(path, framework="pt") as file:
                state = dict(json.loads(file.metadata()["state"]))
                return {key: file.get_tensor(key) for key in file.keys()}, state  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise MMGLError("file.damaged", path=path, reason="its disk may be failing") from error

    def has(self, name: str) -> bool:
        """Return whether there is a checkpoint of that name."""
        return (self.folder / f"{name}.safetensors").is_file()


class SilentRun(Run):
    """The run of another process, which this one helps: it reads what is there and writes nothing."""

    def write_config(self, config: Mapping[str, Any]) -> None:
        """Do nothing."""

    def save(self, name: str, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Do nothing."""

    def tell(self, event: str, **facts: Any) -> None:
        """Do nothing."""

    def beat(self) -> None:
        """Do nothing."""


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
