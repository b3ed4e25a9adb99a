"""Does doubt tell where a result is wrong? Correlation with Dice on check cases.

    MMGL_DATA=data python benchmarks/segmenting/doubt.py hippocampus model.mmgl --patients 40

Printed for each structure: the rank correlation of its doubt with its Dice (-1 would be perfect), and the mean Dice of
the most doubtful quarter of the cases and of the others, and of those that are flagged and of the others; for slices
the rank correlation of the area expected to be wrong with the area that is. What is usual, and so the flags, comes from
the check cases: ``--use test`` tells what a flag is worth on others.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from cases import check_cases, dice, parser_of
from scipy.stats import spearmanr

from mmgl import Predictor
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import read_segmentation


def main() -> None:
    """Print the correlations."""
    parser = parser_of(__doc__, patients=40)
    parser.add_argument("--use", choices=["val", "test"], default="val")
    options = parser.parse_args()
    predictor = Predictor(options.model)
    rows: dict[str, list[tuple[float, float, bool]]] = {s.name: [] for s in predictor.structures}
    slices: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as work:
        for path, label in check_cases(options.data, options.folder, Path(work), options.patients, options.use):
            reference = read_segmentation(label).layers[0]
            result = predictor.result(read_scan(path))
            for value, structure in enumerate(result.doubt.structures, start=1):
                if (second := reference == value).any():
                    score = dice(result.labelmap == value, second)
                    rows[structure.structure].append((structure.doubt, score, structure.check))
            wrong = result.labelmap != reference
            slices += [(s.area, float(wrong.take(s.index, s.axis).sum())) for s in result.doubt.slices]
    print("structure  cases  rank correlation  Dice of the most doubtful quarter  of the others  flagged: cases, Dice")
    for name, pairs in rows.items():
        doubt, scores, flags = np.array(sorted(pairs, reverse=True)).T
        flagged, rest = scores[flags > 0], scores[flags == 0]
        quarter = max(1, len(pairs) // 4)
        correlation = spearmanr(doubt, scores)[0]
        told = f"{scores[:quarter].mean():.3f}  {scores[quarter:].mean():.3f}"
        means = [f"{part.mean():.3f}" if len(part) else "-" for part in (flagged, rest)]
        told += f"  {len(flagged)}, {means[0]} against {means[1]}"
        print(f"{name}  {len(pairs)}  {correlation:+.2f}  {told}  Dice {scores.mean():.3f}")
    print(f"listed slices: rank correlation of expected and real area {spearmanr(*np.array(slices).T)[0]:+.2f}")


if __name__ == "__main__":
    main()
