"""``mmgl report``: the report of a training, whether it came to its end or not."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmgl.messages import MMGLError


def report(options: argparse.Namespace) -> None:
    """Write the report; beside the model of the training, or in its folder where it has none yet."""
    from mmgl.report.run_facts import RunFacts
    from mmgl.report.run_report import write_run_report
    from mmgl.study import Study

    study = Study.open(options.study)
    folder = study.folder / "runs" / options.name if options.name else _latest(study.folder)
    path = options.output
    if path is None:
        model = RunFacts.read(folder).model
        path = folder / "report.html" if model is None else model.with_suffix(".html")
    elif path.exists():
        raise MMGLError("file.exists", path=path)
    write_run_report(folder, study.structures, path)
    print(f"Report written: {path}")


def _latest(folder: Path) -> Path:
    """Return the folder of the training of a study that was begun or gone on with last."""
    configs = sorted((folder / "runs").glob("*/config.json"), key=lambda file: file.parent.stat().st_mtime_ns)
    if not configs:
        raise MMGLError("run.unknown", name="at all")
    return configs[-1].parent
