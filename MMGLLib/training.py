"""Trainings of a study as Slicer sees them: begun, found again, followed, stopped. Nothing here waits.

The training itself is a process that outlives Slicer and writes what it does into its folder, ``runs/NAME`` of the
study. Whoever wants to know reads it there, so a training that was begun yesterday is followed as one begun now.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from mmgl.jobs import Follower, Job, Look
from mmgl.jobs.queue import Queue, Turn
from mmgl.jobs.record import EVENTS
from mmgl.messages import CATALOGUE
from mmgl.methods import USUAL
from mmgl.study import Study
from mmgl.study.trained import MODELS, RUNS, free_name
from MMGLLib.endings import in_our_words, lost
from MMGLLib.folders import left_out
from MMGLLib.messages import MMGLError, unwritable
from MMGLLib.story import Story
from MMGLLib.study_models import models
from MMGLLib.worker import command, environment

MOST = 256 * 1024
"""Bytes of events that are read at one look, so that the panel is never held up; the rest comes with the next one."""


class Training:
    """One training of a study, alive or not, whoever began it.

    Args:
        study: folder of the study.
        name: of the training and its model.
        job: its job, where it was just started.

    Attributes:
        look: how it is, as of the last ``poll``.
        story: what it told until then.
        behind: whether more events are waiting to be read.
    """

    def __init__(self, study: Path, name: str, job: Job | None = None) -> None:
        self.study, self.name = Path(study), name
        self.folder = self.study / RUNS / name
        self.job = job or Job(self.folder)
        self.story, self.look, self.behind = Story(), Look("starting"), True
        self.stop_asked = 0.0  # when, on a clock that nobody sets

    def poll(self) -> None:
        """Look once, without waiting, and read a piece of what is new."""
        look = self._look()
        events = self.job.follower.read(MOST)
        for event in events:
            self.story.add(event)
        self.behind, self.look = bool(events), look

    @property
    def works(self) -> bool:
        """Whether it goes on, or there is more to be read of it."""
        return self.look.works or self.behind

    @property
    def model(self) -> Path | None:
        """The model it has written, or None."""
        file = self.study / MODELS / (self.story.model or f"{self.name}.mmgl")
        return file if file.is_file() else None

    @property
    def resumable(self) -> bool:
        """Whether it can go on where it ended."""
        done = (self.study / MODELS / f"{self.name}.mmgl").exists() and (self.folder / "verdict.json").exists()
        return (self.folder / "config.json").is_file() and not done

    def stop(self) -> None:
        """Ask it to stop and keep what it has learned; it does so a moment later, and what waits for it is given up."""
        if self.folder.is_dir():
            self.job.stop()
        for turn in self.then():
            if turn.state == "waiting":
                Job(turn.folder).stop()
        self.stop_asked = time.monotonic()

    def kill(self) -> None:
        """End it now; what it last saved stays."""
        Job(self.folder).kill(at_once=True)

    def status(self) -> dict[str, Any]:
        """Return how it is now: ``state``, ``share`` done, ``seconds_left``, ``words``, and the ``model`` if any."""
        self.poll()
        told = {"share": self.story.share, "seconds_left": self.story.seconds_left, "words": self.words()}
        return {"name": self.name, "state": self.look.state, **told, "model": self.model}

    def words(self) -> str:
        """Return what it is doing, or how it ended, in words."""
        if not self.look.works:
            return self.look.words
        if self.look.state == "stalled":
            return self.look.words
        if not self.story.stage:
            return CATALOGUE["train.starting"]
        return CATALOGUE[self.story.stage] if self.story.stage in CATALOGUE else CATALOGUE["stage.segmentation"]

    def report(self) -> str:
        """Return what it printed last, for a report."""
        return self.job.log_tail(60)

    def then(self) -> list[Turn]:
        """Return what is queued for after it."""
        model = str(self.study / MODELS / f"{self.name}.mmgl")
        return [turn for turn in Queue().turns() if turn.arguments[:1] == ("segment",) and model in turn.arguments]

    def _look(self) -> Look:
        """Return how it is, and where it ended without a word, why."""
        if not self.folder.is_dir():
            return Look("lost", "job.away", {"folder": self.study})
        look = self.job.look()
        return lost(look, self.report(), self.study) if look.state == "lost" else in_our_words(look)


def start_training(
    study: Study,
    budget: str = "quick",
    method: str = "",
    seed: int = 0,
    device: str = "auto",
    name: str = "",
    again: str | Path = "",
    planes: str = "",
    steps: int | None = None,
) -> Training:
    """Begin a training of a study in a process that outlives Slicer, and return it at once.

    Args:
        study: as it is saved; changes that are only in memory are not seen.
        budget: ``quick``, ``standard``, ``overnight``, or until when, such as ``07:00``.
        method, seed, device, name: as for ``mmgl train``.
        again: name or file of a model to start from; its method is used then.
        planes: ``axial``, ``coronal`` or ``sagittal``, to learn from and to segment in slices of that plane only; not
            for a training that starts from a model, which keeps its planes.
        steps: instead of a budget in time, for a training that can be repeated to the last digit.

    Raises:
        MMGLError: ``train.running`` where one of this study is at work, ``study.no_labels``, or ``file.unwritable``.
    """
    busy = working(study.folder)
    if busy is not None:
        raise MMGLError("train.running", name=busy.name)
    if not study.labelled:
        raise MMGLError("study.no_labels")
    name = name or free_name(study.folder)
    looked_at = ["--planes", planes] if planes else []
    asked = ["--again", str(again)] if again else ["--method", method or USUAL, *looked_at]
    asked += ["--seed", str(seed), "--device", device]
    asked += ["--time", budget] if steps is None else ["--steps", str(steps)]
    return _started(study.folder, name, asked)


def resume_training(training: Training, device: str = "auto", *, only_keep: bool = False) -> Training:
    """Go on with a training that was interrupted, and return it anew.

    Args:
        only_keep: stop again at once, which makes a model of what was saved.
    """
    again = _started(training.study, training.name, ["--resume", "--device", device])
    if only_keep:
        again.stop()
    return again


def then_segment(training: Training, folder: Path, output: Path) -> Turn:
    """Queue: once the training is done, its model segments a folder, and return the turn.

    Args:
        folder: of scans.
        output: of the results, in which nothing is ever overwritten.
    """
    queue, python = Queue(), command()[0]
    if not any(turn.folder == training.folder and turn.state == "running" for turn in queue.turns()):
        queue.add(training.folder, ["train"], python=python, running=True)
    record = training.study / "segmenting" / f"{training.name} {folder.name}"
    model = training.study / MODELS / f"{training.name}.mmgl"
    arguments = ["segment", str(model), str(folder), "--output", str(output), "--record", str(record)]
    return queue.add(record, arguments, python=python)


def segmented(turn: Turn) -> tuple[int, list[str]]:
    """Return how many scans of a queued folder were segmented, and in a line each which were left out, and why."""
    events = [event for event in Follower(turn.folder / EVENTS).read() if event["event"] == "segmented"]
    folder = turn.arguments[2]
    skipped = [left_out(folder, str(e["scan"]), str(e["words"])) for e in events if "words" in e]
    return len(events) - len(skipped), skipped


def trainings(folder: Path) -> list[Training]:
    """Return the trainings of the study in a folder, the one begun last at the end."""
    begun: dict[str, float] = {}
    for file in (Path(folder) / RUNS).glob("*/*.json"):
        if file.name in ("job.json", "status.json"):
            begun[file.parent.name] = max(file.stat().st_mtime, begun.get(file.parent.name, 0.0))
    return [Training(folder, name) for name in sorted(begun, key=lambda name: begun[name])]


def working(folder: Path) -> Training | None:
    """Return the training of the study in a folder that is at work, or None."""
    return next((t for t in reversed(trainings(folder)) if t.job.look().works), None)


def _started(study: Path, name: str, arguments: list[str]) -> Training:
    """Start the process of a training."""
    folder = study / RUNS / name
    if not study.is_dir():
        raise MMGLError("job.away", folder=study)  # it would be made anew, empty
    arguments = ["train", str(study), "--name", name, *arguments]
    try:
        job = Job.start(folder, arguments, python=command()[0], environment=environment())
    except OSError as error:
        raise unwritable(error, folder) from error
    training = Training(study, name, job)
    if "--resume" in arguments:
        job.follower.offset = 0  # its story is told from the beginning
    return training


__all__ = ["Training", "models", "resume_training", "start_training", "then_segment", "trainings", "working"]
