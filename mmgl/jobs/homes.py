"""The private folders of a worker, seen by who gives the orders: made when they are needed, and where an order goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmgl.files import write_json
from mmgl.jobs import scratch
from mmgl.jobs.exchange import ORDER, SCAN, Wish, write_array
from mmgl.messages import unwritable

LARGEST_ANSWER = 6
"""Bytes of an answer for each voxel: two of the labelmap, four of the map of doubt."""


class Homes:
    """The folders of one worker: in memory, where the system has a place for that, and on disk."""

    def __init__(self) -> None:
        self.folders: list[Path] = []
        self._leftover: list[Path] = []

    @property
    def disk(self) -> Path:
        """The one on disk; there are some."""
        return self.folders[-1]

    @property
    def complete(self) -> bool:
        """Whether they are there: systems clear old temporary files away."""
        return bool(self.folders) and all(folder.is_dir() for folder in self.folders)

    def make(self) -> None:
        """Make new ones, and remove what there is."""
        for folder in self.folders:
            self.remove(folder)
        self.folders = scratch.make()

    def write(self, name: str, wish: Wish, voxels: np.ndarray[Any, Any] | None) -> Path:
        """Return the folder of a new order: in memory where there is room for it and its answer, else on disk.

        Raises:
            MMGLError: ``file.unwritable``.
        """
        size = 0 if voxels is None else voxels.nbytes + LARGEST_ANSWER * voxels[0].size
        for home in scratch.with_room(self.folders, size):
            folder = home / name
            try:
                folder.mkdir(mode=0o700)
                if voxels is not None:
                    write_array(folder / SCAN, voxels)
                write_json(folder / ORDER, wish.to_json(), lasting=False)
            except OSError as error:
                self.remove(folder)
                if home is self.disk:
                    raise unwritable(error, folder) from error
            else:
                break  # memory may have become full meanwhile: then the next one is tried
        return folder

    def remove(self, folder: Path) -> None:
        """Remove a folder, now or once it can be."""
        if not scratch.remove(folder):
            self._leftover.append(folder)

    def tidy(self) -> None:
        """Remove what could not be removed before."""
        self._leftover = [folder for folder in self._leftover if not scratch.remove(folder)]

    def close(self) -> None:
        """Remove all; what cannot be goes when the next one is made, by whomever."""
        for folder in self.folders:
            scratch.remove(folder)
        self.folders, self._leftover = [], []
