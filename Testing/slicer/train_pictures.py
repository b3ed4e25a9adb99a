"""Makes the pictures of the sections Train and Models: with a real training on real scans, in each state.

python Testing/slicer/train_pictures.py IMAGES LABELS FOLDER [STEPS]

FOLDER keeps the study, so that pictures can be made again without training again.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bench  # noqa: F401
import slicer
from bench.pictures import of_widget, save
from trainings import Logic, open_section

from mmgl.study import Study, add_folder

VALUES = {
    "acdc": {"1": "Right ventricle", "2": "Myocardium", "3": "Left ventricle"},
    "hippocampus": {"1": "Anterior", "2": "Posterior"},
}


def study_of(images: Path, labels: Path, folder: Path) -> Study:
    """Return a study of six labelled and nine unlabelled scans, made where it is not there yet."""
    if (folder / "study.json").exists():
        return Study.open(folder)
    study = Study.create(folder)
    names = sorted(path.name.split(".")[0] for path in images.iterdir())
    meanings = VALUES.get(images.parent.name)
    add_folder(study, images, labels, meanings=meanings, only=names[:6])
    add_folder(study, images, only=names[6:15])
    study.split_checks()
    study.save()
    return study


def wait(condition) -> None:
    """Let events run until something holds."""
    while not condition():
        slicer.app.processEvents()
        time.sleep(0.02)


def main(images: Path, labels: Path, folder: Path, steps: int) -> None:
    """Go through both sections as a user does, and take a picture at each step."""
    study = study_of(images, labels, folder / "Hearts")
    logic = Logic()
    logic.startTraining = lambda study, **asked: Logic.startTraining(logic, study, **{**asked, "steps": steps})
    train = open_section("TrainSection", logic)
    train.follow(study)
    asked = {"severity": "question", "key": "check.gaps", "case": study.cases[1].name}
    words = f"In {study.cases[1].name} only some slices are painted (6 of 10); the others are taken as not labelled."
    logic.desk = type("Desk", (), {"open_findings": lambda self: [{**asked, "words": words}]})()
    train.follow(study)
    wait(lambda: "core" in train.ui.deviceLabel.text or "GB" in train.ui.deviceLabel.text)
    save(folder / "train 1 before.png", of_widget(train.form))
    if not train.training:
        train.ui.trainButton.click()
    if train.busy:
        wait(lambda: train.training.story.of)
        save(folder / "train 2 preparing.png", of_widget(train.form))
        wait(lambda: len(train.training.story.checks) >= 4 or not train.training.works)
        save(folder / "train 3 training.png", of_widget(train.form))
    wait(lambda: not train.training.works)
    save(folder / "train 4 done.png", of_widget(train.form))
    train.ui.timeSlider.value = 0
    save(folder / "train 5 back in time.png", of_widget(train.form))
    print(train.training.status())
    models = open_section("ModelsSection", logic)
    models.follow(study)
    save(folder / "models 1.png", of_widget(models.form))
    models.ui.useButton.click()
    save(folder / "models 2 used.png", of_widget(models.form))
    train.close()
    models.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else 200)
