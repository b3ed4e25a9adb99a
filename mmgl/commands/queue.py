"""``mmgl queue``: commands that wait in line, one at a time, and go on without this terminal."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable
from pathlib import Path

from mmgl.jobs import Queue, Turn
from mmgl.messages import MMGLError

LONG = ("train", "segment", "next", "evaluate", "demo")
"""Commands worth waiting for."""

STATES = {
    "waiting": "waits",
    "starting": "begins",
    "running": "works",
    "stalled": "is silent",
    "finished": "done",
    "stopped": "stopped",
    "failed": "failed",
    "lost": "interrupted",
}


def _add(options: argparse.Namespace) -> None:
    """Put a command at the end of the queue, after a check that it can be understood."""
    from mmgl.options import build_parser

    words = list(options.words)
    if not words or words[0] not in LONG:
        raise MMGLError("queue.command", command=" ".join(words))
    asked = build_parser().parse_args(words)  # a mistake is told now, and not in the night
    queue = Queue()
    folder, words = _folder(asked, words, queue)
    queue.add(folder, words, place=Path.cwd())
    waiting = sum(turn.state != "over" for turn in queue.turns())
    print(f"Queued as number {len(queue.turns())}: mmgl {shlex.join(words)}")
    print("It begins now." if waiting == 1 else f"{waiting - 1} before it. See how they are with: mmgl queue")


def _folder(asked: argparse.Namespace, words: list[str], queue: Queue) -> tuple[Path, list[str]]:
    """Return the folder of the job's record, and its command, which says so where it must."""
    if asked.command == "train":
        return _run_folder(asked, words, queue)
    own = queue.folder / "jobs" / f"{time.time_ns():020d}"
    if asked.command == "segment":
        return (asked.record.absolute(), words) if asked.record else (own, [*words, "--record", str(own)])
    return own, words


def _run_folder(asked: argparse.Namespace, words: list[str], queue: Queue) -> tuple[Path, list[str]]:
    """Return the folder of a training, whose name is decided now, and its command."""
    from mmgl.study import Study
    from mmgl.study.trained import free_name

    study = Study.open(asked.study).folder
    runs = study / "runs"
    if asked.resume:
        from mmgl.commands.train import interrupted

        name = interrupted(study, asked.name)
        return runs / name, words if asked.name else [*words, "--name", name]
    if any(turn.state != "over" and turn.folder == runs / asked.name for turn in queue.turns()):
        raise MMGLError("queue.name", name=asked.name)
    if asked.name:
        return runs / asked.name, words
    name = free_name(study)
    return runs / name, [*words, "--name", name]


def _list(options: argparse.Namespace) -> None:
    """Print the queue, and make sure that somebody works at it: a computer that was off has forgotten."""
    queue = Queue()
    queue.ensure_worker()
    turns = queue.turns()
    if not turns:
        print("The queue is empty. Put something into it with: mmgl queue add train STUDY --time overnight")
    for number, turn in enumerate(turns, start=1):
        look = turn.look()
        share = look.status.get("share")
        far = f" {share:.0%}" if look.works and isinstance(share, int | float) else ""
        print(f"{number:>3}  {STATES.get(look.state, look.state) + far:<12} mmgl {shlex.join(turn.arguments)}")
        if look.words and not look.works:
            print(f"     {look.words}")


def _cancel(options: argparse.Namespace) -> None:
    """Take a job back."""
    queue = Queue()
    turns = queue.turns()
    if not 1 <= options.number <= len(turns):
        raise MMGLError("queue.number", number=options.number)
    turn: Turn = turns[options.number - 1]
    if turn.state == "over":
        print(f"Number {options.number} is over already.")
    elif queue.cancel(turn):
        print(f"Number {options.number} stops and keeps what it has. Once more ends it at once.")
    else:
        print(f"Number {options.number} will not begin.")


def _clear(options: argparse.Namespace) -> None:
    """Take what is over off the list."""
    queue = Queue()
    over = [turn for turn in queue.turns() if turn.state == "over"]
    for turn in over:
        queue.forget(turn)
    print(f"{len(over)} taken off the list; what they made stays where it is.")


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "queue_list": _list,
    "queue_add": _add,
    "queue_cancel": _cancel,
    "queue_clear": _clear,
}
