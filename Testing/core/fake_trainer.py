"""Plays a trainer without torch: the last argument says what happens to it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from mmgl.jobs import Record, record
from mmgl.messages import MMGLError

record.BEAT_SECONDS = 0.0  # every step is in the status at once
folder, act = Path(sys.argv[1]), sys.argv[2]


def wait_for_ever():
    while True:
        time.sleep(0.05)


if act == "mute":
    wait_for_ever()
if act == "broken":
    sys.exit("ImportError: DLL load failed")
with Record(folder) as own:
    for step in range(1, 4):
        own.tell(
            "step",
            stage="segmentation",
            step=step,
            steps=10,
            share=step / 10,
            seconds_left=10 - step,
            case="Müller ☤ 心",
        )
    if act == "partial":
        with (folder / "events.jsonl").open("ab") as file:
            file.write('{"event": "check", "words": "☤'.encode()[:-1])
        os.kill(os.getpid(), signal.SIGKILL)
    if act == "memory":
        raise MMGLError("memory.too_small", free="1.0")
    if act == "fault":
        raise RuntimeError("shape mismatch")
    if act == "full":
        raise OSError(28, "No space left on device", str(folder / "last.safetensors"))
    if act == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if act == "family":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        own.tell("child", pid=child.pid)
        wait_for_ever()
    if act == "stall":
        wait_for_ever()
    if act == "patient":
        while not own.stop_asked():
            time.sleep(0.01)
        raise MMGLError("run.stopped", name=folder.name, model="model.mmgl")
