"""Evaluating a folder of results against a folder of references, and a report of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmgl.evaluation.metrics import Score, score
from mmgl.evaluation.pairing import Pairs, References, Side, pair_files, read_pair, shown_name
from mmgl.evaluation.pictures import overlay
from mmgl.evaluation.report import evaluation_section
from mmgl.evaluation.table import HEADER, number
from mmgl.imaging.image_files import suffix_of
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import place
from mmgl.messages import MMGLError
from mmgl.report.page import Picture, Section, write_report
from mmgl.structures import PALETTE, Structure

__all__ = ["Pairs", "evaluate_folder", "pair_files", "report_folder"]

PICTURES = 6
"""How many cases a report shows, the worst ones."""


Names = Sequence[str] | Mapping[int, str] | None
"""Names of structures: of the values 1, 2, ... in order, or of the values they are given for."""


def evaluate_folder(results: Path | str, references: References | str, structures: Names = None) -> list[Score]:
    """Return the scores of every result that has a reference of the same stem, whatever formats the two have.

    Segments are matched by name where both files have names, and by label value where not (by position, where a file
    has overlapping segments and so values that repeat). A reference on another grid is put on the grid of the result.
    Only files directly in the folders count; ``pair_files`` says which of them have no partner.

    With a study as reference its structures are evaluated against the labels of its cases, whose names the results
    have, and what is not labelled there does not count.

    Args:
        results: folder of segmentations.
        references: folder of segmentations, or a ``Study``.
        structures: the names to evaluate, in this order, and the values they stand for in files that have no names:
            1, 2, ... in order, or those of a mapping (255 for the usual mask of a picture). Without it everything
            painted in either is evaluated, and a value without a name is called by its number.

    Raises:
        MMGLError: ``file.missing`` for a folder, ``evaluate.nothing``, ``evaluate.nothing_in_common``,
            ``evaluate.unknown_structure``, and what reading and placing a segmentation raise.
    """
    names, results = _by_value(structures), Path(results)
    references = Path(references) if isinstance(references, str) else references
    pairs = pair_files(results, references)
    if not pairs.found:
        where = references if isinstance(references, Path) else "the study"
        raise MMGLError("evaluate.nothing", results=results, references=where)
    scores: list[Score] = []
    painted: list[tuple[set[str], set[str]]] = []
    met: set[str] = set()
    has_names = False
    for case, pair in pairs.found.items():
        result, reference = read_pair(pair, references, names)
        scores += _evaluate(case, result, reference, names)
        met |= {*result.keys, *reference.keys}
        has_names |= any(g.name for side in (result, reference) for g in side.segmentation.segments)
        if result.keys and reference.keys:
            painted.append((set(result.keys), set(reference.keys)))
    if painted and not any(first & second for first, second in painted):
        first, second = (", ".join(sorted(set.union(*side))) for side in zip(*painted, strict=True))
        raise MMGLError("evaluate.nothing_in_common", results=first, references=second)
    for name in (names or {}).values():
        if has_names and name not in met:
            raise MMGLError("evaluate.unknown_structure", name=name, found=", ".join(sorted(met)))
    return scores


def _by_value(structures: Names) -> Mapping[int, str] | None:
    """Return names by the values they stand for."""
    if structures is None or isinstance(structures, Mapping):
        return structures or None
    return dict(enumerate(structures, start=1)) or None


def report_folder(
    path: Path,
    scores: Sequence[Score],
    results: Path,
    references: References,
    images: Path | None = None,
    structures: Names = None,
) -> None:
    """Write a report of what ``evaluate_folder`` found: the table, what has no partner, and the cases, worst first.

    Reports are passed on, and files are often named after patients: cases have numbers in it, and no file is named.

    Args:
        path: where to write the page.
        scores: what ``evaluate_folder`` returned.
        results: as there.
        references: as there.
        images: folder of the scans, with the stems of the results; the worst cases are shown on them.
        structures: as there.

    Raises:
        MMGLError: what reading and placing raise.
    """
    pairs = pair_files(results, references)
    number_of = {case: f"case {i}" for i, case in enumerate(dict.fromkeys(s.case for s in scores), start=1)}
    scores = [replace(s, case=number_of[s.case]) for s in scores]
    scans = {number_of[case]: scan for case, scan in (_scans(images) if images else {}).items() if case in number_of}
    pairs = replace(pairs, found={number_of[case]: pair for case, pair in pairs.found.items() if case in number_of})
    worst = _worst_first(scores)
    sections = [evaluation_section(scores)]
    shown = [case for case in worst if case in scans and case in pairs.found][:PICTURES]
    if shown:
        names = _by_value(structures)
        pictures = [_picture(case, pairs.found[case], references, scans[case], names) for case in shown]
        words = (
            f"{'All cases' if len(shown) == len(pairs.found) else f'The {len(shown)} cases that fit worst'}, the worst "
            "first, in evenly spread slices. Upper row: the reference. Lower row: the result, with the outline of the "
            "reference in white."
        )
        sections.append(Section("Pictures", words, pictures=pictures))
    sections.append(_cases_section(sorted(scores, key=lambda s: worst.index(s.case)), pairs))
    write_report(path, "Evaluation", sections)


def _worst_first(scores: Sequence[Score]) -> list[str]:
    """Return the cases by their mean Dice, the smallest first, those with nothing to compare last."""
    dices: dict[str, list[float]] = {}
    for s in scores:
        dices.setdefault(s.case, []).extend([] if math.isnan(s.dice) else [s.dice])
    return sorted(dices, key=lambda case: sum(dices[case]) / len(dices[case]) if dices[case] else math.inf)


def _cases_section(scores: Sequence[Score], pairs: Pairs) -> Section:
    """Return the section with every score, and how many files had no partner."""
    alone = [("Without a result", pairs.without_result), ("Without a reference", pairs.without_reference)]
    words = ["Cases have numbers here instead of names, in the order of the table that the option --csv writes."]
    words += [f"{what}: {len(stems)}." for what, stems in alone if stems]
    header = ("case", HEADER[0], "Dice", *HEADER[-2:])
    rows = [(s.case, s.structure, number(s.dice, 3), number(s.hd95, 2), number(s.surface_distance, 2)) for s in scores]
    return Section("Cases", "\n\n".join(words), header, rows)


def _evaluate(case: str, result: Side, reference: Side, structures: Mapping[int, str] | None) -> list[Score]:
    """Return the scores of one pair."""
    sides = (result, reference)
    wanted = _keys(result, reference, structures)
    keys = wanted if reference.codes is None else reference.keys  # whatever is asked for, all that is painted is known
    overlapping = any(len(side.segmentation.layers) > 1 for side in sides)
    scores: list[Score] = []
    # One labelmap cannot hold segments that overlap, so these are measured one at a time.
    for group in [[key] for key in keys] if overlapping else [keys]:
        names = [shown_name(key, sides) for key in group]
        spacing = result.segmentation.grid.spacing
        sets = reference.sets(group)
        scores += score(case, result.labelmap(group), reference.labelmap(group), spacing, names, sets)
    shown = {shown_name(key, sides) for key in wanted}
    return [s for s in scores if s.structure in shown]


def _keys(result: Side, reference: Side, structures: Mapping[int, str] | None) -> list[str]:
    """Return what is compared: what was asked for, else what is painted in either, or the structures of a study."""
    if structures:
        return list(dict.fromkeys(structures.values()))
    return list(dict.fromkeys([*reference.keys, *([] if reference.codes is not None else result.keys)]))


def _scans(images: Path) -> dict[str, Path]:
    """Return the scans of a folder, files or folders of DICOM files, by their name without its ending."""
    if not images.is_dir():
        raise MMGLError("file.missing", path=images)
    scans = {}
    for path in sorted(images.iterdir()):
        suffix = suffix_of(path)
        if suffix or path.is_dir():
            scans[path.name[: len(path.name) - len(suffix)]] = path
    return scans


def _shown(keys: Sequence[str], sides: Sequence[Side]) -> list[Structure]:
    """Return what is shown in a picture, in the colours of the files where each has one of its own there."""
    found = {
        key: segment.colour
        for side in sides  # the reference last, as its colours count
        for segment, key in zip(side.segmentation.segments, side.keys, strict=True)
        if segment.colour
    }
    own = [found[key] for key in keys if key in found]
    told = len(set(own)) == len(keys)
    colours = own if told else [PALETTE[i % len(PALETTE)] for i in range(len(keys))]
    return [Structure(i, shown_name(key, sides), colours[i - 1]) for i, key in enumerate(keys, start=1)]


def _picture(
    case: str, pair: tuple[Path, Any], references: References, scan_path: Path, structures: Mapping[int, str] | None
) -> Picture:
    """Return the picture of one case with the names of its colours."""
    scan = read_scan(scan_path)
    sides = read_pair(pair, references, structures)
    keys = _keys(*sides, structures)
    shown = _shown(keys, sides)
    maps = []
    for side in sides:
        placed = place(side.segmentation, scan.grid, pair[0])
        maps.append(Side(placed, side.keys).labelmap(keys))
    return Picture(overlay(scan, maps[0], shown, reference=maps[1]), case, shown)
