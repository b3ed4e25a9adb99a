"""Good files of every kind that comes from others, how each is opened, and what damage or an enemy makes of it."""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
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
from mmgl.report.run_report import write_run_report
from mmgl.study import Study
from mmgl.study.checks import check

ODD = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 0.5, 1e308, float("nan"), float("inf"), "", "x" * 10_000, "../../x")
OTHERS = (None, True, [], {}, [[]], {"a": {}}, "0", "\x00", "/etc/passwd", "..", "<b>", "\ud800")
RUN = "study/runs/run"


def make_good_files(folder: Path) -> None:
    """Write one good file of each kind."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    scan = sitk.GetImageFromArray(generator.normal(100, 20, (6, 20, 18)).astype(np.int16))
    label = sitk.GetImageFromArray((generator.random((6, 20, 18)) > 0.7).astype(np.uint8))
    for suffix in (".nii", ".nii.gz", ".nrrd", ".mha"):
        sitk.WriteImage(scan, str(folder / f"scan{suffix}"))
        sitk.WriteImage(label, str(folder / f"label{suffix}"), useCompression=suffix != ".nii")
    picture = sitk.Cast(scan[:, :, 3], sitk.sitkUInt8)
    for suffix in (".png", ".jpg"):
        sitk.WriteImage(picture, str(folder / f"scan{suffix}"))
    sitk.WriteImage(scan[:, :, 3:4], str(folder / "scan.dcm"))
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
    _make_good_run(folder / "study" / "runs" / "run", plan)


def _make_good_run(folder: Path, plan: Plan) -> None:
    """Write what a training of nine steps writes."""
    folder.mkdir(parents=True)
    about = {"stage": "segmentation", "number": 1, "stages": 1, "steps": 9}
    events: list[dict[str, Any]] = [{"time": 0.0, "event": "stage", **about}]
    events += [{"time": 1.0 * n, "event": "step", **about, "step": n, "loss": {"a": 0.5}} for n in range(9)]
    events.append({"time": 9.0, "event": "check", **about, "step": 9, "dice": [0.5]})
    events.append({"time": 9.0, "event": "preview", "file": "previews/segmentation-0000009.png", "case": "case-2"})
    (folder / "events.jsonl").write_text("\n".join(map(json.dumps, events)) + "\n", encoding="utf-8")
    status = {"state": "running", "pid": 1, "born": "1.0", "beat": 1.0, "step": 3, "seconds_left": 5.0}
    cases = {"train": ["case-0", "case-1"], "check": ["case-2"], "labelled": ["case-0"], "seen": []}
    asked = {"method": "supervised", "seed": 0, "steps": 9, "minutes": None, "until": None, "structures": [1]}
    config = {**asked, "plan": plan.to_json(), "voxels": 9.0, "cases": cases, "versions": {"mmgl": "1"}, "start": None}
    findings = [{"key": "verdict.self", "parameters": {"case": "case-0", "dice": 0.2}}]
    verdict = {"model": "run.mmgl", "findings": findings, "use": "run", "dice": [[0.5]]}
    for name, content in (("status", status), ("config", config), ("verdict", verdict)):
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


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
    """Follow a run, and write its report."""
    job = Job(folder / RUN)
    job.poll()
    job.look()
    job.log_tail()
    write_run_report(folder / RUN, (), folder / "report.html")


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
    if kind == "run":
        shutil.copytree(good / RUN, place / RUN)
    names = {
        "model": ["model.mmgl"],
        "study": ["study/study.json"],
        "run": [f"{RUN}/{name}" for name in ("events.jsonl", "status.json", "config.json", "verdict.json")],
        "image": sorted(p.name for p in good.iterdir() if p.name.startswith(("scan", "label"))),
    }
    name = chance.choice(names[kind])
    data = (good / name).read_bytes()
    (place / name).parent.mkdir(parents=True, exist_ok=True)
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
