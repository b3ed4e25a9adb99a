"""What does ``--fast`` cost in Dice? Eight bits against float32 with the same weights, on labelled scans.

    MMGL_DATA=data python benchmarks/segmenting/fast_dice.py acdc-centre model.mmgl

Every scan of the check patients is segmented both ways on its own grid. Eight bits are used wherever the processor
has them, on scans of few slices too, for which ``--fast`` itself would not use them: what they cost does not depend on
how many slices there are. Told are, for each structure, the mean Dice of either way, the mean change, the worst change
and the scan it belongs to, and how many changed by more than a point; and how many voxels get the same label.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from cases import check_cases, dice, parser_of

from mmgl import Predictor
from mmgl.device import keep_memory
from mmgl.imaging.reading import read_scan
from mmgl.imaging.segmentation_files import read_segmentation
from mmgl.inference import eight_bits
from mmgl.inference.settings import Settings


def main() -> None:
    """Print the table."""
    options = parser_of(__doc__).parse_args()
    keep_memory()
    eight_bits.ENOUGH = 0
    predictor = Predictor(options.model, "cpu")
    pairs: dict[str, list[tuple[float, float, str]]] = {s.name: [] for s in predictor.structures}
    same, voxels, border = 0, 0, 0
    with tempfile.TemporaryDirectory() as work:
        for path, label in check_cases(options.data, options.folder, Path(work), options.patients):
            scan, reference = read_scan(path), read_segmentation(label).layers[0]
            plain, fast = (predictor.result(scan, Settings(fast=fast)) for fast in (False, True))
            if any(finding.key == "segment.not_faster" for finding in fast.findings):
                sys.exit("this processor is not faster in eight bits")
            agree = plain.labelmap == fast.labelmap
            same, voxels = same + int(agree.sum()), voxels + agree.size
            border += int(((plain.labelmap > 0) | (fast.labelmap > 0)).sum())
            for value, name in enumerate(pairs, start=1):
                if (reference == value).any():
                    found = (dice(result.labelmap == value, reference == value) for result in (plain, fast))
                    pairs[name].append((*found, path.name))
    print("structure  scans  float32  eight bits  mean change  worst change  scans that changed by more than .01")
    for name, rows in pairs.items():
        plain, fast = (np.array([row[i] for row in rows]) for i in (0, 1))
        change = fast - plain
        worst = int(change.argmin())
        print(
            f"{name}  {len(rows)}  {plain.mean():.4f}  {fast.mean():.4f}  {change.mean():+.4f}  {change[worst]:+.4f}"
            f" ({rows[worst][2]}, {plain[worst]:.3f} to {fast[worst]:.3f})  {(np.abs(change) > 0.01).sum()}"
        )
    print(f"labels the same: {100 * same / voxels:.3f} % of all voxels,", end=" ")
    print(f"{100 * (1 - (voxels - same) / border):.2f} % of those that either way gives to a structure")


if __name__ == "__main__":
    main()
