"""What is due again after some seconds."""

from __future__ import annotations

import time


class Clock:
    """What is due, since it was made."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._last: dict[str, float] = {}

    def due(self, what: str, seconds: float) -> bool:
        """Return whether ``seconds`` have passed since ``what`` was last due (or since the start)."""
        now = time.monotonic()
        if now - self._last.get(what, self._start) < seconds:
            return False
        self._last[what] = now
        return True
