"""Reading the events of a job while they are written, from where one left off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Event = dict[str, Any]

MOST = 4 * 1024 * 1024
"""Bytes read at once, so that a front end is never held up; the rest comes with the next call."""


class Follower:
    """Reads the whole lines that were added to ``events.jsonl`` since the last call.

    A line that is still being written is left for the next call. A line that is no event (cut off when its writer was
    killed, or damaged) is passed over.

    Args:
        file: need not exist yet.
        offset: bytes that were read before; keep ``offset`` to go on in another process.
    """

    def __init__(self, file: Path, offset: int = 0) -> None:
        self.file, self.offset = file, offset

    def read(self, most: int = MOST) -> list[Event]:
        """Return the events that are new, at most ``most`` bytes of them, which must be longer than any one event."""
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                data = file.read(most)
        except OSError:  # not there yet, or its drive is away for a moment
            return []
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == most:
            whole = most  # no event is that long: what is damaged must not stop all that follows
        self.offset += whole
        return [event for line in data[:whole].split(b"\n") if (event := _event(line))]


def _event(line: bytes) -> Event | None:
    """Return the event in a line, or None where there is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
