"""Fit the parameters of the dense CRF on check cases, and tell what it gives on others.

    MMGL_DATA=data python benchmarks/segmenting/crf.py acdc-centre model.mmgl

The first half of the check patients chooses the parameters, one after the other along a grid of factors; the second
half tells what they give. Dice is taken on the plan's grid.
"""

from __future__ import annotations

import copy
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cases import check_cases, dice, parser_of

from mmgl import Predictor
from mmgl.data.prepare import prepare_labelmap, prepare_scan
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.inference.crf import Crf
from mmgl.inference.refining import FITTED, refine_fused
from mmgl.inference.settings import Settings

FACTORS = (0.0, 0.3, 1.0, 3.0)
"""Of each parameter in turn, around the best so far."""

PARAMETERS = ("appearance", "smoothness", "intensity", "appearance_mm", "smoothness_mm")


def main() -> None:
    """Print Dice before and after, on the half that chose and on the half that did not."""
    options = parser_of(__doc__).parse_args()
    predictor = Predictor(options.model)
    with tempfile.TemporaryDirectory() as work:
        found = check_cases(options.data, options.folder, Path(work), options.patients)
        cases = [look(predictor, path, label) for path, label in found]
    first, second = cases[: len(cases) // 2], cases[len(cases) // 2 :]  # by patient: both frames of one are alike
    print(f"without: {mean_dice(predictor, first, None):.4f} and {mean_dice(predictor, second, None):.4f}", flush=True)
    best, reached = FITTED, mean_dice(predictor, first, FITTED)
    for name in PARAMETERS:
        for factor in FACTORS:
            if factor == 1.0 or (factor == 0.0 and name not in ("appearance", "smoothness")):
                continue
            tried = replace(best, **{name: getattr(best, name) * factor})
            gives = mean_dice(predictor, first, tried)
            print(f"  {name} {getattr(tried, name):.3g}: {gives:.4f} (best {reached:.4f})", flush=True)
            if gives > reached:
                best, reached = tried, gives
    print(best)
    print(f"with: {reached:.4f} and {mean_dice(predictor, second, best):.4f}")


def look(predictor: Predictor, path: Path, label: Path) -> tuple[object, ...]:
    """Return the grid, the prepared scan and label, and the probabilities of a case."""
    scan, plan = read_scan(path), predictor.card.plan
    labelmap = read_segmentation(label).layers[0].astype(np.int32)
    fused, _ = predictor.fused(scan, Settings())
    return scan.grid, torch.from_numpy(prepare_scan(scan, plan)), prepare_labelmap(labelmap, scan, plan), fused


def mean_dice(predictor: Predictor, cases: list[tuple[object, ...]], crf: Crf | None) -> float:
    """Return the mean Dice of all structures and cases, refined or not."""
    scores = []
    for grid, image, labelmap, fused in cases:
        changed = copy.deepcopy(fused)
        if crf:
            refine_fused(changed, image, grid, predictor.card.plan, crf=crf)
        found = changed.tensor().argmax(0).numpy()
        for value in range(1, len(predictor.structures) + 1):
            a, b = found == value, labelmap == value
            if a.any() or b.any():
                scores.append(dice(a, b))
    return float(np.mean(scores))


if __name__ == "__main__":
    main()
