"""How near does segmenting come to what the convolutions of this processor can do?

    OMP_NUM_THREADS=1 python benchmarks/segmenting/peak.py model.mmgl --scan patient001_frame01.nii.gz

The scan of ``speed.py`` is segmented as ``mmgl segment`` does, array to array. Then every convolution of the network is
timed by itself, on maps of the same size and precision, as often as the network runs it; other work (activations,
pooling, joining, softmax, preparing, the labelmap) is what is left. The peak is the speed of the fastest of them.
Times are the processor's, the lowest of some turns, which other work on the computer changes least.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from speed import make_scan
from torch import Tensor, nn

from mmgl import Predictor
from mmgl.device import bfloat16_pays, keep_memory, precision
from mmgl.imaging.reading import read_scan
from mmgl.model import read_card

TURNS = 4


def main() -> None:
    """Print each convolution, and what share of the time and of the peak they are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--scan", type=Path, required=True)
    parser.add_argument("--size", type=int, nargs=3, default=[24, 256, 256], help="z, y, x")
    options = parser.parse_args()
    keep_memory()
    predictor = Predictor(options.model, "cpu")
    with tempfile.TemporaryDirectory() as folder:
        make_scan(options.scan, Path(folder) / "scan.nii.gz", options.size, read_card(options.model).plan)
        scan = read_scan(Path(folder) / "scan.nii.gz")
    calls = calls_of(predictor.network, lambda: predictor.result(scan))
    whole = lowest(lambda: predictor.result(scan))
    network = sum(lowest_of_layer(predictor.network, shape) * count for shape, count in slices_of(calls).items())
    alone, work, peak = 0.0, 0.0, 0.0
    print("convolution: runs, ms each, billions of multiplications and additions a second")
    for (layer, shape), count in calls.items():
        seconds, operations = lowest_of_layer(layer, shape), operations_of(layer, shape)
        alone, work = alone + count * seconds, work + count * operations
        peak = max(peak, operations / seconds)
        words = f"{type(layer).__name__:15} {layer.in_channels:3} to {layer.out_channels:3}, {tuple(shape)}"
        print(f"  {words:55} {count:3} {1000 * seconds:8.2f} {operations / seconds / 1e9:7.1f}")
    print(
        f"whole {whole:.2f} s, its network {100 * network / whole:.0f} %, its convolutions {100 * alone / whole:.0f} %"
    )
    told = f"{work / whole / 1e9:.1f} of {peak / 1e9:.1f} billion a second"
    print(f"share of the peak: whole {100 * work / whole / peak:.0f} % ({told}),", end=" ")
    print(f"convolutions {100 * work / alone / peak:.0f} %")


Calls = Counter[tuple[nn.Module, torch.Size]]


def calls_of(network: nn.Module, run: Callable[[], object]) -> Calls:
    """Return how often each convolution runs on maps of each size."""
    calls: Calls = Counter()
    hooks = [
        layer.register_forward_pre_hook(lambda layer, given: calls.update([(layer, given[0].shape)]))
        for layer in network.modules()
        if layer is network or isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    run()
    for hook in hooks:
        hook.remove()
    return calls


def slices_of(calls: Calls) -> dict[torch.Size, int]:
    """Take the batches of slices out of the calls of a network, and return how often each size came."""
    batches = {key: count for key, count in calls.items() if not isinstance(key[0], nn.Conv2d | nn.ConvTranspose2d)}
    for key in batches:
        del calls[key]
    return {shape: count for (_, shape), count in batches.items()}


def lowest_of_layer(layer: nn.Module, shape: torch.Size) -> float:
    """Return the seconds that a layer, or a whole network, takes for maps of a size."""
    maps = torch.rand(shape).contiguous(memory_format=torch.channels_last)

    def run() -> Tensor:
        with torch.inference_mode(), precision(maps.device, bfloat16_pays(maps.device)):
            found: Tensor = layer(maps)
            return found

    return lowest(run)


def lowest(run: Callable[[], object]) -> float:
    """Return the lowest of the seconds of the processor of a few runs, the first of which does not count."""
    run()
    seconds = []
    for _ in range(TURNS):
        begun = time.process_time()
        run()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def operations_of(layer: nn.Module, shape: torch.Size) -> float:
    """Return the multiplications and additions of a convolution."""
    pixels = shape[0] * shape[2] * shape[3]  # of what goes in; every layer here keeps the size or doubles it
    return 2.0 * pixels * next(layer.parameters()).numel()


if __name__ == "__main__":
    main()
