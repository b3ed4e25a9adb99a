"""Ways to segment a scan slice by slice: ours, MONAI's and the plain loop with the same weights, and nnU-Net's.

Each way is a function of a prepared scan; a process of its own runs it, warm, whenever ``speed.py`` says so.

    python benchmarks/segmenting/ways.py WAY MODEL SCAN FOLDER < commands
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import zoom
from torch import Tensor, nn

from mmgl import Predictor
from mmgl.data.prepare import prepare_scan
from mmgl.device import keep_memory
from mmgl.imaging.reading import read_scan
from mmgl.imaging.scan import Scan
from mmgl.imaging.segmentation_files import write_labelmap
from mmgl.inference.files import Writer
from mmgl.inference.predictor import network_of
from mmgl.inference.settings import Settings
from mmgl.model import read_model

SIDE = 256
"""Of the slices that the plain loop gives its network, as SSL4MIS has it."""

Labelmap = np.ndarray


class Ours:
    """The way of ``mmgl segment``."""

    def __init__(self, model: Path, fast: bool = False) -> None:
        keep_memory()
        self.predictor, self.settings = Predictor(model, "cpu"), Settings(fast=fast)

    def array(self, scan: Scan) -> Labelmap:
        """Return the labelmap (z, y, x), everything that a result needs included (doubt too)."""
        return self.predictor.result(scan, self.settings).labelmap

    def file(self, scan: Path, target: Path) -> None:
        """Segment a file into another."""
        list(Writer(self.predictor, self.settings, suffix="nii.gz").write(scan, target))


class Theirs:
    """Another way, with the network as it was trained and the same preparation."""

    def __init__(self, model: Path, segment: Callable[[nn.Module, Tensor], Labelmap]) -> None:
        card, weights = read_model(model)
        self.plan, self.segment = card.plan, segment
        self.network = network_of(card)
        self.network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        self.network.eval()

    def array(self, scan: Scan) -> Labelmap:
        """Return the labelmap (z, y, x)."""
        return self.segment(self.network, torch.from_numpy(prepare_scan(scan, self.plan)[0]))

    def file(self, scan: Path, target: Path) -> None:
        """Segment a file into another."""
        read = read_scan(scan)
        write_labelmap(target.with_name(f"{target.name}.nii.gz"), self.array(read), read.grid)


def monai(batch: int) -> Callable[[nn.Module, Tensor], Labelmap]:
    """Return MONAI's slice inferer with so many slices at once, as its documentation calls it."""
    from monai.inferers import SliceInferer

    def segment(network: nn.Module, image: Tensor) -> Labelmap:
        inferer = SliceInferer(roi_size=tuple(image.shape[1:]), sw_batch_size=batch, spatial_dim=0)
        with torch.no_grad():
            return inferer(image[None, None], network).argmax(1)[0].to(torch.uint8).numpy()

    return segment


def loop(network: nn.Module, image: Tensor) -> Labelmap:
    """Segment one slice after the other, as ``test_single_volume`` of SSL4MIS does."""
    array = image.numpy()
    labelmap = np.zeros(array.shape, dtype=np.uint8)
    for number, slice_ in enumerate(array):
        y, x = slice_.shape
        enlarged = torch.from_numpy(zoom(slice_, (SIDE / y, SIDE / x), order=0))[None, None].float()
        with torch.no_grad():
            found = torch.argmax(torch.softmax(network(enlarged), dim=1), dim=1).squeeze(0).numpy()
        labelmap[number] = zoom(found, (y / SIDE, x / SIDE), order=0)
    return labelmap


def nnunet(mirror: bool) -> Callable[[Path], Any]:
    """Return nnU-Net's way, which needs a package of its own."""

    def make(model: Path) -> Any:
        from nnunet import NnUNet

        return NnUNet(model, mirror)

    return make


WAYS: dict[str, Callable[[Path], Any]] = {
    "ours": Ours,
    "fast": lambda model: Ours(model, fast=True),
    "loop": lambda model: Theirs(model, loop),
    "nnunet": nnunet(False),
    "nnunet-mirrored": nnunet(True),
    **{f"monai-{n}": (lambda model, n=n: Theirs(model, monai(n))) for n in (1, 2, 4, 8)},
}
"""By name; ``monai-8`` segments 8 slices at once."""


def main() -> None:
    """Run ``array``, ``file`` and ``save`` as they are asked for, and answer each with seconds and memory."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    name, model, path, folder = sys.argv[1], *map(Path, sys.argv[2:5])
    scan, way, number = read_scan(path), WAYS[name](model), 0
    print(json.dumps({"ready": name}), file=answers, flush=True)
    for line in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        if line.strip() == "file":
            number += 1
            way.file(path, folder / f"{name}-{number}")
        else:
            labelmap = way.array(scan)
        told = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        if line.strip() == "save":
            np.save(folder / f"{name}.npy", labelmap)
        told["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
