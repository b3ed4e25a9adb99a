"""Did it work? What can be said of a model at the end, structure by structure, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch

from mmgl.data.cache import PreparedCase
from mmgl.data.plan import Plan
from mmgl.finding import Finding
from mmgl.networks.unet import UNet
from mmgl.structures import Structure
from mmgl.study.splits import TRUSTED
from mmgl.training.check import Rows, dice, find, mean

GOOD, FAIR, POOR = 0.85, 0.7, 0.3
"""Dice from which a result needs hardly a correction, some correction, and is of any use at all."""

REPRODUCED = 0.5
"""Dice that a model reaches on a scan it was trained on unless its labels contradict one another."""

TO_LABEL = ("verdict.poor", "verdict.missed", "verdict.one_scan")
"""Verdicts that ask for more labels or more time; of a training that was stopped it is too early for them."""


def judge(structures: Sequence[Structure], rows: Rows, cases: Sequence[PreparedCase]) -> list[Finding]:
    """Return a finding for each structure, and one where too few check cases speak.

    Args:
        rows: Dice on the check cases, empty when there are none.
        cases: the training cases; those with a label tell in how many a structure is painted.
    """
    findings = []
    painted = [_painted(case) for case in cases if case.labelmap_file]
    for number, structure in enumerate(structures, start=1):
        scores = [row[number - 1] for row in rows if row[number - 1] == row[number - 1]]
        labelled = sum(number in values for values in painted)
        findings.append(_of_structure(structure.name, scores, labelled))
    if rows and len(rows) < TRUSTED:
        findings.append(Finding("verdict.few", {"cases": len(rows)}))
    return findings


def of_stopped(findings: Sequence[Finding], seconds: float) -> list[Finding]:
    """Return the findings of a training that was stopped: first that it can go on, which may be all it needs.

    Args:
        findings: as ``judge`` has them.
        seconds: after which it was stopped.
    """
    told = [replace(finding, key="verdict.early") if finding.key in TO_LABEL else finding for finding in findings]
    return [Finding("verdict.stopped", {"minutes": max(1, round(seconds / 60))}), *told]


def of_early(seconds: float) -> Finding:
    """Return the finding of a training that ended after so many seconds by itself, because nothing rose any more."""
    return Finding("verdict.idle", {"minutes": max(1, round(seconds / 60))})


def of_pieces(structures: Sequence[Structure], rows: Rows, one_piece: Mapping[str, float]) -> list[Finding]:
    """Return a finding where results are better with the largest piece only, as the card of the model has it."""
    old = [mean([row[i] for row in rows]) for i, structure in enumerate(structures) if structure.name in one_piece]
    if not (rows and old):
        return []
    dice = {"old": round(mean(old), 3), "new": round(mean(old) + mean(list(one_piece.values())), 3)}
    return [Finding("verdict.pieces", {"structures": ", ".join(one_piece), "count": len(one_piece), **dice})]


def _painted(case: PreparedCase) -> set[int]:
    """Return the numbers of the structures that are painted in a case."""
    return set() if case.labelmap is None else {int(value) for value in np.unique(case.labelmap)}


def _known(case: PreparedCase) -> float:
    """Return the share of a case's voxels that are labelled, as a structure or as background."""
    return 0.0 if case.labelmap is None else float((case.labelmap >= 0).mean())


def _of_structure(name: str, scores: Sequence[float], labelled: int) -> Finding:
    """Return the finding of one structure from its Dice on the check cases, and the scans it is labelled in."""
    if not labelled:
        return Finding("verdict.unlabelled", {"structure": name})
    if not scores:
        return Finding("verdict.unchecked", {"structure": name, "labelled": labelled})
    reached = mean(scores)
    facts = {"structure": name, "dice": round(reached, 3), "cases": len(scores), "labelled": labelled}
    if reached < FAIR and labelled == 1:
        return Finding("verdict.one_scan", facts)
    if reached >= FAIR:
        return Finding("verdict.good" if reached >= GOOD else "verdict.fair", facts)
    return Finding("verdict.poor" if reached >= POOR else "verdict.missed", facts)


def self_check(
    network: UNet, cases: Sequence[PreparedCase], plan: Plan, structures: int, device: torch.device
) -> list[Finding]:
    """Return a finding where the network cannot even reproduce a scan it was trained on.

    It is one with most structures, and of those one that is labelled most completely.
    """
    labelled = [case for case in cases if case.labelmap_file]
    shown = max(labelled, key=lambda case: (len(_painted(case)), _known(case)))
    one_plane = replace(plan, planes=plan.planes[:1])  # a large scan takes long, and this is no measurement
    reached = mean(dice(find(network, shown, one_plane, device), shown, structures))
    return [Finding("verdict.self", {"case": shown.name, "dice": round(reached, 3)})] if reached < REPRODUCED else []
