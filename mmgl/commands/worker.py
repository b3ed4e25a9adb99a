"""``mmgl worker``: what a ``mmgl.jobs.Worker`` starts. It is not for people."""

from __future__ import annotations

import argparse
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from mmgl.files import read_json
from mmgl.jobs import scratch
from mmgl.jobs.exchange import ORDER, Wish, tell
from mmgl.messages import MMGLError, unwritable

if TYPE_CHECKING:
    from mmgl.inference.serving import Serving


def worker(options: argparse.Namespace) -> None:
    """Do one order after the other, until none comes for long or the process that gives them is gone."""
    orders: SimpleQueue[int] = SimpleQueue()
    alone = threading.Event()
    listener = threading.Thread(target=_listen, args=(_take_input(), options.folders, orders, alone), daemon=True)
    listener.start()
    try:
        _work(options.folders, orders, options.idle)
    finally:
        if alone.is_set():
            listener.join()  # it tidies up, and then ends this process


def _work(homes: Sequence[Path], orders: SimpleQueue[int], idle: float) -> None:
    """Do orders until none comes for long."""
    serving: Serving | None = None
    while True:
        try:
            number = orders.get(timeout=idle)
        except Empty:
            return
        folder = next((f for f in (home / f"order-{number}" for home in homes) if f.is_dir()), None)
        if folder is None:  # nobody wants to know any more
            continue
        try:
            wish = Wish.from_json(read_json(folder / ORDER))
            if serving is None:
                from mmgl.inference.serving import Serving

                serving = Serving()
            serving.serve(wish, folder)
        except MMGLError as error:
            _fail(folder, error)
        except OSError as error:
            _fail(folder, unwritable(error, None if error.filename else folder))


def _fail(folder: Path, error: MMGLError) -> None:
    """Tell why an order cannot be done, where somebody still wants to know."""
    if folder.is_dir():
        parameters = {k: v if isinstance(v, int | float) else str(v) for k, v in error.parameters.items()}
        tell(folder, "failed", key=error.key, parameters=parameters)


def _take_input() -> int:
    """Return a descriptor of the standard input that nobody else has, and leave an empty one in its place.

    On Windows libraries ask for the kind of the standard input when they are loaded, and that waits for as long as
    somebody reads from it.
    """
    own, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return own


def _listen(source: int, homes: Sequence[Path], orders: SimpleQueue[int], alone: threading.Event) -> None:
    """Pass on the numbers of orders, also while one is at work; end this process when nobody can give any more."""
    line = b""
    while data := os.read(source, 4096):
        *numbers, line = (line + data).split(b"\n")
        for number in filter(bytes.isdigit, numbers):
            orders.put(int(number))
    alone.set()
    scratch.leave(homes)
    os._exit(0)
