"""A study made ready for another computer: one folder with all that a training needs, and nothing that tells of whom.

Scans and labels are written anew, so that no header comes along; cases and patients get numbers. The names of the
structures and the voxels stay as they are. MMGL itself is in the folder too, so that the other computer needs no more
than Python and a few packages.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

import mmgl
from mmgl.files import replacing, write_text
from mmgl.imaging.scan_files import scan_suffix, write_scan
from mmgl.imaging.segmentation_files import write_labelmap
from mmgl.messages import MMGLError
from mmgl.model import Card, read_model
from mmgl.study.cases import BACKGROUND, NOT_LABELLED, Case, Image, Label
from mmgl.study.checks import Severity
from mmgl.study.study import Study
from mmgl.study.voxels import read_painted

README = """\
A study for MMGL {version}, ready to train on this computer. Nothing has to be installed but Python 3.10 or newer and

    pip install torch numpy scipy SimpleITK safetensors

(and monai for the methods mcsc and cross-teaching). Train, with a graphics card if there is one:

    python train.py --time overnight

With several cards:          torchrun --nproc-per-node=4 train.py --time overnight
After an interruption:       python train.py --resume
All options:                 python train.py --help

The model is the file study/models/model-1.mmgl. Bring it back to the computer the study came from, and there:

    mmgl study add-model STUDY model-1.mmgl

What is in this folder: {cases} scans, {labelled} of them labelled; the names, colours and codes of the structures
({structures}); and MMGL (Apache 2.0). There are no names of patients, files or users, no dates and no paths.
case-001 is the first case of the study it was made of, in its order. The images themselves were not changed: those of
a head can show a face.
"""

TRAIN = '''\
"""Train on the study in this folder: python train.py; see README.txt."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from mmgl.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(["train", str(HERE / "study"), *sys.argv[1:]]))
'''


def pack(study: Study, folder: Path, on_progress: Callable[[int, int], None] | None = None) -> Study:
    """Write a folder with which another computer can train on a study, and return the study in it.

    Cases that are left out are left out. The folder's README says how to train; it is written last.

    Args:
        folder: new, or empty.
        on_progress: is told how many cases are done, and of how many.

    Raises:
        MMGLError: ``file.exists``, ``study.no_labels``, ``check.failed`` where training would refuse the study, or what
            reading and writing the scans raises.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MMGLError("file.exists", path=folder)
    if not study.labelled:
        raise MMGLError("study.no_labels")
    findings = study.check()
    if failed := [finding for finding in findings if finding.severity is Severity.ERROR]:
        raise MMGLError("check.failed", count=len(failed), words=failed[0].words)
    used = [*study.labelled, *study.unlabelled, *study.checks]
    patients = list(dict.fromkeys(case.patient for case in study.cases))
    packed = replace(study, folder=folder / "study", cases=())
    for number, case in enumerate(study.cases, start=1):
        if case in used:
            patient = f"patient-{patients.index(case.patient) + 1:03}"
            packed.cases += (_copied(study, case, f"case-{number:03}", patient, packed.folder),)
            if on_progress:
                on_progress(len(packed.cases), len(used))
    packed.save()
    _copy_program(folder)
    names = ", ".join(structure.name for structure in study.structures)
    counts = {"cases": len(packed.cases), "labelled": sum(case.label is not None for case in packed.cases)}
    write_text(folder / "train.py", TRAIN)
    write_text(folder / "README.txt", README.format(version=mmgl.__version__, structures=names, **counts))
    return packed


def add_model(study: Study, file: Path) -> tuple[Path, Card]:
    """Copy a model that was trained elsewhere into a study, under a free name; return where it is, and its card.

    Raises:
        MMGLError: ``file.missing``, ``model.invalid``, ``model.changed`` or ``file.newer``.
    """
    card, _ = read_model(file)
    folder, number = study.folder / "models", 1
    while (target := folder / f"{file.stem}{f'-{number}' if number > 1 else ''}.mmgl").exists():
        number += 1
    with replacing(target) as temporary:
        shutil.copyfile(file, temporary)
    return target, card


def _copied(study: Study, case: Case, name: str, patient: str, folder: Path) -> Case:
    """Return a case whose scan and label are in ``folder``, without anything else that their files said."""
    scan = study.read_scan(case)
    image = folder / "scans" / f"{name}{scan_suffix(scan)}"
    image.parent.mkdir(parents=True, exist_ok=True)
    write_scan(image, scan)
    label = None
    if case.label:
        painted, _ = read_painted(case, study.structures)
        path = folder / "labels" / f"{name}{'.png' if scan_suffix(scan) == '.png' else '.nrrd'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_labelmap(path, painted, scan.grid)
        meant = dict(enumerate([*(s.id for s in study.structures), BACKGROUND, NOT_LABELLED], start=1))
        meanings = {str(value): meant[value] for value in np.unique(painted).tolist() if value}
        label = Label(path, meanings, dict(case.label.extents))
    return Case(name, patient, (Image(image),), label, case.use)


def _copy_program(folder: Path) -> None:
    """Copy MMGL as it runs here."""
    program = Path(mmgl.__file__).parent
    for file in sorted(program.glob("**/*.py")):
        target = folder / "mmgl" / file.relative_to(program)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
