"""The options of the commands about trainings: train, report, queue."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from mmgl.methods import METHODS, USUAL


def add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``mmgl train``."""
    methods = "\n".join(f"  {name:<14} {line}" for name, (_, _, line) in METHODS.items())
    train = commands.add_parser(
        "train",
        help="train a model on a study",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=f"methods:\n{methods}",
    )
    train.add_argument("study", type=Path, help="folder of the study")
    train.add_argument(
        "--method", default="", metavar="NAME", help=f"one of the methods below (default {USUAL}, or that of --again)"
    )
    budget = train.add_mutually_exclusive_group()
    budget.add_argument(
        "--time",
        default="quick",
        help="quick (15 min, default), standard (90 min), overnight (10 h), or until e.g. 07:00",
    )
    budget.add_argument("--minutes", type=finite, help="time to train")
    budget.add_argument("--steps", type=int, help="steps to train, over all stages; repeatable to the last digit")
    train.add_argument("--seed", type=int, default=0, help="of all that is left to chance (default 0)")
    train.add_argument("--device", default="auto", help="auto, cpu or cuda")
    train.add_argument("--name", type=_file_name, default="", help="of the model (default model-1, model-2, ...)")
    begin = train.add_mutually_exclusive_group()
    begin.add_argument(
        "--published", action="store_true", help="the network of the MMGL paper, and published learning rates"
    )
    begin.add_argument(
        "--again",
        nargs="?",
        const="latest",
        default="",
        metavar="MODEL",
        help="start from what the latest model has learned, or this one (a name or a file), with all cases and "
        "structures that the study has now",
    )
    begin.add_argument(
        "--planes",
        nargs="+",
        choices=["axial", "coronal", "sagittal"],
        default=[],
        help="slices to learn from and to segment in (default all that fit the scans)",
    )
    begin.add_argument(
        "--resume",
        action="store_true",
        help="go on, as it was begun, with the interrupted training called --name, or with the latest",
    )
    train.set_defaults(command="train")


def add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``mmgl report``."""
    report = commands.add_parser("report", help="write the report of a training, finished or not")
    report.add_argument("study", type=Path, help="folder of the study")
    report.add_argument("--name", type=_file_name, default="", help="of the training (default the latest)")
    report.add_argument("--output", type=Path, metavar="FILE", help="where to write it (default beside its model)")
    report.set_defaults(command="report")


def add_queue(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``mmgl queue``."""
    queue = commands.add_parser("queue", help="let trainings and other long work wait in line, one at a time")
    queue.set_defaults(command="queue_list")
    actions = queue.add_subparsers(title="actions", metavar="ACTION")
    show = actions.add_parser("list", help="list what waits, works and is done; also without any action")
    show.set_defaults(command="queue_list")
    add = actions.add_parser("add", help="put a command at the end, such as: mmgl queue add train heart --time 07:00")
    add.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="as after mmgl, with its options")
    add.set_defaults(command="queue_add")
    cancel = actions.add_parser("cancel", help="stop a job, which keeps what it has; a second time ends it at once")
    cancel.add_argument("number", type=int, help="as mmgl queue shows it")
    cancel.set_defaults(command="queue_cancel")
    clear = actions.add_parser("clear", help="take what is done off the list; results stay where they are")
    clear.set_defaults(command="queue_clear")


def finite(text: str) -> float:
    """Return a number that is neither infinite nor none at all."""
    value = float(text)
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a number of minutes")
    return value


def _file_name(text: str) -> str:
    """Return a name that a file can have, so that nothing is written outside the study."""
    if not text:
        return text
    from mmgl.study.cases import is_case_name

    if not is_case_name(text):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be the name of a file; use letters and numbers")
    return text
