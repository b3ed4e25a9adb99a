"""A process that stays: torch imported, the model on the device, ready for the next scan. Nothing here ever waits.

Orders go to its standard input, a number a line, and what it says comes through files, which can be looked at on every
system without waiting and without a thread. That input ends when this process does, however it does, and with it the
worker. A scan that is cancelled takes the process with it: that is certain, and a new one is made ready.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from mmgl.jobs.exchange import Wish, plain
from mmgl.jobs.homes import Homes
from mmgl.jobs.order import Order
from mmgl.jobs.process import end_now, start_alone

IDLE = 300.0
"""Seconds without an order after which the process ends, and with it what it holds of memory and graphics card."""

LOG = "log.txt"


class Worker:
    """Segments one scan after the other in a process of its own, started when it is first needed.

    Whoever made an order looks at it now and then (``Order.ended``); that is what moves all of them on.

    Args:
        command: returns what runs ``mmgl``, when a process is started.
        environment: returns the environment of the process.
        idle: seconds after which it ends when nothing is asked of it.
    """

    def __init__(
        self, command: Callable[[], Sequence[str]], environment: Callable[[], Mapping[str, str]], idle: float = IDLE
    ) -> None:
        self._command, self._environment, self._idle = command, environment, idle
        self._homes = Homes()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: list[Order] = []  # the first is at work, or will be
        self._ending: list[subprocess.Popen[bytes]] = []
        self._ready: tuple[str, str] | None = None
        self._count = self._logged = 0

    @property
    def pid(self) -> int | None:
        """The number of the process, None while there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def prepare(self, model: Path, device: str = "auto") -> None:
        """Have the process started and a model loaded on a device, so that the next order finds it ready."""
        self.poll()
        wanted = (str(model), device)
        coming = self._line[-1].wish if self._line else None
        if coming and (coming.model, coming.device) == wanted:
            return
        if not self._line and self._ready == wanted and self.pid is not None:
            return
        self._give_up(sent=False)  # another model was chosen before it was its turn
        self._place(Wish(*wanted), None)
        self.poll()

    def rest(self) -> None:
        """Give up what is being made ready, as no order will follow soon; what is ready stays so until ``idle``."""
        self.poll()
        self._give_up(sent=True)
        self.poll()

    def ask(
        self,
        voxels: np.ndarray[Any, Any],
        grid: Mapping[str, Any],
        model: Path,
        *,
        name: str,
        modality: str = "",
        device: str = "auto",
        settings: Mapping[str, Any] | None = None,
    ) -> Order:
        """Have a scan segmented; its turn comes after those that were asked for before.

        Args:
            voxels: (channels, z, y, x), written to a private file before this returns.
            grid: ``spacing``, ``origin`` and ``directions``, as in ``mmgl.imaging.grid.Grid``.
            model: the ``.mmgl`` file.
            name: of the scan, for messages.
            modality: as in ``mmgl.imaging.scan.Scan``.
            device: ``auto``, ``cpu`` or ``cuda``.
            settings: as in ``mmgl.inference.settings.Settings``.

        Raises:
            MMGLError: ``worker.refused`` when it is not a scan or not a setting, ``file.unwritable``.
        """
        voxels = voxels.astype(voxels.dtype.newbyteorder("="), copy=False)
        place = {part: plain(grid[part]) for part in ("spacing", "origin", "directions")}
        scan = {"shape": list(voxels.shape), "kind": voxels.dtype.name, **place, "modality": modality}
        wish = Wish(str(model), device, name, scan, {key: plain(value) for key, value in (settings or {}).items()})
        order = self._place(Wish.from_json(wish.to_json()), voxels)
        ahead = any(other.wish.scan is not None for other in self._line[:-1])
        order.add("progress.waiting" if ahead else "progress.starting")
        self.poll()
        return order

    def poll(self) -> None:
        """Look at what has happened, and hand over what comes next; returns at once."""
        self._tidy()
        while self._line:
            order = self._line[0]
            if not order.sent:
                self._send(order)
                return
            code = self._process.poll() if self._process is not None else None  # before its last words are read
            order.read()
            if not order.check():
                self._end(order, "died")
                self._kill()
            elif not order.over and code is None:
                return
            elif not order.over and code == 0 and order.sent == 1:
                self._drop()  # it had just gone for want of work
                self._send(order)
                return
            else:
                self._end(order, order.state if order.over else "died")

    def cancel(self, order: Order) -> None:
        """End an order now. Where the process was at it, another one is made ready for the same model."""
        self.poll()
        if order.over:
            return
        worked = order.sent > 0
        self._end(order, "cancelled")
        if worked:
            self._kill()
            self.prepare(Path(order.wish.model), order.wish.device)
        self.poll()

    def forget(self, order: Order) -> None:
        """End an order, if need be, and remove its files."""
        if not order.over:
            if order.sent:
                self._kill()
            self._end(order, "cancelled")
        self._homes.remove(order.folder)

    def close(self) -> None:
        """End the process and all orders, and remove every file; another order may follow."""
        for order in list(self._line):
            self._end(order, "cancelled")
        self._kill()
        for process in self._ending:
            with suppress(subprocess.TimeoutExpired):  # its folder goes when the next one is made
                process.wait(timeout=10)
        self._tidy()
        self._homes.close()

    def log(self) -> str:
        """Return what the process has printed since its order was handed over."""
        if not self._homes.complete or not (self._homes.disk / LOG).exists():
            return ""
        with (self._homes.disk / LOG).open("rb") as file:
            file.seek(self._logged)
            return file.read().decode("utf-8", errors="replace")

    def _place(self, wish: Wish, voxels: np.ndarray[Any, Any] | None) -> Order:
        """Return a new order at the end of the line."""
        if not self._homes.complete:
            self._kill()
            self._homes.make()
        self._count += 1
        folder = self._homes.write(f"order-{self._count}", wish, voxels)
        order = Order(self._count, folder, wish, self)
        self._line.append(order)
        return order

    def _give_up(self, *, sent: bool) -> None:
        """End the orders that only make a model ready; those that a process is at only where ``sent``."""
        for order in [other for other in self._line if other.wish.scan is None and (sent or not other.sent)]:
            self._end(order, "cancelled")
            if order.sent:
                self._kill()

    def _send(self, order: Order) -> None:
        """Hand an order over, to a new process where there is none."""
        if self.pid is None:
            self._start()
        if self._process is None or self._process.stdin is None:
            self._end(order, "died")
            return
        order.sent, order.state = order.sent + 1, "working"
        self._logged = (self._homes.disk / LOG).stat().st_size
        with suppress(OSError):  # it has just ended; the next look will tell
            self._process.stdin.write(b"%d\n" % order.number)

    def _start(self) -> None:
        """Start a process."""
        self._drop()
        disk, folders = self._homes.disk, map(str, self._homes.folders)
        command = [*self._command(), "worker", *folders, "--idle", str(self._idle)]
        with suppress(OSError):  # the program is not there
            self._process = start_alone(command, disk / LOG, self._environment(), folder=disk, listens=True)

    def _end(self, order: Order, state: str) -> None:
        """Take an order out of the line."""
        if order.sent:
            order.log = self.log()
        order.state = state
        self._line = [other for other in self._line if other is not order]
        if state == "done":
            self._ready = (order.wish.model, order.wish.device)
        if order.wish.scan is None:
            self._homes.remove(order.folder)
        if self._process is not None and self._process.poll() is not None:
            self._drop()

    def _kill(self) -> None:
        """End the process at once."""
        if self._process is not None:
            end_now(self._process)
            self._drop()

    def _drop(self) -> None:
        """Let go of a process that has ended or is ending."""
        if self._process is not None:
            self._ending.append(self._process)
        self._process = self._ready = None

    def _tidy(self) -> None:
        """Close what belonged to processes that are gone, and remove what they held."""
        for process in self._ending:
            if process.poll() is not None and process.stdin is not None:
                process.stdin.close()
        self._ending = [process for process in self._ending if process.poll() is None]
        self._homes.tidy()
