"""The command line, ``mmgl COMMAND``. Heavy imports happen only in the command that runs."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mmgl.commands.queue import COMMANDS as QUEUE_COMMANDS
from mmgl.commands.report import report
from mmgl.commands.study import COMMANDS as STUDY_COMMANDS
from mmgl.commands.study import pair
from mmgl.commands.train import STOPPED, run_train
from mmgl.messages import MMGLError, unwritable
from mmgl.options import build_parser

if TYPE_CHECKING:
    from mmgl.study import Study


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 a problem told in one line, 2 wrong usage, 130 stopped."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    try:
        status = int(COMMANDS[options.command](options) or 0)
        sys.stdout.flush()
        return status
    except MMGLError as error:
        print(f"mmgl: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # who reads has read enough; without this Python would fail once more when it flushes at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # what cannot be read is told by its reader and does not come here
        print(f"mmgl: {unwritable(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nmmgl: stopped", file=sys.stderr)
        return STOPPED


def _segment(options: argparse.Namespace) -> int:
    from mmgl.commands.segment import segment

    return segment(options)


def _worker(options: argparse.Namespace) -> None:
    from mmgl.commands.worker import worker

    worker(options)


def _next(options: argparse.Namespace) -> None:
    from mmgl.commands.next_scan import next_scan

    next_scan(options)


def _evaluate(options: argparse.Namespace) -> None:
    from mmgl.evaluation.folders import evaluate_folder, pair_files
    from mmgl.evaluation.table import as_text, write_csv

    for path in filter(None, (options.csv, options.report)):
        if path.exists():
            raise MMGLError("file.exists", path=path)
    structures = _values(options.structures or [])
    references = _references(options.references)
    scores = evaluate_folder(options.results, references, structures)
    print(as_text(scores))
    pairs = pair_files(options.results, references)
    for side, alone in (("reference", pairs.without_reference), ("result", pairs.without_result)):
        if alone:
            print(f"Not compared, without a {side}: {len(alone)} ({', '.join(alone[:3])}{', ...' * (len(alone) > 3)})")
    if options.csv:
        write_csv(options.csv, scores)
    if options.report:
        from mmgl.evaluation.folders import report_folder

        folders = options.results, references, options.images
        report_folder(options.report, scores, *folders, structures=structures)


def _references(path: Path) -> Path | Study:
    """Return the study in a folder, or the folder where it holds none."""
    from mmgl.study import Study
    from mmgl.study.study import FILE

    return Study.open(path) if (path / FILE).is_file() else path


def _values(texts: Sequence[str]) -> dict[int, str]:
    """Return names by the values they stand for: 1, 2, ... for plain names, or those written as ``VALUE=NAME``."""
    if not any("=" in text for text in texts):
        return dict(enumerate(texts, start=1))
    pairs = [pair(text) for text in texts]
    if any(not key.isdigit() for key, _ in pairs):
        raise MMGLError("structures.form", text=next(text for text in texts if not text.split("=")[0].isdigit()))
    return {int(key): name for key, name in pairs}


def _demo(options: argparse.Namespace) -> None:
    from mmgl.demo.demo import run_demo
    from mmgl.device import keep_memory

    keep_memory()
    run_demo(options.output, options.minutes, options.device)


COMMANDS: dict[str, Callable[[argparse.Namespace], int | None]] = {
    **STUDY_COMMANDS,
    **QUEUE_COMMANDS,
    "train": run_train,
    "report": report,
    "segment": _segment,
    "worker": _worker,
    "next": _next,
    "evaluate": _evaluate,
    "demo": _demo,
}

if __name__ == "__main__":
    sys.exit(main())
