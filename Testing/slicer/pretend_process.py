"""A process that only pretends to segment, and speaks as the worker does."""

from __future__ import annotations

import sys
from pathlib import Path


class PretendProcess:
    """Takes the place of the Python that runs ``-m mmgl worker``: answers at once, or when the test says so."""

    SCRIPT = """
import os, pathlib, sys, time
import numpy as np
from mmgl.files import read_json
from mmgl.jobs.exchange import LABELMAP, ORDER, Wish, tell, voxels_of, write_array
behaviour = pathlib.Path(__file__).with_suffix(".txt")
for line in sys.stdin:
    folder = next(home for path in sys.argv[2:-2] if (home := pathlib.Path(path) / f"order-{int(line)}").is_dir())
    wish = Wish.from_json(read_json(folder / ORDER))
    if wish.scan is None:
        tell(folder, "ready")
        continue
    while (told := behaviour.read_text(encoding="utf-8")) == "wait":
        time.sleep(0.02)
    tell(folder, "fit", findings=[])
    tell(folder, "progress", stage="progress.segmenting", share=0.5, seconds_left=7.0)
    print("Loading", flush=True)
    if told == "constant":
        tell(folder, "failed", key="scan.constant", parameters={"path": wish.name, "value": 3.0})
        continue
    if told.startswith("say "):
        print(told[4:], file=sys.stderr)
        sys.exit(1)
    if told == "die":
        os._exit(-9)
    voxels = voxels_of(wish, folder)[0]
    labelmap = ((voxels > 500) * 1 + (voxels > 900) * (told == "both")).astype(np.uint8)
    write_array(folder / LABELMAP, labelmap)
    grid = {name: wish.scan[name] for name in ("spacing", "origin", "directions")}
    lists = dict(structures=[], slices=[], findings=[])
    told = dict(shape=list(labelmap.shape), kind="uint8", grid=grid, doubt_map=False, seconds=0.1)
    tell(folder, "done", **told, **lists)
"""

    def __init__(self, folder: Path) -> None:
        self._script = Path(folder) / "pretend.py"
        self._script.write_text(self.SCRIPT, encoding="utf-8")
        self.will("both")

    def will(self, behaviour: str) -> None:
        """Say what it does: ``wait``, ``both``, ``one``, ``constant``, ``die``, or ``say WORDS`` and end."""
        temporary = self._script.with_suffix(".new")
        temporary.write_text(behaviour, encoding="utf-8")
        temporary.replace(self._script.with_suffix(".txt"))

    def launcher(self) -> list[str]:
        """Return what runs instead of Python."""
        return [sys.executable, str(self._script)]
