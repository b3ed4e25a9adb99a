"""What follows the last step: the model is written, it is said whether it worked, and the report is made of it all.

Each of the three is a file that is there as a whole or not at all, so that what is missing can be made up for later.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from mmgl import __version__
from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.files import read_json, write_json
from mmgl.finding import Finding
from mmgl.inference.crf_fit import fit_crf
from mmgl.inference.usual import doubt_of_case, fused_cases, usual_doubts
from mmgl.messages import MMGLError
from mmgl.model import Card, read_card, write_model
from mmgl.networks.unet import UNet
from mmgl.report.run_facts import VERDICT
from mmgl.report.run_report import write_run_report
from mmgl.study import Study
from mmgl.training.check import Rows, finite, means
from mmgl.training.comparison import compare
from mmgl.training.one_piece import both_dice, gains
from mmgl.training.run import Run
from mmgl.training.verdict import judge, of_early, of_pieces, of_stopped, self_check


@dataclass(frozen=True)
class Trained:
    """What came out of a training: the network that is kept, and its Dice on each check case.

    ``refines`` says whether a dense CRF belongs to the method, ``early`` after how many seconds it ended by itself
    before its time.
    """

    network: UNet
    plan: Plan
    device: torch.device
    rows: Rows
    refines: bool = False
    early: float | None = None


def keep(
    study: Study,
    run: Run,
    trained: Trained,
    prepared: Sequence[PreparedCase],
    checks: Sequence[PreparedCase],
    file: Path,
) -> None:
    """Write the model, with nothing in it that tells who the patients are.

    Args:
        prepared: the training cases.
        checks: tell what doubt is usual and of what only the largest piece should be kept, which takes as long as a
            check; none for a training that was stopped, because whoever stopped it waits.
    """
    run.tell("ending")
    scores = means(trained.rows) if trained.rows else []
    crf = fit_crf(trained.network, checks, trained.plan, trained.device) if trained.refines else None
    doubts, one_piece = _looked_at(study, trained, prepared, checks)
    dice = {s.name: round(v, 4) for s, v in zip(study.structures, scores, strict=False) if v == v}
    card = Card(
        file.stem,
        study.structures,
        trained.plan,
        run.read_config()["method"],
        {"labelled": len(study.labelled), "unlabelled": len(study.unlabelled), "check": len(study.checks)},
        dice,
        {"mmgl": __version__, "torch": str(torch.__version__)},
        datetime.date.today().isoformat(),
        doubts=doubts,
        crf=crf.to_json() if crf else {},
        one_piece=one_piece,
    )
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in trained.network.state_dict().items()}
    write_model(file, card, arrays)
    run.tell("model", model=file.name, dice=card.scores)


def _looked_at(
    study: Study, trained: Trained, prepared: Sequence[PreparedCase], checks: Sequence[PreparedCase]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return what doubt is usual for each structure, and what its largest piece alone gains, from one look at each."""
    structures, doubts = study.structures, []
    rows, tidied = list[list[float]](), list[list[float]]()
    for case, fused in fused_cases(trained.network, checks, trained.plan, trained.device):
        doubts.append(doubt_of_case(case, fused, trained.plan, structures))
        whole, largest = both_dice(case, fused, structures)
        rows.append(whole)
        tidied.append(largest)
    return usual_doubts(doubts), gains(structures, rows, tidied, prepared) if rows else {}


def tell_verdict(
    study: Study,
    run: Run,
    trained: Trained,
    prepared: Sequence[PreparedCase],
    file: Path,
    *,
    stopped: float | None = None,
) -> None:
    """Say whether it worked, and which model to use; ``verdict.json`` keeps it.

    Args:
        stopped: seconds after which it was stopped, None where it has finished. Only what is known already is said
            then, because whoever stopped it waits.
    """
    seen = _seen(study, run)
    findings = judge(study.structures, trained.rows, prepared) + seen
    use = run.folder.name if stopped is None else ""
    if stopped is not None:
        findings = of_stopped(findings, stopped)
    else:
        findings += [of_early(trained.early)] if trained.early is not None else []
        hopeless = self_check(trained.network, prepared, trained.plan, len(study.structures), trained.device)
        findings += hopeless or of_pieces(study.structures, trained.rows, read_card(file).one_piece)
        against = compare(study, run.folder.name, trained.rows, trained.device)
        findings += [against] if against else []
        if against and against.key == "compare.worse":
            use = against.parameters["other"]
    told = {"findings": [finding.to_json() for finding in findings], "use": use}
    rows = [[finite(dice) for dice in row] for row in trained.rows]
    run.require_folder()
    write_json(run.folder / VERDICT, {"model": file.name, **told, "dice": rows})
    run.tell("verdict", **told)


def tell_report(study: Study, run: Run, file: Path) -> None:
    """Write the report beside the model, and tell of it."""
    run.require_folder()
    write_run_report(run.folder, study.structures, _report_file(file))
    run.tell("report", file=_report_file(file).name)


def is_complete(folder: Path, file: Path) -> bool:
    """Return whether the model in a file, its verdict and its report are there; ``folder`` is that of the run."""
    return file.is_file() and has_verdict(folder, file) and _report_file(file).is_file()


def has_verdict(folder: Path, file: Path) -> bool:
    """Return whether the verdict of the model in a file is there."""
    with suppress(MMGLError, KeyError, TypeError):
        return bool(read_json(folder / VERDICT)["model"] == file.name)
    return False


def _report_file(file: Path) -> Path:
    return file.with_suffix(".html")


def _seen(study: Study, run: Run) -> list[Finding]:
    """Return a finding where check cases were trained on by the model that this one started from."""
    config = run.read_config()
    seen = set(config["cases"].get("seen", ())) & {case.name for case in study.checks}
    return [Finding("verdict.seen", {"cases": len(seen), "model": config["start"]["model"]})] if seen else []
