"""Read thousands of hostile files of every kind that comes from others, and look whether each is read or refused.

    python benchmarks/reliability/fuzz.py --cases 10000

A good file is changed at random (bytes turned, cut, doubled; numbers of its header made huge, negative or none; values
of its JSON made anything at all) and opened as MMGL would open it, in a process of its own for every few hundred.
A case is wrong when anything but a reading or an ``MMGLError`` comes of it: another exception, a crash, more than a
minute, more than 1.5 GB. Wrong too is a file that appears or changes beside the one that is read. Prints how many were
read and refused for each kind, then one line for each wrong case with the number that makes it again (``--first NUMBER
--cases 1``), and ends with status 1 if there are any. How far it is goes to the error output.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import SimpleITK as sitk
from hostile import READERS, hostile, make_good_files

from mmgl.messages import MMGLError

SPAWN = multiprocessing.get_context("spawn")
PORTION = 250
SECONDS, START = 60.0, 600.0
"""How long a case may take, some hundredths of a second as a rule, and the start of a process on a busy computer."""

MEMORY = 1.5e9


def main() -> int:
    """Run all cases and say what came of them."""
    options = _options()
    numbers = range(options.first, options.first + options.cases)
    found: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_good_files(folder / "good")
        before = _fingerprint(folder / "good")
        for first in range(numbers.start, numbers.stop, PORTION):
            for outcome in _portion(folder, range(first, min(first + PORTION, numbers.stop))):
                found[outcome[1], outcome[2]] += 1
                if outcome[2] == "WRONG":
                    wrong.append(f"{outcome[0]} {outcome[1]}: {outcome[3]}")
            print(f"{len(wrong)} wrong up to {min(first + PORTION, numbers.stop) - 1}", file=sys.stderr, flush=True)
        if _fingerprint(folder / "good") != before or sorted(p.name for p in folder.iterdir()) != ["good", "read"]:
            wrong.append("a file that was not the one being read has changed")
    for (kind, what), count in sorted(found.items()):
        print(f"{kind:>8} {what:>8} {count:6}")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


def _portion(folder: Path, numbers: range) -> Iterator[tuple[int, str, str, str]]:
    """Yield what came of some cases; a case that takes the process with it is wrong, and the next process goes on."""
    todo = list(numbers)
    while todo:
        ours, theirs = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=_run, args=(folder, todo, theirs))
        process.start()
        theirs.close()
        ours.poll(START)
        ours.recv()  # it is ready
        while todo:
            try:
                outcome = ours.recv() if ours.poll(SECONDS) else None
            except EOFError:
                outcome = (todo[0], _kind(todo[0]), "WRONG", "it crashed")
            if outcome is None:
                outcome = (todo[0], _kind(todo[0]), "WRONG", f"it took more than {SECONDS:g} s")
            todo.pop(0)
            yield outcome
            if outcome[2] == "WRONG" and outcome[3].startswith("it "):
                break
        process.kill()
        process.join()
        ours.close()


def _run(folder: Path, numbers: list[int], pipe: multiprocessing.connection.Connection) -> None:
    """Read hostile files and send what came of each."""
    for output in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), output)  # what ITK's libraries print, too
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    import mmgl.inference.predictor  # noqa: F401  so that no case has to wait for torch

    pipe.send("ready")
    for number in numbers:
        kind = _kind(number)
        try:
            READERS[kind](hostile(folder, kind, random.Random(number)))
            what, why = "read", ""
        except MMGLError:
            what, why = "refused", ""
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            what, why = "WRONG", f"{type(error).__name__}: {error!s:.100} ({place.filename}:{place.lineno})"
        if _peak() > MEMORY:
            what, why = "WRONG", f"it needed {_peak() / 1e9:.1f} GB"
        pipe.send((number, kind, what, why))


def _kind(number: int) -> str:
    return tuple(READERS)[number % len(READERS)]


def _fingerprint(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in files)).hexdigest()


def _peak() -> float:
    """Return the most memory in bytes that this process had."""
    if sys.platform == "win32":
        return 0.0  # measured on the others
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
