"""Probabilities enlarged to the scan's own grid, and the most probable structure: ours and nnU-Net's default.

    python benchmarks/segmenting/export.py [--structures 4] [--size 300 512 512] [--rounds 3] [--itself]

nnU-Net v2 enlarges the map of every structure linearly with ``skimage.transform.resize``, which is
``scipy.ndimage.zoom(order=1, mode="nearest", grid_mode=True)``, and takes the largest of them. ``nnunet`` does that
in float32, without the package; ``--itself`` runs the package's own function too, in an environment that has it
(``nnunet.py`` says how to make one). All get the same maps of 1.5 mm for a scan of 0.7 x 0.7 x 1 mm; each has a
process of its own, and they run in turns. Told are seconds, seconds of the processor, the memory needed beyond the maps
(the labelmap included), and how many labels agree with ours.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import zoom

from mmgl.device import keep_memory
from mmgl.imaging.grid import Grid, Size
from mmgl.inference.own_grid import labelmap_on_own_grid

SPACING, PLAN = (1.0, 0.7, 0.7), 1.5

Way = Callable[[torch.Tensor, Size], np.ndarray]
"""From maps (K + 1, z, y, x) to a labelmap of a size."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--structures", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=3, default=[300, 512, 512], help="z, y, x")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--itself", action="store_true", help="nnU-Net's own function too")
    parser.add_argument("--way", choices=sorted(WAYS), help="run one of them once, in this process")
    parser.add_argument("--folder", type=Path, help="where its labelmap goes")
    options = parser.parse_args()
    if options.way:
        alone(options)
        return
    with tempfile.TemporaryDirectory(prefix="mmgl-export-") as folder:
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS if way != "nnunet-itself" or options.itself}
        for _ in range(options.rounds):
            for way, found in runs.items():
                command = [sys.executable, *sys.argv, "--way", way, "--folder", folder]
                found.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))
        labelmaps = {way: np.load(Path(folder) / f"{way}.npy") for way in runs}
    for way, found in runs.items():
        told = []
        for key in ("wall", "processor"):
            values = [run[key] for run in found]
            ratio = median(values) / median(run[key] for run in runs["ours"])
            told.append(f"{key} {median(values):.2f} s ({min(values):.2f} to {max(values):.2f}) x{ratio:.1f}")
        same = (labelmaps[way] == labelmaps["ours"]).mean()
        print(f"{way:13} {'  '.join(told)}  {max(run['beyond'] for run in found):.0f} MB more  labels {same:.6f}")


def alone(options: argparse.Namespace) -> None:
    """Print what one way took, as JSON, and leave its labelmap in the folder."""
    size = tuple(options.size)
    maps = probabilities(options.structures, [round(n * s / PLAN) for n, s in zip(size, SPACING, strict=True)])
    way = WAYS[options.way](options.structures)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, processor = time.perf_counter(), time.process_time()
    labelmap = way(maps, size)
    told = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    told["beyond"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    np.save(options.folder / f"{options.way}.npy", labelmap)
    print(json.dumps(told))


def ours(_structures: int) -> Way:
    """Return our own way."""
    keep_memory()
    return lambda maps, size: labelmap_on_own_grid(maps, Grid(size, SPACING))


def nnunet(_structures: int) -> Way:
    """Return what nnU-Net's default export does, without the package."""

    def export(maps: torch.Tensor, size: Size) -> np.ndarray:
        enlarged = np.empty((len(maps), *size), dtype=np.float32)
        factors = [after / before for before, after in zip(maps.shape[1:], size, strict=True)]
        for one, target in zip(maps.numpy(), enlarged, strict=True):
            target[:] = zoom(one, factors, order=1, mode="nearest", grid_mode=True)
        return enlarged.argmax(0).astype(np.uint8)

    return export


def nnunet_itself(structures: int) -> Way:
    """Return nnU-Net's default export itself."""
    from nnunet import managers

    plans, configuration, labels = managers((PLAN,) * 3, structures)
    from nnunetv2.inference.export_prediction import convert_predicted_logits_to_segmentation_with_correct_shape

    def export(maps: torch.Tensor, size: Size) -> np.ndarray:
        about = {
            "spacing": list(SPACING),
            "shape_after_cropping_and_before_resampling": size,
            "shape_before_cropping": size,
            "bbox_used_for_cropping": [[0, n] for n in size],
        }
        return convert_predicted_logits_to_segmentation_with_correct_shape(
            maps, plans, configuration, labels, about, num_threads_torch=torch.get_num_threads()
        )

    export(torch.zeros(structures + 1, 2, 2, 2), (4, 4, 4))  # imports the rest
    return export


WAYS: dict[str, Callable[[int], Way]] = {"ours": ours, "nnunet": nnunet, "nnunet-itself": nnunet_itself}


def probabilities(structures: int, size: list[int]) -> torch.Tensor:
    """Return smooth random probabilities (K + 1, z, y, x) in one piece of memory, one row after the other."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, structures + 1, *(n // 8 + 1 for n in size), generator=generator)
    maps = torch.empty(structures + 1, *size)
    for z in range(size[0]):  # in slices, so that making them needs no more memory than enlarging them
        row = torch.lerp(coarse[:, :, z // 8], coarse[:, :, min(z // 8 + 1, coarse.shape[2] - 1)], z % 8 / 8)
        maps[:, z] = F.interpolate(3 * row, size=size[1:], mode="bilinear")[0].softmax(0)
    return maps


if __name__ == "__main__":
    main()
