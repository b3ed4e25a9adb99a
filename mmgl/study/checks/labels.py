"""Checks of the labels: empty, outside, overlapping, partly painted, or at odds with those of other cases."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from mmgl.finding import Choice, Finding, Severity
from mmgl.imaging.grid import Array
from mmgl.structures import Structure
from mmgl.study.cases import Case, Use
from mmgl.study.extents import Extent
from mmgl.study.identity import says_nothing
from mmgl.study.label_statistics import LabelStatistics
from mmgl.study.statistics import Statistics

AGREE, MOST = 0.6, 0.8
"""Cosine from which on two structures count as lying along a line, and the share of cases in which they must."""


def check_labels(
    cases: Sequence[Case], structures: Sequence[Structure], known: Mapping[str, Statistics]
) -> Iterator[Finding]:
    """Yield what is wrong with the labels of ``cases``; ``known`` is by their names."""
    names = {structure.id: structure.name for structure in structures}
    labels: dict[str, LabelStatistics] = {}
    for case in cases:
        label, error = known[case.name].label, known[case.name].label_error
        if error:
            yield Finding(error.key, error.parameters, severity=Severity.ERROR, case=case.name)
        if label and case.label:
            if not label.voxels and set(case.label.extents.values()) != {Extent.ABSENT}:
                yield Finding("label.empty", {"path": case.label.path}, severity=Severity.ERROR, case=case.name)
                continue
            labels[case.name] = label
            yield from _one(case, label, names)
    for structure in structures:
        if says_nothing(structure.name):
            parameters = {"structure": structure.name}
            yield Finding("check.default_name", parameters, severity=Severity.WARNING, structures=(structure.id,))
    trained = [case.name for case in cases if case.use is Use.TRAIN and case.name in labels]
    yield from _too_few(structures, {name: labels[name] for name in trained})
    yield from _swapped(structures, labels, known)


def _one(case: Case, label: LabelStatistics, names: Mapping[int, str]) -> Iterator[Finding]:
    """Yield what is to be told or asked about one label."""
    if label.other_grid:
        found, expected = label.other_grid
        yield Finding(
            "check.other_grid", {"found": found, "expected": expected}, severity=Severity.NOTE, case=case.name
        )
    if label.outside:
        yield Finding("check.label_cut", {"share": f"{label.outside:.0%}"}, severity=Severity.WARNING, case=case.name)
    for upper, lower, voxels in label.overlaps:
        parameters = {"first": names[upper], "second": names[lower], "voxels": f"{voxels:,}"}
        yield Finding("check.overlap", parameters, severity=Severity.WARNING, case=case.name, structures=(upper, lower))
    yield from _reach(case, label, names)


def _reach(case: Case, label: LabelStatistics, names: Mapping[int, str]) -> Iterator[Finding]:
    """Yield the questions about what is not painted in one label."""
    said = case.label.extents if case.label else {}
    painted = {int(key) for key in label.voxels}
    if label.strokes and not label.background and not painted & said.keys():
        choices = (Extent.EVERYWHERE, Extent.PAINTED)
        yield _question("check.strokes", case, tuple(sorted(painted)), choices, {})
        return
    if label.background:
        return  # the label itself says what is background
    sparse = {int(key): slices for key, slices in label.slices.items()}
    open_ = tuple(i for i in sparse if i not in said)
    if open_:
        parameters = {"painted": _on_slices(open_, sparse, names)}
        yield _question("check.gaps", case, open_, (Extent.SLICES, Extent.EVERYWHERE), parameters)
    background = tuple(i for i in sparse if said.get(i) is Extent.EVERYWHERE)
    if background:
        parameters = {"painted": _on_slices(background, sparse, names)}
        yield Finding(
            "check.gaps_as_background", parameters, severity=Severity.WARNING, case=case.name, structures=background
        )
    missing = tuple(i for i in names if i not in painted and i not in said)
    if missing:
        choices = (Extent.NOWHERE, Extent.ABSENT)
        told = {"structures": _are([names[i] for i in missing]), "count": len(missing)}
        yield _question("check.missing", case, missing, choices, told)


def _question(
    key: str, case: Case, ids: tuple[int, ...], choices: Sequence[Extent], parameters: Mapping[str, object]
) -> Finding:
    """Return a question about structures of a case, whose first choice holds until it is answered."""
    offered = tuple(Choice.of(extent.value) for extent in choices)
    return Finding(
        key,
        parameters,
        severity=Severity.QUESTION,
        case=case.name,
        choices=offered,
        default=offered[0].value,
        structures=ids,
    )


def _on_slices(ids: Sequence[int], slices: Mapping[int, str], names: Mapping[int, str]) -> str:
    """Return words such as ``Aorta and Liver on 14 of 130 axial slices; Spleen on 9 of 130 axial slices``."""
    alike: dict[str, list[str]] = {}
    for number in ids:
        alike.setdefault(slices[number], []).append(names[number])
    return "; ".join(f"{_and(members)} on {where} slices" for where, members in alike.items())


def _are(names: Sequence[str]) -> str:
    """Return names with the verb that follows them: ``Aorta is``, ``Aorta and Liver are``."""
    return f"{_and(names)} {'is' if len(names) == 1 else 'are'}"


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _too_few(structures: Sequence[Structure], labels: Mapping[str, LabelStatistics]) -> Iterator[Finding]:
    """Yield the structures that are painted in one training label, or in none."""
    for structure in structures:
        cases = [name for name, label in labels.items() if label.voxels.get(str(structure.id))]
        parameters = {"structure": structure.name}
        if labels and not cases:
            yield Finding("check.never", parameters, severity=Severity.WARNING, structures=(structure.id,))
        elif len(cases) == 1 < len(labels):
            yield Finding(
                "check.only_once", parameters, severity=Severity.WARNING, case=cases[0], structures=(structure.id,)
            )


def _swapped(
    structures: Sequence[Structure], labels: Mapping[str, LabelStatistics], known: Mapping[str, Statistics]
) -> Iterator[Finding]:
    """Yield the pairs of structures whose direction from one to the other is opposite in some of the cases.

    Only pairs count that lie side by side and along one line in most cases; any other pair says nothing.
    """
    names = list(labels)
    centres, radii = _places(structures, [labels[name] for name in names], [known[name] for name in names])
    for i, j in combinations(range(len(structures)), 2):
        first, second = structures[i], structures[j]
        step = centres[:, j] - centres[:, i]
        length = np.linalg.norm(step, axis=1)
        beside = np.flatnonzero(length > np.minimum(radii[:, i], radii[:, j]))  # what is not painted is no number
        directions = {names[k]: step[k] / length[k] for k in beside}
        if len(directions) < 3:
            continue
        rows = np.array(list(directions.values()))
        line = np.linalg.svd(rows, full_matrices=False)[2][0]
        along = dict(zip(directions, rows @ line, strict=True))
        one, other = ([name for name, a in along.items() if sign * a > AGREE] for sign in (1, -1))
        if len(one) + len(other) < MOST * len(along) or not one or not other:
            continue
        parameters = {"first": first.name, "second": second.name}
        ids = (first.id, second.id)
        few, many = sorted((one, other), key=len)
        if len(few) * 3 <= len(along):
            for name in few:
                yield Finding("check.swapped", parameters, severity=Severity.WARNING, case=name, structures=ids)
        else:
            parameters |= {"some": ", ".join(few), "others": ", ".join(many)}
            yield Finding("check.swapped_some", parameters, severity=Severity.WARNING, structures=ids)


def _places(
    structures: Sequence[Structure], labels: Sequence[LabelStatistics], known: Sequence[Statistics]
) -> tuple[Array, Array]:
    """Return centres (cases, structures, 3) in mm and radii (cases, structures) of balls of the structures' volumes.

    Numbers are NaN where a structure is not painted.
    """
    centres = np.full((len(labels), len(structures), 3), np.nan)
    radii = np.full(centres.shape[:2], np.nan)
    for i, (label, case) in enumerate(zip(labels, known, strict=True)):
        voxel = math.prod(case.scan.spacing) if case.scan else math.nan
        for j, structure in enumerate(structures):
            if (key := str(structure.id)) in label.centres:
                centres[i, j] = label.centres[key]
                radii[i, j] = (label.voxels[key] * voxel * 3 / (4 * math.pi)) ** (1 / 3)
    return centres, radii
