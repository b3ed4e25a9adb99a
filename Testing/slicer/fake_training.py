"""Plays `mmgl train` without torch: what happens to it stands in a file beside it, which the test writes."""

import os
import shutil
import signal
import sys
import time
from pathlib import Path

from mmgl.jobs import Record, record
from mmgl.messages import MMGLError

record.BEAT_SECONDS = 0.0  # every step is in the status at once
HERE = Path(__file__).parent
study = Path(sys.argv[2])
name = sys.argv[sys.argv.index("--name") + 1]
folder = study / "runs" / name
if (HERE / "act.txt").read_text(encoding="utf-8").startswith("say "):
    sys.exit((HERE / "act.txt").read_text(encoding="utf-8")[4:])


def act():
    """Return what the test wants now."""
    return (HERE / "act.txt").read_text(encoding="utf-8")


def fail(word):
    """End in one of the ways a training can end."""
    if word == "memory":
        raise MMGLError("memory.too_small", free="1.0")
    if word == "card":
        raise MMGLError("device.lost", reason="CUDA error: unspecified launch failure")
    if word == "full":
        raise OSError(28, "No space left on device", str(folder / "last.safetensors"))
    if word == "fault":
        raise RuntimeError("shape mismatch")
    if word == "partial":
        with (folder / "events.jsonl").open("ab") as file:
            file.write('{"event": "check", "dice": [0.5], "words": "☤'.encode()[:-1])
    if word in ("partial", "kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)


def model(run, kept):
    """Write the model of this training."""
    (study / "models").mkdir(exist_ok=True)
    shutil.copyfile(HERE / "model.mmgl", study / "models" / f"{kept}.mmgl")
    run.tell("model", model=f"{kept}.mmgl", dice={})


def steps(run, stage, first, last):
    """Take some steps of a stage, with a picture and a check on the way."""
    for step in range(first, last):
        facts = {"share": step / 40, "seconds_left": 720 - 18 * step}
        memory = {"free_gb": 6.5, "gb": 16.0, "card_free_gb": 1.2, "card_gb": 6.0}
        run.tell("step", stage=stage, step=step, steps=40, loss={"a": 2.0 / (step + 1)}, **facts, memory=memory)
    for part in range(first, last, 5):
        file = folder / "previews" / f"{stage}-{part:07d}.png"
        file.parent.mkdir(exist_ok=True)
        shutil.copyfile(HERE / f"picture-{part % 2}.png", file)
        run.tell("preview", file=f"previews/{file.name}", case="Müller ☤ 心")
        run.tell("check", stage=stage, step=part, steps=40, dice=[0.02 * part + 0.2, None if part < 5 else 0.4])


with Record(folder) as run:
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text("{}", encoding="utf-8")
    else:
        run.tell("resumed", state="lost", key="job.lost", parameters={}, words="")
    for event in ("looking", "preparing"):
        for done in range(4):
            run.tell(event, done=done, of=3)
    run.tell("skipped", case="kaputt", key="scan.unreadable", words="kaputt cannot be read.")
    run.tell("stage", stage="global", number=1, stages=2, steps=40)
    steps(run, "global", 0, 10)
    run.tell("stage", stage="semi-supervised", number=2, stages=2, steps=40)
    steps(run, "semi-supervised", 10, 25)
    while act() in ("wait", "stall", "mute"):
        if run.stop_asked() and act() != "mute":
            model(run, f"{name}-stopped")
            raise MMGLError("run.stopped", name=name, model=study / "models" / f"{name}-stopped.mmgl")
        if act() == "wait":
            run.beat()
        time.sleep(0.02)
    fail(act())
    steps(run, "semi-supervised", 25, 41)
    model(run, name)
    good = {"structure": "Left ventricle", "dice": 0.91, "cases": 1, "labelled": 4}
    missed = {"structure": "Myocard (ä/ß)", "dice": 0.05, "cases": 1, "labelled": 1}
    findings = [{"key": "verdict.good", "parameters": good}, {"key": "verdict.one_scan", "parameters": missed}]
    findings += [{"key": "verdict.few", "parameters": {"cases": 1}}]
    from mmgl.files import write_json

    write_json(folder / "verdict.json", {"findings": findings, "use": name})
    run.tell("verdict", findings=findings, use=name)
