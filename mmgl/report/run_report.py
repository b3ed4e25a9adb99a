"""The report of a training: did it work, on what data, with which settings; one page, and nobody's name in it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean, stdev

from mmgl.messages import CATALOGUE, MMGLError
from mmgl.methods.papers import PAPERS
from mmgl.model import read_card
from mmgl.report.chart import Chart
from mmgl.report.page import NOTHING, Picture, Section, write_report
from mmgl.report.png import SIGNATURE
from mmgl.report.run_facts import RunFacts, thinned
from mmgl.report.run_settings import settings_section, versions_section
from mmgl.structures import Structure

PICTURES = 3
"""How many previews are shown: from the first to the last."""

SHOWN_CASES = 200
"""Cases in a table; of more the rest is counted."""


def write_run_report(folder: Path, structures: Sequence[Structure], path: Path) -> None:
    """Write the report of the run in a folder, finished, stopped or not.

    Everything in it comes from the run folder and from the card of its model. Cases have numbers; patients, paths and
    users are not in it.

    Args:
        folder: of the run, in ``runs`` of its study.
        structures: of the study, where the run has no model yet whose card says them.
        path: where to write the page; one that is there is replaced.

    Raises:
        MMGLError: ``run.unknown`` or ``file.damaged``.
    """
    facts = RunFacts.read(folder)
    try:
        sections = _sections(facts, structures)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise MMGLError("file.damaged", path=folder, reason="what its training wrote is not whole") from error
    write_report(path, f"Training of {folder.name}", sections)


def _sections(facts: RunFacts, structures: Sequence[Structure]) -> list[Section]:
    """Return the parts of the report, in order."""
    weights = ""
    if facts.model:
        with suppress(MMGLError):
            card = read_card(facts.model)
            structures, weights = card.structures, card.weights
    sections = [
        _verdict_section(facts),
        _scores_section(facts, structures),
        _pictures_section(facts, structures),
        _dice_section(facts, structures),
        _loss_section(facts),
        _data_section(facts, structures),
        settings_section(facts),
        versions_section(facts, weights),
        _citation_section(facts),
    ]
    return [section for section in sections if section]


def _verdict_section(facts: RunFacts) -> Section:
    """Return how the training ended and what came of it, in words."""
    steps = facts.steps()
    done, whole = (steps[-1]["at"], _all_steps(facts)) if steps else (0, 0)
    day = datetime.date.fromtimestamp(facts.events[-1]["time"]).isoformat() if facts.events else "–"
    if facts.verdict.get("use"):
        state = f"Finished on {day} after {done} steps."
    elif facts.verdict:
        state = f"Stopped on {day} after {done} of {whole} steps; what was learned until then was kept as a model."
    else:
        state = f"Not finished: {done} of {whole} steps were done on {day}."
    use = facts.verdict.get("use")
    advice = [f"Model to use: {use}."] if use else []
    return Section("Did it work?", "\n\n".join([*facts.words(), *advice, state]))


def _all_steps(facts: RunFacts) -> int:
    """Return the steps of all stages that have begun."""
    last = {event["stage"]: int(event["steps"]) for event in facts.steps()}
    return sum(last.values())


def _scores_section(facts: RunFacts, structures: Sequence[Structure]) -> Section | None:
    """Return the table of Dice by structure, with the number of cases behind each figure."""
    rows = facts.verdict.get("dice") or []
    if not rows:
        return None
    checks = facts.cases("check")
    table = []
    for number, structure in enumerate(structures):
        scores = {case: row[number] for case, row in zip(checks, rows, strict=False) if row[number] is not None}
        if not scores:
            table.append((structure.name, "0", NOTHING, NOTHING, NOTHING))
            continue
        worst = min(scores, key=lambda case: scores[case])
        spread = f"{stdev(scores.values()):.3f}" if len(scores) > 1 else NOTHING
        lowest = f"{scores[worst]:.3f} ({facts.pseudonym(worst)})"
        table.append((structure.name, str(len(scores)), f"{mean(scores.values()):.3f}", spread, lowest))
    words = (
        "Dice is the overlap with the label, from 0 (none) to 1 (the same), on cases that were held out. They chose "
        "the best of several checkpoints, so that on scans never used the Dice is likely a little lower."
    )
    return Section("Scores on the check cases", words, ("structure", "cases", "Dice", "deviation", "worst"), table)


def _pictures_section(facts: RunFacts, structures: Sequence[Structure]) -> Section | None:
    """Return some previews, from the first to the last."""
    begins, pictures = facts.begins(), []
    shown = {str(event["file"]): event for event in facts.told("preview")}
    for name, event in shown.items():
        file = facts.folder / "previews" / Path(name).name
        data = file.read_bytes() if file.is_file() else b""
        stage, _, step = file.stem.rpartition("-")
        if data.startswith(SIGNATURE) and stage in begins and step.isdigit():
            caption = f"{facts.pseudonym(str(event['case']))} after step {begins[stage] + int(step)}"
            pictures.append(Picture(data, caption[0].upper() + caption[1:], structures))
    if not pictures:
        return None
    chosen = sorted({round(i * (len(pictures) - 1) / max(1, PICTURES - 1)) for i in range(PICTURES)})
    words = "What was found; on the right, where the case has one, its label."
    return Section("Pictures", words, pictures=[pictures[i] for i in chosen])


def _dice_section(facts: RunFacts, structures: Sequence[Structure]) -> Section | None:
    """Return the curves of Dice on the check cases."""
    checks = facts.checks()
    series = {
        structure.name: [(e["at"], e["dice"][k]) for e in checks if k < len(e["dice"]) and e["dice"][k] is not None]
        for k, structure in enumerate(structures)
    }
    if not any(series.values()):
        return None
    return Section("Dice while training", chart=Chart(series, "steps", "mean Dice on the check cases"))


def _loss_section(facts: RunFacts) -> Section | None:
    """Return the curves of the loss, one for each stage, because those of different stages do not compare."""
    series = {}
    for stage in facts.begins():
        points = [(float(e["at"]), sum(e["loss"].values())) for e in facts.steps() if e["stage"] == stage]
        if points:
            series[CATALOGUE.get(f"stage.{stage}", stage)] = thinned(points)
    return Section("Loss while training", chart=Chart(series, "steps", "loss")) if series else None


def _data_section(facts: RunFacts, structures: Sequence[Structure]) -> Section:
    """Return which cases were for what, by number, with the Dice of the check cases."""
    labelled, checks = set(facts.cases("labelled")), facts.cases("check")
    training = facts.cases("train")
    unlabelled = [case for case in training if case not in labelled]
    skipped = {str(event.get("case")) for event in facts.told("skipped")}
    dice = dict(zip(checks, facts.verdict.get("dice") or (), strict=False))
    words = [
        f"{len(training) - len(unlabelled)} labelled and {len(unlabelled)} unlabelled cases to learn from, "
        f"{len(checks)} labelled cases held out to check. Cases have numbers here instead of names, in the order of "
        "the file config.json of the training; check cases come last."
    ]
    if skipped:
        words.append(f"Left out, because they could not be used: {', '.join(sorted(map(facts.pseudonym, skipped)))}.")
    if len(unlabelled) > SHOWN_CASES:
        words.append(f"Of the unlabelled cases {SHOWN_CASES} are listed.")
    rows = [(facts.pseudonym(case), "train", "labelled", "") for case in training if case in labelled]
    rows += [(facts.pseudonym(case), "train", "not labelled", "") for case in unlabelled[:SHOWN_CASES]]
    for case in checks:
        scores = [NOTHING if value is None else f"{value:.3f}" for value in dice.get(case, ())]
        each = ", ".join(f"{s.name} {score}" for s, score in zip(structures, scores, strict=False))
        rows.append((facts.pseudonym(case), "check", "labelled", each))
    return Section("Data", "\n\n".join(words), ("case", "use", "label", "Dice"), rows)


def _citation_section(facts: RunFacts) -> Section:
    """Return what to cite."""
    paper = PAPERS.get(str(facts.config.get("method")), "")
    words = "Who publishes results of this model owes the authors of its method a citation."
    return Section("How to cite", "\n\n".join(filter(None, (words, paper))))
