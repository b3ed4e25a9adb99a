"""Read thousands of hostile files of every kind that comes from others, and look whether each is read or refused.

    python benchmarks/reliability/fuzz.py --cases 10000

A good file is changed at random (bytes turned, cut, doubled; numbers of its header made huge, negative or none; values
of its JSON made anything at all) and opened as MMGL would open it, in a process of its own for every few hundred.
A case is wrong when anything but a reading or an ``MMGLError`` comes of it: another exception, a crash, more than 20
seconds, more than 1.5 GB. Wrong too is a file that appears or changes beside the one that is read. Prints how many were
read and refused for each kind, then one line for each wrong case with the number that makes it again (``--only``), and
ends with status 1 if there are any.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from mmgl.data.plan import Normalisation, Plan
from mmgl.imaging.reading import read_header, read_scan
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.jobs import Job
from mmgl.messages import MMGLError
from mmgl.model import Card, write_model
from mmgl.study import Study
from mmgl.study.checks import check

SPAWN = multiprocessing.get_context("spawn")
PORTION = 250
SECONDS = 20.0
MEMORY = 1.5e9
ODD = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "x" * 10_000, "../../x")
OTHERS = (None, True, [], {}, [[]], {"a": {}}, "0", "\x00", "/etc/passwd", "..", "<b>", "\ud800")


def main() -> int:
    """Run all cases and say what came of them."""
    options = _options()
    numbers = range(options.only, options.only + 1) if options.only is not None else range(options.cases)
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
        while todo:
            try:
                outcome = ours.recv() if ours.poll(SECONDS + (60 if todo[0] == numbers[0] else 0)) else None
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
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what ITK's libraries print, too
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
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


def make_good_files(folder: Path) -> None:
    """Write one good file of each kind."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    scan = sitk.GetImageFromArray(generator.normal(100, 20, (6, 20, 18)).astype(np.int16))
    label = sitk.GetImageFromArray((generator.random((6, 20, 18)) > 0.7).astype(np.uint8))
    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha"):
        sitk.WriteImage(scan, str(folder / f"scan{suffix}"))
        sitk.WriteImage(label, str(folder / f"label{suffix}"), useCompression=suffix != ".nii")
    study = Study.create(folder / "study")
    study.add_structure("Heart", (200, 30, 30))
    for number in range(3):
        sitk.WriteImage(scan, str(folder / f"case-{number}.nii.gz"))
        study.add_case(folder / f"case-{number}.nii.gz", label=folder / "label.nii.gz", meanings={"1": "Heart"})
    study.save()
    plan = Plan((None, 1.0, 1.0), ("axial",), 32, (Normalisation("scan"),), width=4, levels=2)
    from mmgl.inference.predictor import network_of

    card = Card("model", tuple(study.structures), plan, "mmgl", {"labelled": 3}, {"Heart": 0.9}, {"mmgl": "1"}, "2026")
    write_model(
        folder / "model.mmgl", card, {name: array.numpy() for name, array in network_of(card).state_dict().items()}
    )
    events = [{"time": 1.0 * n, "event": "step", "step": n, "steps": 9, "loss": {"a": 0.5}} for n in range(9)]
    (folder / "run").mkdir()
    (folder / "run" / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n", encoding="utf-8")
    status = {"state": "running", "process": {"pid": 1, "born": 1.0}, "time": 1.0, "step": 3, "seconds_left": 5.0}
    (folder / "run" / "status.json").write_text(json.dumps(status), encoding="utf-8")


def read_model_file(folder: Path) -> None:
    """Load a model as it is loaded to segment."""
    from mmgl.inference.predictor import Predictor

    Predictor(folder / "model.mmgl", "cpu")


def read_study(folder: Path) -> None:
    """Open a study, check it and save it again."""
    study = Study.open(folder / "study")
    check(study)
    study.save()


def read_job(folder: Path) -> None:
    """Follow a run."""
    job = Job(folder / "run")
    job.poll()
    job.look()
    job.log_tail()


def read_image_file(folder: Path) -> None:
    """Read a scan or a label as both."""
    (path,) = folder.iterdir()
    errors = []
    for reader in (read_header, read_scan, read_segmentation):
        try:
            reader(path)
        except MMGLError as error:
            errors.append(error)
    if len(errors) == 3:
        raise errors[0]


READERS: dict[str, Callable[[Path], None]] = {
    "model": read_model_file,
    "study": read_study,
    "run": read_job,
    "image": read_image_file,
}


def hostile(folder: Path, kind: str, chance: random.Random) -> Path:
    """Return a folder with a changed copy of the good file of a kind."""
    good, place = folder / "good", folder / "read" / f"{chance.random()}"
    if kind == "image":
        name = chance.choice(sorted(p.name for p in good.iterdir() if p.name.startswith(("scan", "label"))))
        data = (good / name).read_bytes()
    else:
        name = {"model": "model.mmgl", "study": "study/study.json", "run": "run/events.jsonl"}[kind]
        if kind == "run" and chance.random() < 0.5:
            name = "run/status.json"
        data = (good / name).read_bytes()
    (place / name).parent.mkdir(parents=True)
    (place / name).write_bytes(change(data, name, chance))
    return place


def change(data: bytes, name: str, chance: random.Random) -> bytes:
    """Return bytes that were changed as a damaged disk or an enemy would."""
    if name.endswith(".mmgl") and chance.random() < 0.8:
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        if chance.random() < 0.3:
            header = _odd_json(header, chance)
        else:
            card = _odd_json(json.loads(header["__metadata__"]["card"]), chance)
            header["__metadata__"]["card"] = json.dumps(card)
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]
    if name.endswith(".json") and chance.random() < 0.8:
        return json.dumps(_odd_json(json.loads(data), chance)).encode()
    if name.endswith((".nrrd", ".mha")) and chance.random() < 0.6:
        return _odd_text(data, chance)
    return _odd_bytes(data, chance)


def _odd_json(value: Any, chance: random.Random) -> Any:
    """Return a value of JSON in which one to three parts are others, gone or many."""
    value = json.loads(json.dumps({"all": value}))
    for _ in range(chance.randint(1, 3)):
        holder, key = chance.choice(list(_parts(value)))
        what = chance.randrange(6)
        if what == 0:
            del holder[key]
        elif what == 1 and isinstance(holder[key], list):
            holder[key] *= 50
        else:
            holder[key] = copy.deepcopy(chance.choice([*ODD, *OTHERS]))
        if "all" not in value:
            return None
    return value["all"]


def _parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each part of a value of JSON as its holder and its key in it."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from _parts(value[key])


def _odd_text(data: bytes, chance: random.Random) -> bytes:
    """Return the bytes of a file with some numbers of its text header made odd."""
    stop = max(data.find(b"\n\n"), data.find(b"ElementDataFile"))
    numbers = list(re.finditer(rb"-?\d+(\.\d+)?", data[:stop]))
    for match in sorted(chance.sample(numbers, min(len(numbers), chance.randint(1, 3))), key=lambda m: -m.start()):
        data = data[: match.start()] + str(chance.choice(ODD[:11])).encode() + data[match.end() :]
    return data


def _odd_bytes(data: bytes, chance: random.Random) -> bytes:
    """Return bytes some of which are turned, cut, doubled or put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(min(len(changed), 400) if chance.random() < 0.6 else len(changed)) if changed else 0
        what = chance.randrange(5)
        if what == 0 and changed:
            changed[place] = chance.randrange(256)
        elif what == 1:
            del changed[place : place + chance.randint(1, 64)]
        elif what == 2:
            changed[place:place] = changed[place : place + 64]
        elif what == 3:
            changed[place : place + 4] = chance.choice([b"\xff" * 4, b"\x7f" * 4, b"\0" * 4, b"\x80\0\0\0"])
        elif chance.random() < 0.2:
            del changed[place:]
    return bytes(changed)


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
    parser.add_argument("--only", type=int, help="the number of one case")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
